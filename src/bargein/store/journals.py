"""Journals and logs of calls as files: one a call, written while it runs, off the event loop's thread."""

import os
import re
from pathlib import Path

import anyio
import anyio.to_thread
import structlog

_FLUSH_S = 0.5
_MOST_CHARS = 8 << 20
"""So much is kept in memory of what cannot be written: hours of a call."""
_SAFE_ID = re.compile(r"[A-Za-z0-9-]{1,64}")

_log = structlog.get_logger("bargein.store")


class JournalFile:
    """A `bargein.ports.JournalSink`: lines gather in memory and are written twice a second.

    The file is begun anew. A disk that is full or gone is told to the log once; what comes then is kept in memory, up
    to a bound, and written as soon as there is room. What was written stays, and the call goes on in any case.

    Args:
        path: of the file.
        what: the lines are, for the log.
    """

    def __init__(self, path: Path, what: str = "journal") -> None:
        self._path = path
        self._what = what
        self._lines: list[str] = []
        self._kept_chars = 0
        self._size: int | None = None
        self._failing = False
        self._broken = False

    def write(self, line: str) -> None:
        """See `JournalSink.write`."""
        if self._broken:
            return
        self._lines.append(line)
        self._kept_chars += len(line)
        if self._kept_chars > _MOST_CHARS:
            self._broken = True
            self._lines, self._kept_chars = [], 0
            _log.error(f"a call's {self._what} breaks off: it could not be written for too long", file=self._path.name)

    async def run(self) -> None:
        """See `JournalSink.run`."""
        while True:
            await anyio.sleep(_FLUSH_S)
            await self._flush()

    async def close(self) -> None:
        """See `JournalSink.close`."""
        await self._flush()
        if self._lines:
            _log.error(f"a call's {self._what} lacks its end", file=self._path.name)

    async def _flush(self) -> None:
        if not self._lines:
            return
        count = len(self._lines)
        text = "".join(f"{line}\n" for line in self._lines)
        try:
            # Shielded: a cancelled call still owns the lines that are on their way.
            with anyio.CancelScope(shield=True):
                await anyio.to_thread.run_sync(self._append, text.encode())
        except OSError as error:
            if not self._failing:
                self._failing = True
                _log.error(f"a call's {self._what} cannot be written", file=self._path.name, reason=error.strerror)
            return
        if self._failing:
            self._failing = False
            _log.info(f"a call's {self._what} is written again", file=self._path.name)
        del self._lines[:count]
        self._kept_chars = sum(map(len, self._lines))

    def _append(self, data: bytes) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        # What was said on the phone is nobody's business but the server's. (A Path takes no opener.)
        with open(self._path, "wb" if self._size is None else "r+b", buffering=0, opener=_private) as file:
            # what an attempt that failed half way has left is written over, not doubled
            at = file.seek(self._size or 0)
            file.truncate()
            self._size = at
            while data:
                written = file.write(data)
                at, data = at + written, data[written:]
        self._size = at


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
