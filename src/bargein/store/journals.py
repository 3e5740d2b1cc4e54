"""Journals and logs of calls as files: one a call, written while it runs, off the event loop's thread."""

import os
import re
from pathlib import Path

import anyio
import anyio.to_thread
import structlog

_FLUSH_S = 0.5
_SAFE_ID = re.compile(r"[A-Za-z0-9-]{1,64}")

_log = structlog.get_logger("bargein.store")


class JournalFile:
    """A `bargein.ports.JournalSink`: lines gather in memory and are written twice a second.

    A disk that is full or gone is told to the log once; the call goes on without a journal.

    Args:
        path: of the file.
        what: the lines are, for the log.
    """

    def __init__(self, path: Path, what: str = "journal") -> None:
        self._path = path
        self._what = what
        self._lines: list[str] = []
        self._broken = False

    def write(self, line: str) -> None:
        """See `JournalSink.write`."""
        if not self._broken:
            self._lines.append(line)

    async def run(self) -> None:
        """See `JournalSink.run`."""
        while True:
            await anyio.sleep(_FLUSH_S)
            await self._flush()

    async def close(self) -> None:
        """See `JournalSink.close`."""
        await self._flush()

    async def _flush(self) -> None:
        if not self._lines:
            return
        lines, self._lines = self._lines, []
        try:
            # Shielded: a cancelled call still owns the lines that are on their way.
            with anyio.CancelScope(shield=True):
                await anyio.to_thread.run_sync(self._append, lines)
        except OSError as error:
            self._broken = True
            _log.error(f"a call's {self._what} cannot be written", file=self._path.name, reason=error.strerror)

    def _append(self, lines: list[str]) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        # What was said on the phone is nobody's business but the server's.
        with open(self._path, "a", encoding="utf-8", opener=_private) as file:  # a Path takes no opener
            file.writelines(f"{line}\n" for line in lines)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def journal_path(data_dir: Path, call_id: str) -> Path:
    """Where the journal of a call is.

    Raises:
        ValueError: that is no call id.
    """
    return data_dir / "journals" / f"{check_call_id(call_id)}.jsonl"


def check_call_id(call_id: str) -> str:
    """The same id, if it can be a file's name.

    Raises:
        ValueError: it is no call id.
    """
    if not _SAFE_ID.fullmatch(call_id):
        raise ValueError(f"{call_id!r} is no call id")
    return call_id


def call_log_path(data_dir: Path, call_id: str) -> Path:
    """Where the log of a call is.

    Raises:
        ValueError: that is no call id.
    """
    return data_dir / "logs" / f"{check_call_id(call_id)}.jsonl"
