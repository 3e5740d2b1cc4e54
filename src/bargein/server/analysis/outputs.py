"""Everything that is to be extracted from an ended call: the parts of its plan, and its structured outputs."""

from dataclasses import dataclass, field
from typing import Any

import structlog

from bargein.patterns import PatternError
from bargein.server.analysis.conditions import unmet_condition
from bargein.server.analysis.pattern_outputs import search_of
from bargein.server.analysis.plan import MOST_OUTPUTS, Part, inline_outputs, output_part, plan_parts
from bargein.server.analysis.schemas import Schema, SchemaError
from bargein.store import Query, Store
from bargein.wire.base import JsonObject
from bargein.wire.errors import bad_request
from bargein.wire.json import as_object, as_objects, as_string, as_strings

_MOST_STORED = 1_000

_log = structlog.get_logger("bargein.server")


@dataclass(frozen=True, slots=True)
class Planned:
    """The analysis of a call.

    Attributes:
        parts: its parts.
        skipped: by id the structured outputs whose conditions the call does not meet (Vapi's
            `SkippedStructuredOutput`).
    """

    parts: list[Part]
    skipped: JsonObject = field(default_factory=dict[str, Any])

    def __bool__(self) -> bool:
        """Return whether there is anything to say about the call."""
        return bool(self.parts or self.skipped)


async def plan_analysis(
    call: JsonObject, assistant: JsonObject, store: Store, *, always: bool = False, tells: bool = False
) -> Planned:
    """Return the analysis that an assistant wants of a call.

    Args:
        call: the record of the ended call, with its words.
        assistant: the assistant that had it last.
        store: where structured outputs are.
        always: whether calls of assistants without a plan are analysed, too.
        tells: whether to log which structured outputs are left out.
    """
    planned = Planned(plan_parts(assistant, call, always=always))
    for output in await _outputs_of(call, assistant, store, tells=tells):
        part, skipped = part_or_skipped(output, call)
        if part is not None:
            planned.parts.append(part)
        else:
            planned.skipped[str(output["id"])] = skipped
    return planned


def part_or_skipped(output: JsonObject, call: JsonObject) -> tuple[Part | None, JsonObject]:
    """Return the part of a structured output, or why the call is not asked for it (`SkippedStructuredOutput`)."""
    unmet = unmet_condition(as_objects(output.get("conditions")), call)
    if unmet is not None:
        return None, {"name": str(output.get("name") or ""), "unmetCondition": unmet}
    return output_part(output), {}


def check_output(output: JsonObject, within: str = "") -> None:
    """Check what Vapi's schema does not say of a structured output: its JSON Schema, its pattern, its conditions.

    Args:
        output: the structured output.
        within: its path in the request, with a dot at its end.

    Raises:
        WireError: 400, with what is wrong.
    """
    found: list[str] = []
    try:
        Schema(as_object(output.get("schema")))
    except SchemaError as error:
        found.append(f"schema {error}")
    regex = as_string(output.get("regex"))
    if output.get("type") == "regex" and regex is None:
        found.append("regex must be given when type is regex")
    if regex is not None:
        try:
            search_of(regex)
        except PatternError as error:
            found.append(f"regex {error}")
    for number, condition in enumerate(as_objects(output.get("conditions"))):
        if condition.get("type") == "endedReason" and not as_strings(condition.get("values")):
            found.append(f"conditions.{number}.values should not be empty")
    if found:
        raise bad_request(*(within + one for one in found))


async def _outputs_of(call: JsonObject, assistant: JsonObject, store: Store, *, tells: bool) -> list[JsonObject]:
    """Return a call's structured outputs: those that the assistant names, those that name it, and its own."""
    found: dict[str, JsonObject] = {}
    for output_id in as_strings(as_object(assistant.get("artifactPlan")).get("structuredOutputIds")):
        stored = await store.structured_outputs.get(output_id)
        if stored is not None:
            found[output_id] = stored
        elif tells:
            _log.warning("a structured output is left out: it is not stored", call_id=call.get("id"), part=output_id)
    ids = _assistant_ids(call)
    for stored in await store.structured_outputs.list(Query(limit=_MOST_STORED)) if ids else ():
        if ids.intersection(as_strings(stored.get("assistantIds"))):
            found.setdefault(str(stored["id"]), stored)
    for own in inline_outputs(assistant, call):
        found[str(own["id"])] = own
    if tells and len(found) > MOST_OUTPUTS:
        _log.warning("structured outputs beyond the limit are left out", call_id=call.get("id"), most=MOST_OUTPUTS)
    return list(found.values())[:MOST_OUTPUTS]


def _assistant_ids(call: JsonObject) -> frozenset[str]:
    """Return the ids of the assistants that a call has had."""
    activations = as_objects(as_object(call.get("artifact")).get("assistantActivations"))
    given = (call.get("assistantId"), *(one.get("assistantId") for one in activations))
    return frozenset(one for one in given if isinstance(one, str))
