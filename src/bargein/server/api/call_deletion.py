"""Deletion of calls: a live call is ended, then its artifacts and its record are erased."""

from collections.abc import Sequence
from typing import cast

import anyio

from bargein.server.api.artifacts import erase_artifacts
from bargein.server.api.services import Services
from bargein.wire.base import JsonObject
from bargein.wire.call import public_call
from bargein.wire.errors import WireError, unknown_id

END_SECONDS = 5.0
"""The time limit for a live call to end, after which its deletion fails."""
_POLL_SECONDS = 0.02
_MAX_CONCURRENT = 20


async def delete_call(services: Services, call_id: str) -> JsonObject:
    """Delete a call with its artifacts and return its record. Its owner gets the event.

    Raises:
        WireError: 404: there is no such call; 503: it is live and did not end.
    """
    call = await services.store.calls.get(call_id)
    try:
        await _end_if_live(services, call_id)
        if call is not None:
            # the artifacts go first: if that fails, the record is still there and the request can be repeated
            await erase_artifacts(services, call_id)
        deleted = await services.store.calls.delete(call_id)
    except WireError:
        if call is not None:
            await services.owner_events.call(call, "call.delete.failed")
        raise
    if deleted is None:
        raise unknown_id("call", call_id)
    await services.owner_events.call(deleted, "call.deleted")
    return public_call(deleted)


async def delete_calls(services: Services, call_ids: Sequence[str]) -> JsonObject:
    """Delete calls, some of them concurrently, and return the record of the first that was deleted.

    Raises:
        WireError: none of them could be deleted; the error is that of the first.
    """
    outcomes: dict[str, JsonObject | WireError] = {}
    limit = anyio.CapacityLimiter(_MAX_CONCURRENT)

    async def delete(call_id: str) -> None:
        async with limit:
            try:
                outcomes[call_id] = await delete_call(services, call_id)
            except WireError as error:
                outcomes[call_id] = error

    async with anyio.create_task_group() as tasks:
        for call_id in call_ids:
            tasks.start_soon(delete, call_id)
    in_order = [outcomes[call_id] for call_id in call_ids]
    deleted = next((one for one in in_order if not isinstance(one, WireError)), None)
    if deleted is None:
        raise cast("WireError", in_order[0])
    return deleted


async def _end_if_live(services: Services, call_id: str) -> None:
    """End a live call and wait until its last write, so that nothing is written after it was deleted.

    Raises:
        WireError: 503: it has not ended within `END_SECONDS`.
    """
    await services.call_router.cancel(call_id, "manually-canceled")
    session = services.live_calls.session(call_id)
    if session is None:
        return
    session.hang_up("manually-canceled")
    with anyio.move_on_after(END_SECONDS):
        while services.live_calls.session(call_id) is not None:  # noqa: ASYNC110  # a session announces its end before its last write
            await anyio.sleep(_POLL_SECONDS)
    if services.live_calls.session(call_id) is not None:
        raise WireError(503, "The call could not be ended, and was not deleted. Try again.")
