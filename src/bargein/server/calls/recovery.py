"""Ending the calls that died with their server, from what their journals tell."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from pathlib import Path
from typing import NamedTuple, TypeVar

import anyio.to_thread
import structlog

from bargein.call.record.journal import JournalError, read
from bargein.call.record.outcome import CallSummary, activation_of, record_of
from bargein.call.record.replay import replay
from bargein.clock import Clock
from bargein.server.agents.resolve import first_assistant, last_assistant
from bargein.store import Store
from bargein.store.journals import journal_path
from bargein.wire.base import JsonObject

WORKER_DIED = "call.in-progress.error-vapifault-worker-died"

Finish = Callable[[str, JsonObject], Awaitable[None]]
T = TypeVar("T")

_log = structlog.get_logger("bargein.server")


class Account(NamedTuple):
    """What a journal tells of its call.

    Attributes:
        epoch_ms: when the call began, in milliseconds since 1970.
        told: the account, up to the journal's last whole line.
    """

    epoch_ms: int
    told: CallSummary


class Recovery:
    """Ends calls that nobody holds any more.

    Args:
        store: where calls are.
        data_dir: where their journals are.
        clock: tells the time where nothing else does.
        finish: writes a call's end (`bargein.fleet.ledger.Book.finish`).
    """

    def __init__(self, store: Store, data_dir: Path, clock: Clock, finish: Finish) -> None:
        self._store = store
        self._data_dir = data_dir
        self._clock = clock
        self._finish = finish

    def has_journal(self, call_id: str) -> bool:
        """Whether the journal of a call is here."""
        return journal_path(self._data_dir, call_id).exists()

    async def end(self, call_id: str) -> None:
        """End a call: with the reason that its journal has, or as one whose server died.

        Raises:
            StoreError: that cannot be written now.
        """
        call = await self._store.calls.get(call_id) or {}
        # Running hours of a call again takes seconds.
        account = await anyio.to_thread.run_sync(read_account, journal_path(self._data_dir, call_id))
        now_ms = self._clock.epoch_ms()
        assistant = await last_assistant(call, self._store, now_ms)
        if account is None:
            begun_ms = _epoch_ms(call.get("startedAt"), now_ms)
            changes = record_of(
                call, assistant, CallSummary(), epoch_ms=begun_ms, ended_at_ms=begun_ms, reason=WORKER_DIED
            )
        else:
            epoch_ms, told = account
            first, _ = await first_assistant(call, self._store)
            told.first = activation_of(call, first)
            changes = record_of(
                call,
                assistant,
                told,
                epoch_ms=epoch_ms,
                ended_at_ms=min(epoch_ms + told.now_ms, max(now_ms, epoch_ms)),
                reason=WORKER_DIED if told.ended is None else told.ended.reason,
            )
        await self._finish(call_id, changes)
        if call.get("status", "ended") != "ended":
            reason = changes["endedReason"]
            _log.warning("a call was ended that its server had left", call_id=call_id, reason=reason)


def read_account(path: Path) -> Account | None:
    """What a journal tells, as far as it can be read; None where it tells nothing."""
    try:
        with path.open(encoding="utf-8", errors="replace") as lines:
            head, events = read(lines)
            told = CallSummary()
            begun_ms = _epoch_ms(head.started_at, None)
            try:
                for moment in replay(head, events):
                    told.take(moment.state, moment.event, moment.commands)
            except Exception as error:  # noqa: BLE001  # a line that nobody can make sense of: what came before it counts
                _log.warning("a journal is broken", file=path.name, reason=str(error) or type(error).__name__)
    except (OSError, JournalError):
        return None
    return None if begun_ms is None else Account(begun_ms, told)


def _epoch_ms(iso: object, otherwise: T) -> int | T:
    try:
        return round(datetime.fromisoformat(str(iso)).timestamp() * 1000)
    except ValueError:
        return otherwise
