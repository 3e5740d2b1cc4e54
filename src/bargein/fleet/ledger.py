"""What live calls write to their records: at once if it can be, and else as soon as the database is back."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal, Protocol

import anyio
import structlog

from bargein.ports import StoreError
from bargein.wire.base import JsonObject

_log = structlog.get_logger("bargein.fleet")

Step = Literal["update", "begin", "finish"]
_ORDER: tuple[Step, ...] = ("update", "begin", "finish")

PATIENCE_S = 5.0
"""How long a call waits for its record to be written before it goes on without."""

MOST_OWED = 2_000
"""Of so many calls what is owed is kept in memory; beyond that those that are over are left to their journals."""

_FIRST_WAIT_S = 0.2
_LONGEST_WAIT_S = 5.0


class CallRecordStore(Protocol):
    """Where records are written. Each is one transaction, and may be done twice."""

    async def begin(self, call_id: str, changes: JsonObject) -> None:
        """The call goes live here."""
        ...

    async def update(self, call_id: str, changes: JsonObject) -> None:
        """Something of it changed."""
        ...

    async def finish(self, call_id: str, changes: JsonObject) -> None:
        """It is over."""
        ...


@dataclass(slots=True)
class _Owed:
    step: Step
    changes: JsonObject
    begun: bool = False
    written: anyio.Event = field(default_factory=anyio.Event)


class Ledger:
    """A `bargein.ports.CallRecords` that owes what it could not write yet, and writes it in the order of its coming.

    Memory is bounded: what comes for a call that is owed something already is laid over it.

    Args:
        book: where it writes.
        forgotten: told of a call whose end is no longer kept here, because too much is owed: its journal has it.
    """

    def __init__(self, records: CallRecordStore, forgotten: Callable[[str], None]) -> None:
        self._records = records
        self._forgotten = forgotten
        self._owed: dict[str, _Owed] = {}
        self._news = anyio.Event()
        self._begun: set[str] = set()

    @property
    def owed(self) -> int:
        """Of how many calls something is still to be written."""
        return len(self._owed)

    async def begin(self, call_id: str, changes: JsonObject) -> None:
        """See `bargein.ports.CallRecords.begin`."""
        await self._write(call_id, "begin", changes)

    async def update(self, call_id: str, changes: JsonObject) -> None:
        """See `bargein.ports.CallRecords.update`."""
        await self._write(call_id, "update", changes)

    async def finish(self, call_id: str, changes: JsonObject) -> None:
        """See `bargein.ports.CallRecords.finish`."""
        await self._write(call_id, "finish", changes)

    async def run(self) -> None:
        """Write until cancelled."""
        wait_s = 0.0
        while True:
            if wait_s:
                await anyio.sleep(wait_s)
            elif not self._owed:
                await self._news.wait()
            self._news = anyio.Event()
            done = await self.settle()
            wait_s = 0.0 if done else min(max(_FIRST_WAIT_S, wait_s * 2), _LONGEST_WAIT_S)

    async def settle(self) -> bool:
        """Write what is owed; False if it cannot be written now."""
        for call_id in tuple(self._owed):
            if (owed := self._owed.get(call_id)) is not None and not await self._pay(call_id, owed):
                return False
        return True

    async def _write(self, call_id: str, step: Step, changes: JsonObject) -> None:
        before = self._owed.pop(call_id, None)
        owed = _Owed(step, changes)
        if before is not None:
            # whoever waits for what came before waits for this as well
            later = step if _ORDER.index(step) > _ORDER.index(before.step) else before.step
            owed = _Owed(later, before.changes | changes, written=before.written)
        self._owed[call_id] = owed
        self._forget()
        self._news.set()
        with anyio.move_on_after(PATIENCE_S):
            await owed.written.wait()

    async def _pay(self, call_id: str, owed: _Owed) -> bool:
        try:
            match owed.step:
                case "begin":
                    await self._records.begin(call_id, owed.changes)
                case "update":
                    await self._records.update(call_id, owed.changes)
                case "finish":
                    await self._records.finish(call_id, owed.changes)
        except StoreError as error:
            _log.warning("calls' records cannot be written, and will be", calls=len(self._owed), reason=str(error))
            return False
        except Exception as error:  # noqa: BLE001  # a record that no database takes must not hold up the others
            _log.error("a call's record could not be written", call_id=call_id, exc_info=error)
        self._begun.add(call_id)
        if self._owed.get(call_id) is owed:
            del self._owed[call_id]
            owed.written.set()
        if owed.step == "finish":
            self._begun.discard(call_id)
        return True

    def _forget(self) -> None:
        """Leave the oldest ends that a journal can make good to it, where too much is owed."""
        if len(self._owed) <= MOST_OWED:
            return
        for call_id, owed in self._owed.items():
            if owed.step == "finish" and call_id in self._begun:
                _log.error("a call's record is left to its journal", call_id=call_id)
                self._forgotten(call_id)
                del self._owed[call_id]
                return
