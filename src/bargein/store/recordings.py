"""Recordings as files: one a call, stereo, written while it runs, off the event loop's thread."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import get_args

import anyio
import anyio.to_thread
import structlog

from bargein.audio.pcm import to_bytes
from bargein.audio.timeline import Stereo
from bargein.ports import TRANSCRIBER_RATE_HZ, Pcm16
from bargein.store.journals import check_call_id
from bargein.store.waves import HEADER_BYTES, Part, Wave, wave_header, write_mp3

_FLUSH_S = 1.0
_CHANGES_MS = 500.0
"""For so long what was laid down may still be added to or cut; the leads of all legs are shorter."""
_AT_ONCE_MS = 60_000.0
"""A recording that begins late in a call begins with silence; no more of it than this is in memory at once."""
_CUSTOMER_SLACK_MS = 200.0
"""A caller's frames waver by their way here; a gap longer than this is one that the caller made."""
_ASSISTANT_SLACK_MS = 5.0
"""The playout's own times are exact."""

_log = structlog.get_logger("bargein.store")


class RecordingFile:
    """A `bargein.ports.Recorder`: a WAV file with the customer on the left and the assistant on the right.

    Its header is brought up to date with each write, so that the file is whole at every moment: a server that is
    killed loses the last two seconds, and leaves nothing to repair. A disk that is full or gone is told to the log
    once; what was written stays, and the call goes on unrecorded.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._sound = Stereo(TRANSCRIBER_RATE_HZ, _CUSTOMER_SLACK_MS, _ASSISTANT_SLACK_MS)
        self._broken = False
        self._written_ms = 0.0

    def customer(self, pcm: Pcm16, at_ms: float) -> None:
        """See `Recorder.customer`."""
        if not self._broken:
            self._sound.left.lay(pcm, at_ms)

    def assistant(self, pcm: Pcm16, at_ms: float) -> None:
        """See `Recorder.assistant`."""
        if not self._broken:
            self._sound.right.lay(pcm, at_ms)

    def cut(self, at_ms: float) -> None:
        """See `Recorder.cut`."""
        self._sound.right.cut(at_ms)

    async def run(self, now_ms: Callable[[], float]) -> None:
        """See `Recorder.run`."""
        while not self._broken:
            await anyio.sleep(_FLUSH_S)
            await self._flush(now_ms() - _CHANGES_MS)

    async def close(self, end_ms: float) -> None:
        """See `Recorder.close`."""
        if not self._broken:
            await self._flush(end_ms)

    async def _flush(self, until_ms: float) -> None:
        while not self._broken and self._written_ms < until_ms:
            self._written_ms = min(until_ms, self._written_ms + _AT_ONCE_MS)
            await self._write(self._sound.take(self._written_ms))

    async def _write(self, samples: Pcm16) -> None:
        try:
            # Shielded: a cancelled call still owns the sound that is on its way.
            with anyio.CancelScope(shield=True):
                await anyio.to_thread.run_sync(self._append, samples)
        except OSError as error:
            self._broken = True
            self._sound = Stereo(TRANSCRIBER_RATE_HZ, 0, 0)
            _log.error("a call's recording cannot be written", file=self._path.name, reason=error.strerror)

    def _append(self, samples: Pcm16) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT, 0o600)
        with open(descriptor, "wb", buffering=0) as file:  # noqa: PTH123  # a descriptor is no path
            size = file.seek(0, os.SEEK_END)
            sound = max(0, size - HEADER_BYTES) // 4 * 4  # what a full disk let through in part is written over
            file.seek(HEADER_BYTES + sound)
            _write(file.write, to_bytes(samples))
            file.seek(0)
            _write(file.write, wave_header(sound + samples.nbytes, channels=2))


def _write(write: Callable[[bytes], int], data: bytes) -> None:
    """All of it: a disk that is nearly full takes a part, and says so only when it is asked again."""
    while data:
        data = data[write(data) :]


class Recordings:
    """The recordings that are kept, and the mp3 files that were made of them."""

    def __init__(self, data_dir: Path) -> None:
        self._data_dir = data_dir
        self._encoding = anyio.Lock()

    def record(self, call_id: str) -> RecordingFile:
        """A recorder for a call that begins."""
        return RecordingFile(recording_path(self._data_dir, call_id))

    async def wave(self, call_id: str, part: Part) -> Wave:
        """A part of a call's recording, as far as it goes.

        Raises:
            FileNotFoundError: there is none.
        """
        return await anyio.to_thread.run_sync(Wave, recording_path(self._data_dir, call_id), part)

    async def mp3(self, call_id: str, part: Part) -> Path:
        """The same as an mp3 file, for a call that is over: made when it is first asked for, one at a time.

        Raises:
            FileNotFoundError: there is no recording.
            OSError: it cannot be written.
        """
        path = recording_path(self._data_dir, call_id).with_suffix(f".{part}.mp3")
        async with self._encoding:
            if not await anyio.Path(path).exists():
                wave = await self.wave(call_id, part)
                await anyio.to_thread.run_sync(write_mp3, wave, path)
        return path

    async def erase(self, call_id: str) -> None:
        """Erase whatever there is of a call.

        Raises:
            OSError: it cannot be erased.
        """
        path = anyio.Path(recording_path(self._data_dir, call_id))
        async with self._encoding:
            for suffix in (".wav", *(f".{part}.mp3" for part in get_args(Part))):
                await path.with_suffix(suffix).unlink(missing_ok=True)


def recording_path(data_dir: Path, call_id: str) -> Path:
    """Where the recording of a call is.

    Raises:
        ValueError: that is no call id.
    """
    return data_dir / "recordings" / f"{check_call_id(call_id)}.wav"
