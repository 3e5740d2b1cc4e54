"""One conversation of a run: it is held, recorded and evaluated."""

from dataclasses import dataclass, replace
from uuid import uuid4

from bargein.clock import Clock
from bargein.errors import BargeinError
from bargein.ports import Model
from bargein.server.agents.assemble import AgentAssembler, AssemblyError
from bargein.server.agents.resolve import ResolvedAgent, resolve_chat
from bargein.server.calls.creation import CallCreation
from bargein.server.calls.live_calls import LiveCalls
from bargein.server.chats.service import ChatService
from bargein.server.simulations.evaluation import latency_metrics, latency_results, passed
from bargein.server.simulations.evaluator import Evaluator
from bargein.server.simulations.local_socket import RATE_HZ
from bargein.server.simulations.outcome import Conversation
from bargein.server.simulations.tester import Tester
from bargein.server.simulations.text_chat import TextChat
from bargein.server.simulations.voice_call import VoiceCall
from bargein.store import Store
from bargein.testing.agents import NEEDED_MESSAGES
from bargein.wire.assistant import merge_overrides
from bargein.wire.base import JsonObject
from bargein.wire.call import TOOL_MOCKS, CreateCall
from bargein.wire.json import as_object, as_object_or_none, as_objects, as_string
from bargein.wire.ownership import made_by

CHAT = "vapi.webchat"
LONGEST_S = 300.0
"""The longest simulated conversation; then the tester hangs up."""


class ItemError(BargeinError):
    """A conversation that could not be held or evaluated; the text says why."""


@dataclass(frozen=True, slots=True)
class SimulationRunner:
    """Holds and evaluates the conversations of simulations.

    Args:
        store: where everything is.
        clock: the time.
        assembler: assembles testers and models.
        call_creation: creates the calls.
        live_calls: runs them.
        chats: answers testers that write.
        evaluator: judges what came of a conversation.
    """

    store: Store
    clock: Clock
    assembler: AgentAssembler
    call_creation: CallCreation
    live_calls: LiveCalls
    chats: ChatService
    evaluator: Evaluator

    async def conversation(self, item: JsonObject, base_url: str) -> "VoiceCall | TextChat":
        """Prepare the conversation of an item: its call or session is stored.

        Raises:
            ItemError: the personality cannot be run here.
            WireError: the target does not exist any more, or cannot be run here.
        """
        metadata = as_object(item.get("metadata"))
        scenario, personality = as_object(metadata.get("scenario")), as_object(metadata.get("personality"))
        tester = await self._tester(str(item["id"]), scenario, as_object(personality.get("assistant")))
        overrides = as_object(scenario.get("targetOverrides"))
        mocks = mocks_of(scenario)
        target = {name: value for name, value in as_object(item.get("target")).items() if name != "type"}
        if transport_of(item) == CHAT:
            given = {**target, **({"assistantOverrides": overrides} if overrides else {})}
            session = await self.store.sessions.create(
                made_by({"status": "active", **given, TOOL_MOCKS: mocks}, "owner")
            )
            return TextChat(self.chats, self.store, session, tester, LONGEST_S)
        body: JsonObject = {**target, "transport": {"provider": "vapi.websocket"}}
        field = "squadOverrides" if "squad" in target or "squadId" in target else "assistantOverrides"
        body[field] = merge_overrides(overrides, {"clientMessages": list(NEEDED_MESSAGES)})
        if "variableValues" in overrides:
            body[field]["variableValues"] = overrides["variableValues"]
        created = await self.call_creation.create(CreateCall.from_json(body), {**body, TOOL_MOCKS: mocks}, base_url)
        call = await self.store.calls.get(str(created["id"])) or created
        return VoiceCall(self.live_calls, self.store, call, tester, LONGEST_S)

    async def _tester(self, item_id: str, scenario: JsonObject, assistant: JsonObject) -> Tester:
        record: JsonObject = made_by({"id": item_id, "assistant": assistant}, "owner")
        agent = await resolve_chat(record, self.store)
        try:
            ready = await self.assembler.assemble_tester(agent, RATE_HZ)
        except AssemblyError as error:
            raise ItemError(f"the personality cannot be run on this server: {error}") from None
        return Tester(ready, str(scenario.get("instructions") or ""), assistant.get("metadata"))

    async def results(self, item: JsonObject, held: Conversation) -> JsonObject:
        """Evaluate a conversation (Vapi's `SimulationRunItemResults`).

        `interruptions` is bargein's own: what the tester let be heard over the assistant, and how soon that was silent.
        """
        scenario = as_object(as_object(item.get("metadata")).get("scenario"))
        evaluations = await self.evaluator.results(scenario, held)
        expectations = as_objects(scenario.get("latencyExpectations"))
        latencies = latency_results(expectations, held.performance)
        results: JsonObject = {"evaluations": evaluations, "passed": passed(evaluations) and passed(latencies)}
        if held.performance is not None:
            results |= {"latencyMetrics": latency_metrics(held.performance), "interruptions": held.interruptions}
        return {**results, "latencyEvaluations": latencies} if expectations else results

    async def model_of(self, item: JsonObject, given: JsonObject | None) -> Model:
        """Return a model beside the target of an item: the one that is given, or the target's own.

        Raises:
            AssemblyError: it cannot be used on this server.
            WireError: the target is not stored any more.
        """
        agent = await self.target_agent(as_object(item.get("target")), str(item.get("id") or uuid4()))
        wanted = given if given is not None else as_object_or_none(agent.assistant_json.get("model"))
        return await self.assembler.assemble_model(wanted or {"provider": "vapi"}, agent)

    async def target_agent(self, target: JsonObject, record_id: str) -> ResolvedAgent:
        """Resolve the agent that a target names, or the first member of its squad.

        Raises:
            MissingAgentError: it is not stored any more.
        """
        given = {name: value for name, value in target.items() if name != "type"}
        agent = await resolve_chat(made_by(given, "owner"), self.store)
        return replace(agent, record={"id": record_id})


def mocks_of(scenario: JsonObject) -> dict[str, str]:
    """Return the results of a scenario's `toolMocks` by the names of the tools, without those that are not enabled."""
    return {
        str(one.get("toolName")): str(one.get("result") or "")
        for one in as_objects(scenario.get("toolMocks"))
        if one.get("enabled") is not False
    }


def transport_of(item: JsonObject) -> str:
    """Return the transport of an item; Vapi's default is a call with voices."""
    transport = as_object(as_object(item.get("configurations")).get("transport"))
    return as_string(transport.get("provider")) or "vapi.websocket"
