"""Recovery of calls whose server died: their records are completed from their journals."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from pathlib import Path
from typing import NamedTuple, TypeVar

import anyio.to_thread
import structlog

from bargein.call.record.end import CallEnd
from bargein.call.record.journal import JournalError, read, read_usage
from bargein.call.record.outcome import CallSummary, activation_of, ended_fields
from bargein.call.record.replay import replay
from bargein.clock import Clock
from bargein.server.agents.resolve import first_agent, last_assistant
from bargein.store import Store
from bargein.store.journals import journal_path
from bargein.wire.base import JsonObject
from bargein.wire.prices import Prices

WORKER_DIED = "call.in-progress.error-vapifault-worker-died"
KILLED = "the server was killed during the call"

Finish = Callable[[str, JsonObject], Awaitable[None]]
_T = TypeVar("_T")

_log = structlog.get_logger("bargein.server")


class RecoveredCall(NamedTuple):
    """A call as its journal has it.

    Attributes:
        epoch_ms: when the call began, in milliseconds since 1970.
        summary: its summary, up to the journal's last whole line.
    """

    epoch_ms: int
    summary: CallSummary


class Recovery:
    """Ends the calls of dead servers.

    Args:
        store: where calls are.
        data_dir: where their journals are.
        clock: the time of calls whose records and journals name none.
        finish: records a call's end (`bargein.fleet.ledger.CallRecordStore.finish`).
        prices: the owner's prices; None: there are none.
    """

    def __init__(
        self, store: Store, data_dir: Path, clock: Clock, finish: Finish, prices: Prices | None = None
    ) -> None:
        self._prices = prices
        self._store = store
        self._data_dir = data_dir
        self._clock = clock
        self._finish = finish

    def has_journal(self, call_id: str) -> bool:
        """Return whether the journal of a call is on this server's disk."""
        return journal_path(self._data_dir, call_id).exists()

    async def end(self, call_id: str) -> None:
        """End a call with the reason in its journal, or with `WORKER_DIED` if it has none.

        Raises:
            StoreError: the end cannot be recorded now.
        """
        call = await self._store.calls.get(call_id) or {}
        # replaying hours of a call takes seconds
        recovered = await anyio.to_thread.run_sync(recover_from_journal, journal_path(self._data_dir, call_id))
        now_ms = self._clock.epoch_ms()
        assistant = await last_assistant(call, self._store, now_ms)
        if recovered is None:
            begun_ms = _epoch_ms(call.get("startedAt"), now_ms)
            changes = ended_fields(
                call,
                assistant,
                CallSummary(),
                epoch_ms=begun_ms,
                ended_at_ms=begun_ms,
                end=CallEnd(WORKER_DIED, KILLED),
                prices=self._prices,
            )
        else:
            epoch_ms, summary = recovered
            ended = summary.ended
            first = await first_agent(call, self._store)
            summary.first_activation = activation_of(call, first.assistant_json)
            changes = ended_fields(
                call,
                assistant,
                summary,
                epoch_ms=epoch_ms,
                ended_at_ms=min(epoch_ms + summary.now_ms, max(now_ms, epoch_ms)),
                end=CallEnd(WORKER_DIED, KILLED) if ended is None else CallEnd(ended.reason, ended.detail),
                prices=self._prices,
            )
        await self._finish(call_id, changes)
        if call.get("status", "ended") != "ended":
            reason = changes["endedReason"]
            _log.warning("a call whose server died was ended", call_id=call_id, reason=reason)


def recover_from_journal(path: Path) -> RecoveredCall | None:
    """Replay a journal up to the first line that cannot be read; None if that is its head, or there is no journal."""
    try:
        with path.open(encoding="utf-8", errors="replace") as lines:
            head, events = read(lines)
            summary = CallSummary()
            begun_ms = _epoch_ms(head.started_at, None)
            try:
                for moment in replay(head, events):
                    summary.apply(moment.state, moment.event, moment.commands)
            except Exception as error:  # noqa: BLE001  # a broken line: the lines before it count
                _log.warning("a journal is broken", file=path.name, reason=str(error) or type(error).__name__)
        with path.open(encoding="utf-8", errors="replace") as lines:
            summary.usage = read_usage(lines)
    except (OSError, JournalError):
        return None
    return None if begun_ms is None else RecoveredCall(begun_ms, summary)


def _epoch_ms(iso: object, default: _T) -> int | _T:
    try:
        return round(datetime.fromisoformat(str(iso)).timestamp() * 1000)
    except ValueError:
        return default
