"""Parts of a call's analysis, as an assistant asks for them: `analysisPlan`, and structured outputs.

Of each part follows one question to a model, or one search with a pattern.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal
from uuid import NAMESPACE_URL, uuid5

from bargein.server.analysis import prompts
from bargein.server.analysis.conditions import DEFAULT_LEAST_MESSAGES, message_count
from bargein.server.analysis.rubrics import DEFAULT, RUBRICS, Rubric
from bargein.wire.base import JsonObject
from bargein.wire.json import as_object, as_object_or_none, as_objects, as_string
from bargein.wire.ownership import is_callers
from bargein.wire.redact import AUTHOR_MARK

PLAN_TIMEOUT_S = 5.0
"""Default of `timeoutSeconds` of the plans of Vapi's `AnalysisPlan`."""

OUTPUT_TIMEOUT_S = 60.0
"""The time limit of a structured output, for which Vapi's type has no field."""

MOST_OUTPUTS = 50
"""The most structured outputs of one call; each is a request to a model."""

Target = Literal["summary", "structuredData", "structuredDataMulti", "successEvaluation", "structuredOutputs"]
"""The field of `call.analysis`, or of the call's artifact, that a part's value is for."""

_OLDER: Final = {
    "summaryPlan": {"summaryPrompt": "prompt", "summaryRequestTimeoutSeconds": "timeoutSeconds"},
    "structuredDataPlan": {
        "structuredDataPrompt": "prompt",
        "structuredDataSchema": "schema",
        "structuredDataRequestTimeoutSeconds": "timeoutSeconds",
    },
    "successEvaluationPlan": {
        "successEvaluationPrompt": "prompt",
        "successEvaluationRubric": "rubric",
        "successEvaluationRequestTimeoutSeconds": "timeoutSeconds",
    },
}
"""The fields of `analysisPlan` before Vapi had a plan for each part."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A part of an analysis.

    Attributes:
        target: what its value is for.
        key: the name of its value among those of the same target: a `key` of `structuredDataMultiPlan`, or the id of a
            structured output; empty: the target has one value.
        messages: the prompt, whose contents are templates.
        timeout_s: the time limit of the whole part.
        schema: the JSON Schema of the value; None: it is a text.
        rubric: the rubric of an evaluation.
        output: the structured output; empty: it is none.
        values: the values of placeholders that this part alone has.
        is_owners: whether it has a prompt or a schema that the owner wrote, which a caller's model is not sent.
    """

    target: Target
    messages: Sequence[JsonObject]
    key: str = ""
    timeout_s: float = PLAN_TIMEOUT_S
    schema: JsonObject | None = None
    rubric: Rubric | None = None
    output: JsonObject = field(default_factory=dict[str, Any])
    values: JsonObject = field(default_factory=dict[str, Any])
    is_owners: bool = False

    @property
    def name(self) -> str:
        """The part's name in the log and in the record: `summary`, or `structuredOutputs.<id>`."""
        return f"{self.target}.{self.key}" if self.key else self.target

    @property
    def model(self) -> JsonObject | None:
        """The model that the part names; None: it is for the assistant's own."""
        return as_object_or_none(self.output.get("model"))


def plan_parts(assistant: JsonObject, call: JsonObject, *, always: bool = False) -> list[Part]:
    """Return the parts of an assistant's `analysisPlan`; none if the call has too few messages for it.

    Vapi makes a summary and an evaluation of every call. Here an assistant asks for them by having a plan, be it an
    empty one, because each is a request that its owner pays for.

    Args:
        assistant: the assistant that had the call last.
        call: the record of the ended call.
        always: whether an assistant without a plan gets the summary and the evaluation, too.
    """
    given = as_object_or_none(assistant.get("analysisPlan"))
    if given is None and not always:
        return []
    plan = _with_newer_fields(given or {})
    least = plan.get("minMessagesThreshold")
    if message_count(call) < (least if isinstance(least, int | float) else DEFAULT_LEAST_MESSAGES):
        return []
    found = [_summary(as_object(plan.get("summaryPlan"))), _data(as_object(plan.get("structuredDataPlan")))]
    for number, entry in enumerate(as_objects(plan.get("structuredDataMultiPlan"))):
        inner = {"enabled": True, **as_object(entry.get("plan"))}
        found.append(_data(inner, as_string(entry.get("key")) or str(number)))
    found.append(_evaluation(as_object(plan.get("successEvaluationPlan"))))
    return [part for part in found if part is not None]


