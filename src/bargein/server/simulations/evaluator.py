"""Results of a scenario's evaluations: values that the analysis of calls extracts, compared with what is expected."""

import json
from dataclasses import dataclass

from bargein.clock import Clock
from bargein.server.agents.resolve import last_assistant
from bargein.server.analysis.analyst import Analyst, Outcome
from bargein.server.analysis.conditions import DEFAULT_LEAST_MESSAGES
from bargein.server.analysis.outputs import part_or_skipped
from bargein.server.analysis.plan import Part
from bargein.server.simulations.evaluation import holds, plain, value_at
from bargein.server.simulations.outcome import Conversation
from bargein.store import Store
from bargein.wire.base import JsonObject
from bargein.wire.json import as_object, as_objects, as_string

_ROLES = {"user": "user", "assistant": "bot"}
"""The roles of a conversation as the messages of a call's artifact have them."""


@dataclass(frozen=True, slots=True)
class Evaluator:
    """Evaluates conversations that are over.

    Args:
        store: where structured outputs and assistants are.
        clock: the time that templates may name.
        analyst: extracts the values, as it does from calls.
    """

    store: Store
    clock: Clock
    analyst: Analyst

    async def results(self, scenario: JsonObject, held: Conversation) -> list[JsonObject]:
        """Return Vapi's `StructuredOutputEvaluationResult` of each evaluation of a scenario.

        A structured output that several evaluations name is extracted once. One whose own condition the conversation
        does not meet is skipped; a conversation without words fails.

        Raises:
            StoreError: the store is away.
            WireError: the assistant that had the conversation cannot be known any more.
        """
        call = call_of(held)
        evaluations = as_objects(scenario.get("evaluations"))
        outputs = [await self._output(number, given) for number, given in enumerate(evaluations)]
        parts: dict[str, Part] = {}
        found: list[JsonObject] = []
        for given, output in zip(evaluations, outputs, strict=True):
            result = _unjudged(given, output)
            if output is not None:
                part, skipped = part_or_skipped(output, call)
                if part is not None:
                    parts[part.key] = part
                else:
                    result |= _unmet(output, as_object(skipped["unmetCondition"]))
            found.append(result)
        known = await self._outcomes(call, list(parts.values()))
        for given, output, result in zip(evaluations, outputs, found, strict=True):
            if output is not None and (outcome := known.get(str(output["id"]))) is not None:
                result.update(_judged(given, outcome))
        return found

    async def _output(self, number: int, given: JsonObject) -> JsonObject | None:
        """Return the structured output of an evaluation; None: it is not stored any more."""
        output_id = as_string(given.get("structuredOutputId"))
        if output_id is None:
            return {**as_object(given.get("structuredOutput")), "id": str(number)}
        return await self.store.structured_outputs.get(output_id)

    async def _outcomes(self, call: JsonObject, parts: list[Part]) -> dict[str, Outcome]:
        known: dict[str, Outcome] = {}

        async def keep(part: Part, outcome: Outcome) -> None:
            known[part.key] = outcome

        if parts:
            assistant = await last_assistant(call, self.store, self.clock.epoch_ms())
            await self.analyst.analyse(call, assistant, parts, keep)
        return known


def call_of(held: Conversation) -> JsonObject:
    """Return a conversation as the record of an ended call, which a chat has not: its artifact is made of its messages.

    A chat has no times, so that it meets each condition on a call's duration.
    """
    if held.performance is not None:
        return held.record
    messages = [
        {"role": _ROLES[role], "message": str(one.get("content") or "")}
        for one in held.messages
        if (role := str(one.get("role"))) in _ROLES
    ]
    artifact = {
        "transcript": held.transcript,
        "messages": messages,
        "messagesOpenAIFormatted": held.messages,
    }
    return {**held.record, "artifact": artifact}


def _unjudged(given: JsonObject, output: JsonObject | None) -> JsonObject:
    output_id = as_string(given.get("structuredOutputId"))
    result: JsonObject = {
        "structuredOutputId": output_id or "inline",
        "name": "",
        "extractedValue": None,
        "expectedValue": given["value"],
        "comparator": given["comparator"],
        "passed": False,
        "required": given.get("required") is not False,
    }
    if "path" in given:
        result["path"] = given["path"]
    if output is None:
        return {**result, "error": f"There is no structured output with the id {output_id}."}
    return result | {name: output[name] for name in ("name", "description", "schema") if name in output}


def _unmet(output: JsonObject, condition: JsonObject) -> JsonObject:
    """Return why a value is not extracted: a condition of the output's own skips it, the default one fails it."""
    if condition in as_objects(output.get("conditions")):
        return {"isSkipped": True, "skipReason": f"the conversation does not meet {json.dumps(condition)}"}
    return {"error": f"the conversation has fewer than {DEFAULT_LEAST_MESSAGES} messages"}


def _judged(given: JsonObject, outcome: Outcome) -> JsonObject:
    if outcome.problem is not None:
        return {"error": outcome.problem}
    value = value_at(outcome.value, as_string(given.get("path")))
    return {"extractedValue": plain(value), "passed": holds(value, given["comparator"], given["value"])}
