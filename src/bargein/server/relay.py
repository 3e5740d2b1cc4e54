"""Who takes over: the members of a call's squad, and the assistants that handoffs name."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

from bargein.call.passing import HandoffError, Part
from bargein.call.rules import RulesError, compile_plan
from bargein.call.setting import Setting
from bargein.call.variables import Variables
from bargein.clock import Clock
from bargein.ports import ChatMessage, ProviderError, ToolRunner
from bargein.server.casting import Casting
from bargein.server.gathering import gather_hook_tools, gather_tools
from bargein.server.keys import keys_of
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


class CallRelay:
    """See `bargein.call.passing.Relay`; of one call.

    Args:
        call: its record.
        rate_hz: of its audio.
        store: where assistants are.
        casting: finds providers.
        clock: the one clock.
    """

    def __init__(self, call: JsonObject, rate_hz: int, store: Store, casting: Casting, clock: Clock) -> None:
        self._call = call
        self._rate_hz = rate_hz
        self._store = store
        self._casting = casting
        self._clock = clock
        self._members: list[Member] | None = None

    async def successor(self, destination: JsonObject, runner: ToolRunner | None) -> Part:
        """See `bargein.call.passing.Relay.successor`."""
        member = await self._meant(destination)
        overrides = _object(destination.get("assistantOverrides"))
        as_json = merge_overrides(member.assistant, overrides)
        values = {**member.values, **_object(overrides.get("variableValues"))}
        try:
            return await self._part(destination, as_json, values, runner)
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
        self, destination: JsonObject, as_json: JsonObject, values: JsonObject, runner: ToolRunner | None
    ) -> Part:
        variables = variables_of(self._call, values)
        as_json = variables.render_assistant(as_json, self._clock.epoch_ms())
        known = Assistant.wire_names()
        assistant = parse_request(Assistant, {n: v for n, v in as_json.items() if n in known}, whole=False)
        keys = await keys_of(as_json, self._store)
        providers = self._casting.providers(assistant, self._call, self._rate_hz, keys)
        setting = Setting(
            call=self._call,
            assistant=assistant,
            assistant_json=as_json,
            plan=compile_plan(assistant),
            instructions=instructions_of(assistant),
            variables=variables,
            tools=await gather_tools(as_json, self._store, runner),
            hook_tools=await gather_hook_tools(as_json, self._store, runner),
        )
        return Part(destination, setting, providers)


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
