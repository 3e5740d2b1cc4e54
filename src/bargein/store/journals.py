"""Journals and logs of calls as files, written during the call on another thread than the event loop's."""

import re
from collections.abc import Sequence
from pathlib import Path

import anyio
import anyio.to_thread
import structlog
from typing_extensions import override

from bargein.ports import JournalSink
from bargein.store.private import make_folder, private

_FLUSH_S = 0.5
_MAX_CHARS = 8 << 20
"""Characters kept in memory while the file cannot be written: hours of a call."""
_SAFE_ID = re.compile(r"[A-Za-z0-9-]{1,64}")

_log = structlog.get_logger("bargein.store")


class JournalFile(JournalSink):
    """A file of lines, which are collected in memory and written twice a second.

    An existing file is replaced. A full or missing disk is logged once; later lines are kept in memory, up to a limit,
    and written when there is space. The call goes on in any case.

    Args:
        path: the file.
        what: the kind of file, for the log.
    """

    def __init__(self, path: Path, what: str = "journal") -> None:
        self._path = path
        self._what = what
        self._lines: list[str] = []
        self._kept_chars = 0
        self._size: int | None = None
        self._failing = False
        self._broken = False
        self._generation = 0
        self._stored_generation = 0

    @override
    def write(self, line: str) -> None:
        if self._broken:
            return
        self._lines.append(line)
        self._kept_chars += len(line)
        if self._kept_chars > _MAX_CHARS:
            self._broken = True
            self._lines, self._kept_chars = [], 0
            _log.error(f"a call's {self._what} ends early: it could not be written for too long", file=self._path.name)

    @override
    async def run(self) -> None:
        while True:
            await anyio.sleep(_FLUSH_S)
            await self._flush()

    @override
    def restart(self) -> None:
        self._lines, self._kept_chars, self._broken = [], 0, False
        self._generation += 1

    @override
    async def close(self) -> None:
        await self._flush()
        while self._lines and not self._failing:  # some came while others were written
            await self._flush()
        if self._lines:
            _log.error(f"a call's {self._what} lacks its end", file=self._path.name)

    async def _flush(self) -> None:
        generation = self._generation
        if not self._lines and generation == self._stored_generation:
            return
        if generation != self._stored_generation:
            self._size = None  # the file is replaced
        count = len(self._lines)
        text = "".join(f"{line}\n" for line in self._lines)
        try:
            # Shielded: the lines of a cancelled call must still be written.
            with anyio.CancelScope(shield=True):
                await anyio.to_thread.run_sync(self._append, text.encode("utf-8", "replace"))
        except Exception as error:  # noqa: BLE001  # whatever the disk or a line does, the call goes on
            if not self._failing:
                self._failing = True
                reason = getattr(error, "strerror", None) or type(error).__name__
                _log.error(f"a call's {self._what} cannot be written", file=self._path.name, reason=reason)
            return
        if self._failing:
            self._failing = False
            _log.info(f"a call's {self._what} is written again", file=self._path.name)
        self._stored_generation = generation
        if generation == self._generation:
            del self._lines[:count]
        self._kept_chars = sum(map(len, self._lines))

    def _append(self, data: bytes) -> None:
        make_folder(self._path.parent)
        # Only the server's user may read what was said on a call. (Path.open takes no opener.)
        with open(self._path, "wb" if self._size is None else "r+b", buffering=0, opener=private) as file:
            # the remains of an attempt that failed half way are overwritten
            at = file.seek(self._size or 0)
            file.truncate()
            self._size = at
            while data:
                written = file.write(data)
                at, data = at + written, data[written:]
        self._size = at


def append_lines(path: Path, lines: Sequence[str]) -> None:
    """Append lines to a file of a call that is over; one that this server does not have is not created.

    A disk that is full is logged, and costs these lines alone.
    """
    try:
        # "r+b", since "ab" would create the file
        with open(path, "r+b", opener=private) as file:
            file.seek(0, 2)
            file.write("".join(f"{line}\n" for line in lines).encode("utf-8", "replace"))
    except FileNotFoundError:
        return
    except OSError as error:
        _log.error("a call's log cannot be written", file=path.name, reason=error.strerror or type(error).__name__)


def journal_path(data_dir: Path, call_id: str) -> Path:
    """Return the path of a call's journal.

    Raises:
        ValueError: `call_id` cannot be the id of a call.
    """
    return data_dir / "journals" / f"{check_call_id(call_id)}.jsonl"


def check_call_id(call_id: str) -> str:
    """Return `call_id` if it is safe as a file name.

    Raises:
        ValueError: it cannot be the id of a call.
    """
    if not _SAFE_ID.fullmatch(call_id):
        raise ValueError(f"{call_id!r} is not the id of a call")
    return call_id


def call_log_path(data_dir: Path, call_id: str) -> Path:
    """Return the path of a call's log.

    Raises:
        ValueError: `call_id` cannot be the id of a call.
    """
    return data_dir / "logs" / f"{check_call_id(call_id)}.jsonl"
