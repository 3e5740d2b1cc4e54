"""Who takes over: the members of a call's squad, and the assistants that handoffs name."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import cast

import anyio.to_thread

from bargein.call.context import AgentSetup
from bargein.call.plan.compile import RulesError
from bargein.call.plan.variables import Variables, has_templates
from bargein.call.tools.transfer import HandoffError, Successor
from bargein.clock import Clock
from bargein.ports import ChatMessage, OwnerMessenger, ProviderError, ToolRunner
from bargein.server.agents.credentials import keys_of
from bargein.server.agents.egress import Egress
from bargein.server.agents.providers import ProviderFactory
from bargein.server.agents.tool_runners import ToolRunnerFactory
from bargein.server.agents.tools import gather_hook_tools, gather_tools
from bargein.store import Store
from bargein.wire.assistant import Assistant, merge_overrides
from bargein.wire.base import JsonObject
from bargein.wire.errors import WireError, parse_request


@dataclass(frozen=True, slots=True)
class Member:
    """One of a squad.

    Attributes:
        id: of the stored assistant; None for one of the squad's own.
        assistant: with the member's overrides and the squad's laid over, and its destinations as a tool.
        values: `variableValues` of those overrides.
    """

    id: str | None
    assistant: JsonObject
    values: JsonObject


async def squad_of(call: JsonObject, store: Store) -> JsonObject | None:
    """The squad that a call is to run; None: it runs one assistant.

    Raises:
        HandoffError: it has been deleted.
    """
    inline, squad_id = call.get("squad"), call.get("squadId")
    if isinstance(inline, dict):
        return cast("JsonObject", inline)
    return await _stored_squad(str(squad_id), store) if squad_id is not None else None


async def _stored_squad(squad_id: str, store: Store) -> JsonObject:
    found = await store.squads.get(squad_id)
    if found is None:
        raise HandoffError("the squad has been deleted.")
    return found


async def members_of(squad: JsonObject, store: Store, overrides: object = None) -> list[Member]:
    """The members, in order: first each one's `assistantOverrides` are laid over, then `membersOverrides`, then these.

    Raises:
        HandoffError: one of them has been deleted.
    """
    members: list[Member] = []
    for given in cast("list[JsonObject]", squad.get("members") or []):
        base, assistant_id = given.get("assistant"), given.get("assistantId")
        if not isinstance(base, dict):
            base = await _stored(str(assistant_id), store)
        laid = [_object(part) for part in (given.get("assistantOverrides"), squad.get("membersOverrides"), overrides)]
        assistant, values = cast("JsonObject", base), JsonObject()
        for part in laid:
            assistant = merge_overrides(assistant, part)
            values |= _object(part.get("variableValues"))
        assistant = _with_destinations(assistant, given.get("assistantDestinations"))
        members.append(Member(None if assistant_id is None else str(assistant_id), assistant, values))
    return members


async def _stored(assistant_id: str, store: Store) -> JsonObject:
    found = await store.assistants.get(assistant_id)
    if found is None:
        raise HandoffError("the assistant is not there.")
    return found


def _with_destinations(assistant: JsonObject, destinations: object) -> JsonObject:
    """A member's `assistantDestinations` are a tool of its model's."""
    model: object = assistant.get("model")
    if not isinstance(destinations, list) or not destinations or not isinstance(model, dict):
        return assistant
    part = cast("JsonObject", model)
    handoff: JsonObject = {"type": "handoff", "destinations": cast("list[object]", destinations)}
    tools = [*cast("list[JsonObject]", part.get("tools") or []), handoff]
    return {**assistant, "model": {**part, "tools": tools}}


def _object(given: object) -> JsonObject:
    return cast("JsonObject", given) if isinstance(given, dict) else {}


class HandoffResolver:
    """See `bargein.call.tools.transfer.Handoffs`; of one call.

    Args:
        call: its record.
        rate_hz: of its audio.
        store: where assistants are.
        casting: finds providers.
        clock: the one clock.
        outside: finds the credentials that their servers want.
        toolroom: equips them.
        line: of the call.
        found: what the call's tools have found out; it grows.
    """

    def __init__(
        self,
        call: JsonObject,
        rate_hz: int,
        store: Store,
        provider_factory: ProviderFactory,
        clock: Clock,
        *,
        egress: Egress,
        tool_runners: ToolRunnerFactory,
        line: OwnerMessenger,
        found: JsonObject,
    ) -> None:
        self._call = call
        self._rate_hz = rate_hz
        self._store = store
        self._provider_factory = provider_factory
        self._clock = clock
        self._egress = egress
        self._tool_runners = tool_runners
        self._line = line
        self._found = found
        self._members: list[Member] | None = None
        self._runners: list[ToolRunner] = []
        self._closed = False

    def close(self) -> None:
        """The call is over: let go of what the tools of its successors hold."""
        self._closed = True
        for runner in self._runners:
            runner.close()
        self._runners.clear()

    async def successor(self, destination: JsonObject) -> Successor:
        """See `bargein.call.tools.transfer.Handoffs.successor`."""
        member = await self._meant(destination)
        overrides = _object(destination.get("assistantOverrides"))
        as_json = merge_overrides(member.assistant, overrides)
        values = {**member.values, **_object(overrides.get("variableValues"))}
        try:
            return await self._part(destination, member.id, as_json, values)
        except (ProviderError, RulesError) as error:
            raise HandoffError(str(error)) from None
        except WireError as error:
            raise HandoffError("; ".join(map(str, error.messages))) from None

    async def _meant(self, destination: JsonObject) -> Member:
        members = await self._squad()
        match destination.get("type"):
            case "assistant":
                inline = destination.get("assistant")
                if isinstance(inline, dict):
                    return Member(None, cast("JsonObject", inline), {})
                return await self._named(destination, members)
            case "squad":
                given = destination.get("squad")
                squad = (
                    cast("JsonObject", given)
                    if isinstance(given, dict)
                    else await _stored_squad(str(destination.get("squadId")), self._store)
                )
                members = await members_of(squad, self._store, destination.get("squadOverrides"))
                self._members = members
                entry = destination.get("entryAssistantName")
                return next((m for m in members if m.assistant.get("name") == entry), members[0])
            case _:
                raise HandoffError("the destination must be an assistant or a squad.")

    async def _named(self, destination: JsonObject, members: list[Member]) -> Member:
        name, assistant_id = destination.get("assistantName"), destination.get("assistantId")
        for member in members:
            if (assistant_id is not None and member.id == assistant_id) or (
                name is not None and member.assistant.get("name") == name
            ):
                return member
        if not isinstance(assistant_id, str):
            raise HandoffError("this call has no assistant of that name.")
        return Member(assistant_id, await _stored(assistant_id, self._store), {})

    async def _squad(self) -> list[Member]:
        if self._members is None:
            squad = await squad_of(self._call, self._store)
            overrides = self._call.get("squadOverrides")
            self._members = [] if squad is None else await members_of(squad, self._store, overrides)
        return self._members

    async def _part(
        self, destination: JsonObject, assistant_id: str | None, as_json: JsonObject, values: JsonObject
    ) -> Successor:
        variables = replace(variables_of(self._call, values), found=self._found)
        as_json = await filled_in(as_json, variables, self._clock.epoch_ms())
        known = Assistant.wire_names()
        assistant = parse_request(Assistant, {n: v for n, v in as_json.items() if n in known}, whole=False)
        keys = await keys_of(as_json, self._store)
        signed = await self._egress.signatures(as_json)
        providers = self._provider_factory.providers(assistant, self._call, self._rate_hz, keys, signed)
        plan, runner = self._provider_factory.plan(assistant), self._hired(as_json, variables)
        setup = AgentSetup(
            call=self._call,
            assistant=assistant,
            assistant_json=as_json,
            plan=plan,
            instructions=instructions_of(assistant),
            variables=variables,
            tools=await gather_tools(as_json, self._store, runner),
            hook_tools=await gather_hook_tools(as_json, self._store, runner),
        )
        return Successor(destination, setup, replace(providers, tools=runner), assistant_id)

    def _hired(self, as_json: JsonObject, variables: Variables) -> ToolRunner:
        """Who runs the tools of a successor, with the credentials that it brings along."""
        runner = self._tool_runners.tools(self._call, as_json, self._line, variables)
        self._runners.append(runner)
        if self._closed:
            runner.close()
        return runner


async def filled_in(assistant: JsonObject, variables: Variables, epoch_ms: int) -> JsonObject:
    """An assistant with its templates filled in; see `Variables.render_assistant`."""
    if not has_templates(assistant):
        return assistant
    # A large template may take a few hundred milliseconds, which other calls must not feel.
    return await anyio.to_thread.run_sync(variables.render_assistant, assistant, epoch_ms)


def variables_of(call: JsonObject, values: Mapping[str, object]) -> Variables:
    """A call's variables, with those of a member's overrides; the call's own go first."""
    if not values:
        return Variables.of(call)
    overrides = _object(call.get("assistantOverrides"))
    both = {**values, **_object(overrides.get("variableValues"))}
    return Variables.of({**call, "assistantOverrides": {**overrides, "variableValues": both}})


def instructions_of(assistant: Assistant) -> tuple[ChatMessage, ...]:
    """The messages that stand before the conversation (`model.messages`)."""
    given = assistant.model.messages if assistant.model is not None else None
    return tuple(
        ChatMessage("assistant" if m.role == "function" else m.role, m.content or "") for m in given or () if m.content
    )
