"""Writes of live calls to their records: at once if possible, else as soon as the database is back."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal, Protocol

import anyio
import structlog
from typing_extensions import override

from bargein.ports import CallRecords, StoreError
from bargein.wire.base import JsonObject

_log = structlog.get_logger("bargein.fleet")

Step = Literal["update", "begin", "finish"]
_ORDER: tuple[Step, ...] = ("update", "begin", "finish")

PATIENCE_S = 5.0
"""How long a call waits for a write before it goes on without it."""

MAX_PENDING = 2_000
"""Calls whose pending writes are kept in memory; beyond that, ended calls are recovered from their journals."""

_ESSENTIAL = ("status", "startedAt", "endedAt", "endedReason", "endedMessage")
"""The fields of an end that are written if the database refuses the others."""

_FIRST_WAIT_S = 0.2
_MAX_WAIT_S = 5.0


class CallRecordStore(Protocol):
    """The stored call records. Each method is one transaction and may be repeated."""

    async def begin(self, call_id: str, changes: JsonObject) -> None:
        """Record that the call is live on this server."""
        ...

    async def update(self, call_id: str, changes: JsonObject) -> None:
        """Record changes of a call."""
        ...

    async def finish(self, call_id: str, changes: JsonObject) -> None:
        """Record the end of a call."""
        ...


@dataclass(slots=True)
class _Pending:
    step: Step
    changes: JsonObject
    begun: bool = False
    written: anyio.Event = field(default_factory=anyio.Event)


class Ledger(CallRecords):
    """A `bargein.ports.CallRecords` that keeps writes which failed, and makes them later in their order.

    Memory is bounded: a new write for a call that has a pending one is merged into it.

    Args:
        records: the stored call records.
        forgotten: called with the id of a call whose end is dropped here because too much is pending; its
            journal has it.
    """

    def __init__(self, records: CallRecordStore, forgotten: Callable[[str], None]) -> None:
        self._records = records
        self._forgotten = forgotten
        self._pending: dict[str, _Pending] = {}
        self._wakeup = anyio.Event()
        self._begun: set[str] = set()

    @property
    def pending(self) -> int:
        """The number of calls with a pending write."""
        return len(self._pending)

    @override
    async def begin(self, call_id: str, changes: JsonObject) -> None:
        await self._write(call_id, "begin", changes)

    @override
    async def update(self, call_id: str, changes: JsonObject) -> None:
        await self._write(call_id, "update", changes)

    @override
    async def finish(self, call_id: str, changes: JsonObject) -> None:
        await self._write(call_id, "finish", changes)

    async def run(self) -> None:
        """Make pending writes until cancelled."""
        wait_s = 0.0
        while True:
            if wait_s:
                await anyio.sleep(wait_s)
            elif not self._pending:
                await self._wakeup.wait()
            self._wakeup = anyio.Event()
            done = await self.flush()
            wait_s = 0.0 if done else min(max(_FIRST_WAIT_S, wait_s * 2), _MAX_WAIT_S)

    async def flush(self) -> bool:
        """Make all pending writes; return False if the database is away."""
        for call_id in tuple(self._pending):
            if (pending := self._pending.get(call_id)) is not None and not await self._write_pending(call_id, pending):
                return False
        return True

    async def _write(self, call_id: str, step: Step, changes: JsonObject) -> None:
        before = self._pending.pop(call_id, None)
        pending = _Pending(step, changes)
        if before is not None:
            # a caller that waits for the earlier write now waits for both
            later = step if _ORDER.index(step) > _ORDER.index(before.step) else before.step
            pending = _Pending(later, before.changes | changes, written=before.written)
        self._pending[call_id] = pending
        self._forget()
        self._wakeup.set()
        with anyio.move_on_after(PATIENCE_S):
            await pending.written.wait()

    async def _write_pending(self, call_id: str, pending: _Pending) -> bool:
        try:
            match pending.step:
                case "begin":
                    await self._records.begin(call_id, pending.changes)
                case "update":
                    await self._records.update(call_id, pending.changes)
                case "finish":
                    await self._records.finish(call_id, pending.changes)
        except StoreError as error:
            _log.warning(
                "the database is away: call records will be written later", calls=len(self._pending), reason=str(error)
            )
            return False
        except Exception as error:  # noqa: BLE001  # a record that the database refuses must not hold up the others
            _log.error("a call's record could not be written", call_id=call_id, exc_info=error)
            essential = {name: pending.changes[name] for name in _ESSENTIAL if name in pending.changes}
            if pending.step == "finish" and essential != pending.changes:
                pending.changes = essential  # the call ends, without its conversation
                return await self._write_pending(call_id, pending)
        self._begun.add(call_id)
        if self._pending.get(call_id) is pending:
            del self._pending[call_id]
            pending.written.set()
        if pending.step == "finish":
            self._begun.discard(call_id)
        return True

    def _forget(self) -> None:
        """Drop the oldest pending end of a call that can be recovered from its journal, if too much is pending."""
        if len(self._pending) <= MAX_PENDING:
            return
        for call_id, pending in self._pending.items():
            if pending.step == "finish" and call_id in self._begun:
                _log.error("a call will be recovered from its journal", call_id=call_id)
                self._forgotten(call_id)
                del self._pending[call_id]
                return
