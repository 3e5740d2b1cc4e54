"""Handoffs: the assistants that take over a call, from its squad or by a destination of their own."""

from dataclasses import replace
from typing import TYPE_CHECKING

import structlog
from typing_extensions import override

from bargein.call.plan.variables import Values
from bargein.call.record.privacy import is_private
from bargein.call.tools.transfer import HandoffError, Handoffs, Successor
from bargein.server.agents.assemble import AgentAssembler, AssemblyError, ReadyAgent
from bargein.server.agents.resolve import ResolvedAgent
from bargein.server.agents.squads import Member, MissingAgentError, members_of, squad_of, stored_assistant
from bargein.store import Store
from bargein.wire.assistant import merge_overrides
from bargein.wire.base import JsonObject
from bargein.wire.errors import WireError
from bargein.wire.json import as_object, as_object_or_none, as_string
from bargein.wire.limits import AssistantLimits
from bargein.wire.older import with_newer_values
from bargein.wire.ownership import Author, author_of, is_callers, marked

if TYPE_CHECKING:
    from bargein.tools.runner import CallToolRunner

_log = structlog.get_logger("bargein.server")


class HandoffResolver(Handoffs):
    """Finds and assembles the successors of one call's agent.

    Args:
        first: the agent with which the call begins.
        rate_hz: sample rate of the call's audio.
        store: where assistants and squads are.
        assembler: assembles the successors.
    """

    def __init__(self, first: ReadyAgent, rate_hz: int, store: Store, assembler: AgentAssembler) -> None:
        self._call = first.setup.call
        self._found = first.setup.variables.extracted
        self._owner_channel = first.owner_channel
        self._rate_hz = rate_hz
        self._store = store
        self._assembler = assembler
        self._members: list[Member] | None = None
        self._private = is_private(first.setup.assistant_json)
        self._runners: list[CallToolRunner] = []
        self._closed = False

    def close(self) -> None:
        """Close the tool runners of all successors. Called when the call is over."""
        self._closed = True
        for runner in self._runners:
            runner.close()
        self._runners.clear()

    @override
    async def successor(self, destination: JsonObject, author: Author) -> Successor:
        try:
            agent = await self._resolve(destination, author)
            ready = await self._assembler.assemble_successor(
                agent, self._rate_hz, self._owner_channel, self._found, private=self._private
            )
        except AssemblyError as error:
            if author == "owner" or destination.get("assistant") is not None:
                raise HandoffError(str(error)) from None
            # the whole reason may name the owner's servers
            _log.warning("an assistant cannot take a call over", call_id=self._call.get("id"), reason=str(error))
            raise HandoffError("the assistant cannot be run on this server.") from None
        except MissingAgentError as error:
            raise HandoffError(str(error)) from None
        except WireError as error:
            raise HandoffError(str(error), error.status) from None
        self._private = self._private or is_private(ready.setup.assistant_json)
        self._runners.append(ready.tool_runner)
        if self._closed:
            ready.tool_runner.close()
        return Successor(destination, ready.setup, ready.providers, agent.assistant_id)

    async def _resolve(self, destination: JsonObject, author: Author) -> ResolvedAgent:
        """Resolve a destination.

        Raises:
            WireError: 403: the limits of the token that made the call do not allow it to the call's client.
        """
        destination = marked(as_object(with_newer_values(destination)), author)
        author = _author_of(destination)
        limits = AssistantLimits() if author == "owner" else AssistantLimits.of_record(self._call)
        limits.check_written({name: value for name, value in destination.items() if name != "assistantName"})
        member = await self._member(destination)
        if destination.get("assistant") is None:
            limits.check_id(member.id)
        agent = ResolvedAgent.of_member(member, self._call)
        overrides = as_object(destination.get("assistantOverrides"))
        assistant = merge_overrides(agent.assistant_json, marked(overrides, author), author)
        given = Values(as_object(overrides.get("variableValues")), author)
        return replace(agent, assistant_json=assistant, values=(*member.values, given, *Values.of(self._call)))

    async def _member(self, destination: JsonObject) -> Member:
        members = await self._squad_members()
        match destination.get("type"):
            case "assistant":
                inline = as_object_or_none(destination.get("assistant"))
                if inline is None:
                    return await self._named(destination, members)
                return Member(None, marked(inline, _author_of(destination)), ())
            case "squad":
                author = _author_of(destination)
                named = {**destination, "squadId": str(destination.get("squadId"))}
                squad = await squad_of(named, self._store, author) or {}
                members = await members_of(squad, self._store, destination.get("squadOverrides"), author)
                if not members:
                    raise HandoffError("the squad has no members.")
                self._members = members
                entry = destination.get("entryAssistantName")
                return next((m for m in members if m.assistant.get("name") == entry), members[0])
            case _:
                raise HandoffError("the destination must be an assistant or a squad.")

    async def _named(self, destination: JsonObject, members: list[Member]) -> Member:
        """Return the member of the current squad, or the stored assistant, that a destination names."""
        name, assistant_id = destination.get("assistantName"), as_string(destination.get("assistantId"))
        for member in members:
            if (assistant_id is not None and member.id == assistant_id) or (
                name is not None and member.assistant.get("name") == name
            ):
                return member
        if assistant_id is None:
            raise HandoffError("this call has no assistant of that name.")
        return Member(assistant_id, await stored_assistant(assistant_id, self._store), ())

    async def _squad_members(self) -> list[Member]:
        """Return the members of the squad that has the call: its own, or the one it was handed over to last."""
        if self._members is None:
            author = author_of(self._call)
            squad = await squad_of(self._call, self._store, author)
            overrides = self._call.get("squadOverrides")
            self._members = [] if squad is None else await members_of(squad, self._store, overrides, author)
        return self._members


def _author_of(destination: JsonObject) -> Author:
    """Return who wrote a destination: the author of the tool that names it, or of the message that contains it."""
    return "caller" if is_callers(destination) else "owner"
