"""From a stored call, chat or session to the assistant that it runs.

`resolve_call` and `resolve_chat` are the only ways from a record to an assistant. `bargein.server.agents.assemble`
makes a running agent of the result.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import anyio
import anyio.to_thread

from bargein.call.context import Rejection
from bargein.call.plan.variables import Extracted, Values, Variables, has_templates
from bargein.server.agents.squads import Member, MissingAgentError, member_of, members_of, squad_of, stored_assistant
from bargein.store import Store
from bargein.wire.assistant import Assistant, merge_overrides
from bargein.wire.base import JsonObject
from bargein.wire.call import ACTIVE_ASSISTANT, effective_assistant, without_ids
from bargein.wire.errors import WireError, parse_request
from bargein.wire.json import as_object, as_object_or_none, as_objects, as_string
from bargein.wire.ownership import author_of, layers_of, marked
from bargein.wire.telephony import inline_number

_RENDERING = anyio.CapacityLimiter(1)
"""Threads share one interpreter: each that renders delays the event loop, so only one does at a time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ResolvedAgent:
    """An assistant that a call or chat is to run. Nothing is opened for it yet, and its templates are not filled in.

    Attributes:
        record: the call or chat; its fields are what templates and providers see of it.
        assistant_json: the assistant, with the squad member's overrides and the record's applied; a stored one with
            its `id`, which receivers of messages read.
        values: `variableValues` with their authors, in the order of their precedence.
        assistant_id: the id of a stored assistant; None for an inline one.
        rejection: what the caller hears instead of the assistant, before the call ends.
    """

    record: JsonObject
    assistant_json: JsonObject
    values: tuple[Values, ...] = ()
    assistant_id: str | None = None
    rejection: Rejection | None = None

    @classmethod
    def of_member(cls, member: Member, record: JsonObject) -> "ResolvedAgent":
        """Return the agent of a squad member, which can hand the call over to the member's destinations."""
        values = (*member.values, *Values.of(record))
        assistant_json = _identified(member.with_handoff_tool(), member.id)
        return cls(record=record, assistant_json=assistant_json, values=values, assistant_id=member.id)

    def variables(self, found: Extracted | None = None) -> Variables:
        """Return the variables that the agent's templates may name.

        Args:
            found: the variables that the call's tools have set; None for a call or chat that begins.
        """
        return Variables.of(self.record, self.values or Values.of(self.record), found)


async def resolve_call(call: JsonObject, store: Store) -> ResolvedAgent:
    """Resolve the agent that a call begins with: its assistant, or the first member of its squad.

    A squad is changed by `squadOverrides` alone, an assistant by `assistantOverrides` (Vapi's `CreateCallDTO`).

    Raises:
        MissingAgentError: the assistant, the squad or one of the squad's members is not stored.
    """
    squad = await squad_of(call, store, author_of(call))
    if squad is not None:
        first, *_ = await members_of(squad, store, call.get("squadOverrides"), author_of(call))
        return ResolvedAgent.of_member(first, call)
    assistant_id = as_string(call.get("assistantId"))
    stored: JsonObject | None = None
    if call.get("assistant") is None and assistant_id is not None:
        stored = await stored_assistant(assistant_id, store)
    assistant_json = _identified(effective_assistant(call, stored), None if stored is None else assistant_id)
    return ResolvedAgent(record=call, assistant_json=assistant_json, assistant_id=assistant_id)


def _identified(assistant_json: JsonObject, assistant_id: str | None) -> JsonObject:
    return assistant_json if assistant_id is None else {"id": assistant_id, **assistant_json}


