"""Scheduled calls: queued at `earliestAt`, ended after `latestAt` (Vapi's `schedulePlan`)."""

from collections.abc import Callable
from functools import partial

import anyio
import structlog

from bargein.carriers.registry import is_phone_call
from bargein.clock import Clock, iso_from_epoch_ms
from bargein.ports import StoreError
from bargein.server.calls.owner_jobs import CALL_ENDED, CALL_QUEUED
from bargein.server.ops.metrics import Metrics
from bargein.store import Store
from bargein.store.jobs import NewJob
from bargein.wire.base import JsonObject
from bargein.wire.schedule import NEVER_JOINED, next_status

_log = structlog.get_logger("bargein.server")

_BATCH = 100
_POLL_S = 15.0
"""The longest wait between two looks: another server of this database may have stored a call that is due earlier."""
_RETRY_S = 1.0


class Scheduler:
    """Queues and ends scheduled calls that nobody has joined.

    The schedule is in the store, so that a restart loses nothing. Several servers may run a scheduler on one database.

    Args:
        store: where calls are.
        clock: the time.
        metrics: counts calls that end.
        dial: places a telephone call that is queued.
    """

    def __init__(self, store: Store, clock: Clock, metrics: Metrics, dial: Callable[[str], None]) -> None:
        self._dial = dial
        self._store = store
        self._clock = clock
        self._metrics = metrics
        self._wakeup = anyio.Event()

    def wake(self) -> None:
        """Look at the schedule now. Called when a scheduled call was created."""
        self._wakeup.set()

    async def run(self) -> None:
        """Run until cancelled."""
        while True:
            self._wakeup = anyio.Event()
            try:
                wait_s = await self._advance_due()
            except StoreError:
                wait_s = _RETRY_S
            with anyio.move_on_after(wait_s):
                await self._wakeup.wait()

    async def _advance_due(self) -> float:
        """Advance the calls that are due; return the seconds until the next look."""
        due = await self._store.calls.due(self._clock.epoch_ms(), _BATCH)
        for call_id in due:
            await self._advance(call_id)
        next_ms = await self._store.calls.next_due_ms()
        if next_ms is None:
            return _POLL_S
        return min(_POLL_S, max(0.0, (next_ms - self._clock.epoch_ms()) / 1000))

    async def _advance(self, call_id: str) -> None:
        now_ms = self._clock.epoch_ms()
        about: JsonObject = {"callId": call_id}
        ended = NewJob(CALL_ENDED, about, f"{call_id}:{CALL_ENDED}")
        if await self._store.calls.advance(call_id, partial(_ended, now_ms=now_ms), [ended]):
            _log.warning("nobody joined a call", call_id=call_id)
            self._metrics.ended(NEVER_JOINED)
            return
        call = await self._store.calls.get(call_id)
        dialled = call is not None and is_phone_call(call)
        queued = NewJob(CALL_QUEUED, about, f"{call_id}:{CALL_QUEUED}")
        if await self._store.calls.advance(call_id, partial(_queued, now_ms=now_ms), [queued], live=dialled):
            _log.info("a scheduled call may be joined", call_id=call_id)
            if dialled:
                self._dial(call_id)


def _queued(call: JsonObject, now_ms: int) -> JsonObject | None:
    return {"status": "queued"} if next_status(call, now_ms) == "queued" else None


def _ended(call: JsonObject, now_ms: int) -> JsonObject | None:
    if next_status(call, now_ms) != "ended":
        return None
    return {
        "status": "ended",
        "endedReason": NEVER_JOINED,
        "endedMessage": "nobody joined the call in time",
        "endedAt": iso_from_epoch_ms(now_ms),
    }
