"""Suggestions of a model: scenarios to test an assistant with, and how one that has failed could pass."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

from bargein.ports import ChatMessage, Model, ProviderError
from bargein.server.agents.assemble import AssemblyError
from bargein.server.agents.squads import MissingAgentError
from bargein.server.analysis.answers import AnswerError, value_in
from bargein.server.analysis.asking import ask
from bargein.server.simulations.items import SimulationRunner
from bargein.wire import contract
from bargein.wire.base import JsonObject
from bargein.wire.errors import WireError, bad_request
from bargein.wire.json import as_object, as_object_or_none, as_objects

_MOST_CHARS = 20_000
"""The most characters that a model is sent of a prompt and of a transcript for suggestions."""
_LONGEST_ANSWER = 20_000
"""The most characters that are read of a model's suggestions."""

_SCENARIOS = (
    "You plan tests of the voice assistant below. Answer with one JSON object and nothing else: "
    '{"scenarios": [{"name": short, "instructions": what the caller is to do, "category": "happy_path", "edge_case" or '
    '"failure_mode", "reasoning": why}], "coverageNotes": text}. Make three to six scenarios.'
)
_IMPROVEMENTS = (
    "A simulated caller has tested the voice assistant below, and the test has failed. Say how it could pass. Answer "
    'with one JSON object and nothing else: {"analysis": text, "systemPromptSuggestions": [{"issue", "suggestion"}], '
    '"toolSuggestions": [the same], "scenarioSuggestions": [the same]}.'
)


@dataclass(frozen=True, slots=True)
class Suggestions:
    """Asks the models of assistants for suggestions.

    Args:
        runner: makes the models.
    """

    runner: SimulationRunner

    async def scenarios(self, body: JsonObject) -> JsonObject:
        """Return scenarios for an assistant or a squad (Vapi's `GenerateScenariosResponse`).

        Raises:
            WireError: 400: there is none, or it cannot be run here; 502: its model gives none.
        """
        if ("assistantId" in body) == ("squadId" in body):
            raise bad_request("Need either `assistantId` or `squadId`.")
        target: JsonObject = {**body, "type": "squad" if "squadId" in body else "assistant"}
        about = await self._prompts(target)
        return await self._asked({"target": target}, _SCENARIOS, about, "GenerateScenariosResponse")

    async def improvements(self, item: JsonObject) -> JsonObject:
        """Return suggestions for an item that has failed (Vapi's `SimulationRunItemImprovements`).

        Raises:
            WireError: 400: it has not failed, or the target cannot be run here; 502: its model gives none.
        """
        if item.get("status") != "failed":
            raise bad_request("suggestions are made for an item whose status is failed")
        metadata = as_object(item.get("metadata"))
        scenario, call = as_object(metadata.get("scenario")), as_object(metadata.get("call"))
        about = json.dumps(
            {
                "assistant": await self._prompts(as_object(item.get("target"))),
                "task of the caller": scenario.get("instructions"),
                "failure": item.get("failureReason"),
                "results": item.get("results"),
                "transcript": str(call.get("transcript") or "")[-_MOST_CHARS:],
            },
            ensure_ascii=False,
        )
        return await self._asked(item, _IMPROVEMENTS, about, "SimulationRunItemImprovements")

    async def _prompts(self, target: JsonObject) -> str:
        try:
            agent = await self.runner.target_agent(target, "suggestions")
        except MissingAgentError as error:
            raise error.as_bad_request() from None
        messages = as_objects(as_object(agent.assistant_json.get("model")).get("messages"))
        return "\n".join(str(one.get("content") or "") for one in messages)[:_MOST_CHARS]

    async def _asked(self, item: JsonObject, task: str, about: str, kind: str) -> JsonObject:
        try:
            model = await self.runner.model_of(item, None)
        except MissingAgentError as error:
            raise error.as_bad_request() from None
        except AssemblyError as error:
            raise bad_request(str(error)) from None
        asked = (ChatMessage("system", task), ChatMessage("user", about or "(it has no instructions)"))
        for _ in range(2):
            found = await _answer(model, asked)
            if found is not None and not contract.problems(kind, found):
                return found
        raise WireError(502, "the assistant's model gave no suggestions of the form that was asked for")


async def _answer(model: Model, asked: Sequence[ChatMessage]) -> JsonObject | None:
    """Return the JSON object that a model answers with; None: its answer is none."""
    try:
        answer = await ask(model, asked, cut_at=_LONGEST_ANSWER)
        return as_object_or_none(value_in(answer, {"type": "object"}))
    except AnswerError:
        return None
    except ProviderError as error:
        raise WireError(502, str(error)) from None