async def resolve_chat(record: JsonObject, store: Store, *, handoffs: bool = False) -> ResolvedAgent:
    """Resolve the agent of a chat or session: its assistant, or the first member of its squad.

    A text conversation has no handoffs, so only the first member is read, and its destinations do not become a tool,
    except with `handoffs`.

    The record's `assistantOverrides` are applied to the assistant and to the squad's member.

    Raises:
        WireError: 400: the record names no assistant and no squad.
        MissingAgentError: the assistant or the squad is not stored.
    """
    author, layers = layers_of(record)
    squad = await squad_of(record, store, author)
    named = record if squad is None else next(iter(as_objects(squad.get("members"))), JsonObject())
    inline, assistant_id = as_object_or_none(named.get("assistant")), named.get("assistantId")
    if inline is None and assistant_id is None:
        raise WireError(400, "Need either `assistant`, `assistantId`, `squad`, `squadId`, `sessionId` or "
                        "`previousChatId`.")  # fmt: skip
    if squad is not None:
        member = await member_of(named, squad, store)
        assistant = member.with_handoff_tool() if handoffs else member.assistant
    else:
        assistant = await stored_assistant(str(assistant_id), store) if inline is None else marked(inline, author)
    values: list[Values] = []
    for overrides, by in layers:
        assistant = merge_overrides(assistant, marked(overrides, by), by)
        values.append(Values(as_object(overrides.get("variableValues")), by))
    return ResolvedAgent(
        record=record,
        assistant_json=_identified(without_ids(assistant), as_string(assistant_id) if inline is None else None),
        values=tuple(values),
        assistant_id=as_string(assistant_id),
    )


async def first_agent(call: JsonObject, store: Store) -> ResolvedAgent:
    """Resolve the agent that a call began with; an empty assistant where it has been deleted since."""
    try:
        return await resolve_call(call, store)
    except MissingAgentError:
        return ResolvedAgent(record=call, assistant_json=effective_assistant(call, None))


async def last_assistant(call: JsonObject, store: Store, epoch_ms: int) -> JsonObject:
    """Return the JSON of the assistant that has a call, or had it last, with its templates filled in.

    Args:
        call: the call's record.
        store: where assistants and squads are.
        epoch_ms: the time that templates may name, in milliseconds since 1970.
    """
    active = as_object_or_none(call.get(ACTIVE_ASSISTANT))
    if active is not None:
        return {**active}
    agent = await first_agent(call, store)
    return await fill_in(agent.assistant_json, agent.variables(), epoch_ms)


async def fill_in(assistant_json: JsonObject, variables: Variables, epoch_ms: int) -> JsonObject:
    """Fill in an assistant's templates (`Variables.render_assistant`) in a worker thread."""
    if not has_templates(assistant_json):
        return assistant_json
    # A large template may take a few hundred milliseconds, which would delay the audio of other calls.
    return await anyio.to_thread.run_sync(variables.render_assistant, assistant_json, epoch_ms, limiter=_RENDERING)


async def fill_in_prompts(
    texts: Sequence[str], variables: Variables, epoch_ms: int, more: Mapping[str, object]
) -> list[str]:
    """Fill in the prompts of a call's analysis (`Variables.render_all`) in a worker thread.

    Raises:
        ValueError: one of them cannot be rendered.
    """
    return await anyio.to_thread.run_sync(variables.render_all, texts, epoch_ms, more, limiter=_RENDERING)


def parse_assistant(assistant_json: JsonObject, *, whole: bool = False, closed: bool = False) -> Assistant:
    """Parse an assistant's JSON. Fields that Vapi's assistant does not have (`id`, `orgId`, …) are left out.

    Args:
        assistant_json: the assistant, with overrides applied.
        whole: whether to check the fields that this server does not read against Vapi's schema, too.
        closed: whether to refuse unknown fields in it; one that is stored may have been stored before they were.

    Raises:
        WireError: 400, naming the fields that are not valid.
    """
    known = Assistant.wire_names()
    return parse_request(
        Assistant, {name: v for name, v in assistant_json.items() if name in known}, whole=whole, closed=closed
    )


async def phone_number_of(record: JsonObject, store: Store) -> JsonObject | None:
    """Return the phone number of a call or session, with its secrets: the stored one, or the call's inline one."""
    number_id = as_string(record.get("phoneNumberId"))
    return inline_number(record) if number_id is None else await store.phone_numbers.get(number_id)
