"""Which assistant a stored call runs, from the records alone."""

from typing import cast

from bargein.call.tools.transfer import HandoffError
from bargein.server.agents.handoff import filled_in, members_of, squad_of, variables_of
from bargein.store import Store
from bargein.wire.assistant import merge_overrides
from bargein.wire.base import JsonObject
from bargein.wire.call import ACTIVE_ASSISTANT, effective_assistant
from bargein.wire.errors import WireError


async def first_assistant(call: JsonObject, store: Store) -> tuple[JsonObject, JsonObject]:
    """The assistant that a call begins with, and the variables that it brings."""
    try:
        squad = await squad_of(call, store)
        if squad is not None:
            first, *_ = await members_of(squad, store, call.get("squadOverrides"))
            return first.assistant, first.values
    except HandoffError:
        pass  # it has been deleted since
    stored: JsonObject | None = None
    assistant_id: object = call.get("assistantId")
    if call.get("assistant") is None and isinstance(assistant_id, str):
        stored = await store.assistants.get(assistant_id)
    return effective_assistant(call, stored), {}


async def last_assistant(call: JsonObject, store: Store, epoch_ms: int) -> JsonObject:
    """The assistant that has a call, or had it last, its templates filled in at a time of the clock."""
    active: object = call.get(ACTIVE_ASSISTANT)
    if isinstance(active, dict):
        return {**active}
    assistant, values = await first_assistant(call, store)
    return await filled_in(assistant, variables_of(call, values), epoch_ms)


async def assistant_of(who: JsonObject, store: Store) -> JsonObject:
    """The assistant that answers: for a squad, that of its first member.

    Args:
        who: a request, session or chat that names it.
        store: where assistants and squads are.

    Raises:
        WireError: 400: it names nobody, or somebody who is not there.
    """
    squad: object = who.get("squad")
    if squad is None and who.get("squadId") is not None:
        squad = await store.squads.get(who["squadId"])
        if squad is None:
            raise WireError(400, f"There is no squad with the id {str(who['squadId'])[:80]}.")
    if isinstance(squad, dict):
        members = cast("list[JsonObject]", cast("JsonObject", squad).get("members") or [])
        member: JsonObject = members[0] if members else {}
        found = await assistant_of({name: member.get(name) for name in ("assistant", "assistantId")}, store)
        found = merge_overrides(found, member.get("assistantOverrides"))
        return merge_overrides(found, cast("JsonObject", squad).get("membersOverrides"))
    inline: object = who.get("assistant")
    if isinstance(inline, dict):
        return cast("JsonObject", inline)
    if who.get("assistantId") is None:
        raise WireError(400, "Need either `assistant`, `assistantId`, `squad`, `squadId`, `sessionId` or "
                        "`previousChatId`.")  # fmt: skip
    stored = await store.assistants.get(who["assistantId"])
    if stored is None:
        raise WireError(400, f"There is no assistant with the id {str(who['assistantId'])[:80]}.")
    return stored
