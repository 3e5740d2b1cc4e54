"""Stereo recordings of calls as files, written during the call on another thread than the event loop's."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import get_args

import anyio
import anyio.to_thread
import structlog
from typing_extensions import override

from bargein.audio.pcm import to_bytes
from bargein.audio.timeline import Stereo
from bargein.audio.wav import HEADER_BYTES, wav_header
from bargein.ports import TRANSCRIBER_RATE_HZ, Pcm16, Recorder
from bargein.store.journals import check_call_id
from bargein.store.private import make_folder, private
from bargein.store.waves import Part, Wave, write_mp3

_FLUSH_S = 1.0
_CHANGES_MS = 500.0
"""How long placed audio may still change; every leg's lead is shorter."""
_MAX_PIECE_MS = 60_000.0
"""A recording that starts late in a call starts with silence; at most this much of it is in memory at once."""
_CUSTOMER_SLACK_MS = 200.0
"""Jitter of a caller's frames; a longer gap is silence of the caller."""
_ASSISTANT_SLACK_MS = 5.0
"""Playout times are exact."""

_log = structlog.get_logger("bargein.store")


class RecordingFile(Recorder):
    """A WAV file with the customer on the left channel and the assistant on the right.

    Its header is updated with each write, so that the file is valid at any moment: a server that is killed loses the
    last two seconds, and nothing needs repair. A full or missing disk is logged once; the call then goes on unrecorded.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._sound = Stereo(TRANSCRIBER_RATE_HZ, _CUSTOMER_SLACK_MS, _ASSISTANT_SLACK_MS)
        self._broken = False
        self._discarded = False
        self._written_ms = 0.0

    @override
    def write_customer(self, pcm: Pcm16, at_ms: float) -> None:
        if not self._broken:
            self._sound.left.add(pcm, at_ms)

    @override
    def write_assistant(self, pcm: Pcm16, at_ms: float) -> None:
        if not self._broken:
            self._sound.right.add(pcm, at_ms)

    @override
    def cut_assistant(self, at_ms: float) -> None:
        self._sound.right.cut(at_ms)

    @override
    async def run(self, now_ms: Callable[[], float]) -> None:
        while not self._broken:
            await anyio.sleep(_FLUSH_S)
            await self._flush(now_ms() - _CHANGES_MS)
        await self._delete_discarded()

    @override
    async def close(self, end_ms: float) -> None:
        if not self._broken:
            await self._flush(end_ms)
        await self._delete_discarded()

    @override
    def discard(self) -> None:
        self._broken = self._discarded = True
        self._sound = Stereo(TRANSCRIBER_RATE_HZ, 0, 0)

    async def _delete_discarded(self) -> None:
        if self._discarded:
            with anyio.CancelScope(shield=True):
                await anyio.Path(self._path).unlink(missing_ok=True)

    async def _flush(self, until_ms: float) -> None:
        while not self._broken and self._written_ms < until_ms:
            self._written_ms = min(until_ms, self._written_ms + _MAX_PIECE_MS)
            await self._write(self._sound.read(self._written_ms))

    async def _write(self, samples: Pcm16) -> None:
        try:
            # Shielded: the audio of a cancelled call must still be written.
            with anyio.CancelScope(shield=True):
                await anyio.to_thread.run_sync(self._append, samples)
        except Exception as error:  # noqa: BLE001  # whatever the disk does, the call goes on
            self._broken = True
            self._sound = Stereo(TRANSCRIBER_RATE_HZ, 0, 0)
            reason = getattr(error, "strerror", None) or type(error).__name__
            _log.error("a call's recording cannot be written", file=self._path.name, reason=reason)

    def _append(self, samples: Pcm16) -> None:
        make_folder(self._path.parent)
        descriptor = private(str(self._path), os.O_WRONLY | os.O_CREAT)
        with open(descriptor, "wb", buffering=0) as file:  # noqa: PTH123  # opened by descriptor
            size = file.seek(0, os.SEEK_END)
            sound = max(0, size - HEADER_BYTES) // 4 * 4  # a partial frame from a full disk is overwritten
            file.seek(HEADER_BYTES + sound)
            _write(file.write, to_bytes(samples))
            file.seek(0)
            _write(file.write, wav_header(TRANSCRIBER_RATE_HZ, sound + samples.nbytes, channels=2))


def _write(write: Callable[[bytes], int], data: bytes) -> None:
    """Write all of `data`: a nearly full disk takes a part of it, and fails only at the next write."""
    while data:
        data = data[write(data) :]


class Recordings:
    """The stored recordings, and the mp3 files made from them."""

    def __init__(self, data_dir: Path) -> None:
        self._data_dir = data_dir
        self._encoding = anyio.Lock()

    def record(self, call_id: str) -> RecordingFile:
        """Return a recorder for a new call."""
        return RecordingFile(recording_path(self._data_dir, call_id))

    async def wave(self, call_id: str, part: Part) -> Wave:
        """Return a part of a call's recording, as far as it has been written.

        Raises:
            FileNotFoundError: there is no recording.
        """
        return await anyio.to_thread.run_sync(Wave, recording_path(self._data_dir, call_id), part)

    async def mp3(self, call_id: str, part: Part) -> Path:
        """Return a part of an ended call's recording as an mp3 file, encoded on first use, one at a time.

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
        """Delete all recordings of a call.

        Raises:
            OSError: a file cannot be deleted.
        """
        path = anyio.Path(recording_path(self._data_dir, call_id))
        async with self._encoding:
            for suffix in (".wav", *(f".{part}.mp3" for part in get_args(Part))):
                await path.with_suffix(suffix).unlink(missing_ok=True)


def recording_path(data_dir: Path, call_id: str) -> Path:
    """Return the path of a call's recording.

    Raises:
        ValueError: `call_id` cannot be the id of a call.
    """
    return data_dir / "recordings" / f"{check_call_id(call_id)}.wav"
