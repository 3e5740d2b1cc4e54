"""Which assistant a stored call runs, from the records alone."""

from bargein.call.passing import HandoffError
from bargein.server.relay import filled_in, members_of, squad_of, variables_of
from bargein.store import Store
from bargein.wire.base import JsonObject
from bargein.wire.call import ACTIVE_ASSISTANT, effective_assistant


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