def output_part(output: JsonObject) -> Part:
    """Return the part of a structured output (Vapi's `StructuredOutput`), whose `id` is the key of its value."""
    schema = as_object(output.get("schema"))
    shown = {"name": str(output.get("name") or ""), "description": str(output.get("description") or "")}
    return Part(
        target="structuredOutputs",
        key=str(output["id"]),
        messages=as_objects(as_object(output.get("model")).get("messages")) or prompts.STRUCTURED_OUTPUT,
        timeout_s=OUTPUT_TIMEOUT_S,
        schema=schema,
        output=output,
        values={"structuredOutput": {**shown, "schema": schema}, "schema": json.dumps(schema, ensure_ascii=False)},
        is_owners=not is_callers(output),
    )


def inline_outputs(assistant: JsonObject, call: JsonObject) -> list[JsonObject]:
    """Return `artifactPlan.structuredOutputs`, each with the id that it has in this call, whoever computes it."""
    given = as_objects(as_object(assistant.get("artifactPlan")).get("structuredOutputs"))
    return [
        {**output, "id": str(uuid5(NAMESPACE_URL, f"structured-output:{call.get('id')}:{number}"))}
        for number, output in enumerate(given)
    ]


def _with_newer_fields(plan: JsonObject) -> JsonObject:
    found = dict(plan)
    for name, older in _OLDER.items():
        moved = {newer: plan[old] for old, newer in older.items() if plan.get(old) is not None}
        if moved:
            enabled = {"enabled": True} if "schema" in moved else {}
            newer = as_object(plan.get(name))
            found[name] = {**enabled, **moved, **newer}
            if is_callers(plan) and (not newer or is_callers(newer)):
                found[name][AUTHOR_MARK] = "caller"
            else:
                found[name].pop(AUTHOR_MARK, None)  # some of it is the owner's
    return found


def _is_owners(plan: JsonObject) -> bool:
    """Return whether a plan has a prompt or a schema that the owner wrote."""
    return not is_callers(plan) and any(plan.get(name) for name in ("messages", "prompt", "schema"))


def _timeout_s(plan: JsonObject) -> float:
    given = plan.get("timeoutSeconds")
    return float(given) if isinstance(given, int | float) and given > 0 else PLAN_TIMEOUT_S


def _messages(plan: JsonObject, default: Sequence[JsonObject]) -> Sequence[JsonObject]:
    """Return the prompt of a plan: its own, its older `prompt` with the transcript behind it, or the default."""
    if own := as_objects(plan.get("messages")):
        return own
    prompt = as_string(plan.get("prompt"))
    return default if not prompt else ({"role": "system", "content": prompt}, *default[1:])


def _summary(plan: JsonObject) -> Part | None:
    if plan.get("enabled") is False:
        return None
    return Part(
        target="summary",
        messages=_messages(plan, prompts.SUMMARY),
        timeout_s=_timeout_s(plan),
        is_owners=_is_owners(plan),
    )


def _data(plan: JsonObject, key: str = "") -> Part | None:
    if plan.get("enabled") is not True:
        return None
    schema: JsonObject = as_object(plan.get("schema")) or {"type": "object"}
    return Part(
        target="structuredDataMulti" if key else "structuredData",
        key=key,
        messages=_messages(plan, prompts.STRUCTURED_DATA),
        timeout_s=_timeout_s(plan),
        schema=schema,
        values={"schema": json.dumps(schema, ensure_ascii=False)},
        is_owners=_is_owners(plan),
    )


def _evaluation(plan: JsonObject) -> Part | None:
    """Return the evaluation. A prompt of the owner's without a rubric is answered by any text, as with Vapi."""
    if plan.get("enabled") is False:
        return None
    messages = _messages(plan, prompts.SUCCESS_EVALUATION)
    named = as_string(plan.get("rubric")) or (DEFAULT if messages is prompts.SUCCESS_EVALUATION else "")
    rubric = RUBRICS.get(named)
    return Part(
        target="successEvaluation",
        messages=messages,
        timeout_s=_timeout_s(plan),
        schema=None if rubric is None else rubric.schema,
        rubric=rubric,
        values={"rubric": "" if rubric is None else f"{rubric.name}: {rubric.description}"},
        is_owners=_is_owners(plan),
    )
