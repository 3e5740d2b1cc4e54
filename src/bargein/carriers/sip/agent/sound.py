"""The sound of one call, between baresip's buffers and the media socket.

What was put is handed to baresip as far as that takes it; what is played by now is what was put, less what still waits
here and there. That is what marks are true by.
"""

from collections import deque
from typing import Protocol

import numpy as np
from baresip import AudioNotActive, AudioRestarted
from baresip.audio import AudioInfo

from bargein.audio.resample import StreamResampler

_GAP_MS = 120
"""A far end may send nothing while it is silent: what it has not sent for so long is silence, so that a voice that
stops is heard to stop."""
_GAP_KEPT_MS = 60
_AHEAD_MS = 200
_LEAVES_MS = 25
"""What has left baresip's buffer is encoded and sent with the next packet, of 20 ms."""
_FLUSH_MS = 60
"""baresip drops its buffer at the next tick of its own clock, 20 ms at most; what is written before that goes too."""
_LONGEST_BACKLOG_S = 180


class Streams(Protocol):
    """What is needed of `baresip.audio.CallAudio`."""

    def info(self) -> AudioInfo:
        """Return the state of both directions, as baresip has it."""
        ...

    def read(self, max_bytes: int) -> bytes:
        """Read audio that was received, of at most `max_bytes`."""
        ...

    def write(self, pcm: bytes) -> int:
        """Write audio to be sent; returns the number of bytes that were accepted."""
        ...

    def flush_tx(self) -> None:
        """Drop the audio that waits to be sent."""
        ...


class Sound:
    """Both directions of one call's sound, as 16-bit samples at the media socket's rate.

    Args:
        streams: baresip's.
        rate_hz: of the media socket.
        now_ms: the time when it begins.
    """

    def __init__(self, streams: Streams, rate_hz: int, now_ms: float) -> None:
        self._streams = streams
        self._rate_hz = rate_hz
        self._waiting = bytearray()
        self._converted = b""
        self._marks: deque[tuple[int, str]] = deque()
        self._leaving: deque[tuple[float, str]] = deque()
        self._put = 0
        self._flushing_until_ms: float | None = None
        self._heard_until_ms = now_ms
        self._tx = _Converter(rate_hz, rate_hz, 1, 1)
        self._rx = _Converter(rate_hz, rate_hz, 1, 1)

    def put(self, pcm: bytes) -> None:
        """Take audio to be played after all that was put before."""
        if len(self._waiting) > 2 * self._rate_hz * _LONGEST_BACKLOG_S:
            return
        self._waiting += pcm
        self._put += len(pcm)

    def mark(self, name: str) -> None:
        """Have `tick` tell when all that was put by now has been played."""
        self._marks.append((self._put, name))

    def clear(self, now_ms: float) -> list[str]:
        """Drop what has not been played; gives the marks that were still to come."""
        self._waiting.clear()
        self._converted = b""
        self._tx = self._tx.anew()
        try:
            self._streams.flush_tx()
            self._flushing_until_ms = now_ms + _FLUSH_MS
        except (AudioNotActive, AudioRestarted):
            pass  # then there is nothing to drop
        dropped = [name for _, name in (*self._leaving, *self._marks)]
        self._leaving.clear()
        self._marks.clear()
        return dropped

    def tick(self, now_ms: float) -> tuple[bytes, list[str]]:
        """Move sound on, a hundred times a second or so; gives what was heard, and the marks that were reached."""
        try:
            info = self._streams.info()
            wrote = self._write(info, now_ms)
            heard = self._read(info)
            if not self._marks and not self._leaving:
                return self._silence(heard, now_ms), []
            unplayed = self._tx.put_in(info.tx_buffered + wrote)
        except AudioRestarted:
            return self._silence(b"", now_ms), []  # renegotiated: the next tick finds the new streams
        except AudioNotActive:
            return self._silence(b"", now_ms), []
        played = self._put - len(self._waiting) - self._tx.put_in(len(self._converted)) - unplayed
        while self._marks and self._marks[0][0] <= played and self._flushing_until_ms is None:
            self._leaving.append((now_ms + _LEAVES_MS, self._marks.popleft()[1]))
        reached: list[str] = []
        while self._leaving and self._leaving[0][0] <= now_ms:
            reached.append(self._leaving.popleft()[1])
        return self._silence(heard, now_ms), reached

    def _write(self, info: AudioInfo, now_ms: float) -> int:
        """Hand over what waits, as far as it is taken; gives how many bytes that was."""
        wrote = 0
        if self._flushing_until_ms is not None:
            if info.tx_buffered and now_ms < self._flushing_until_ms:
                return 0
            self._flushing_until_ms = None
        if not info.tx_ready:
            return 0
        self._tx = self._tx.between(self._rate_hz, info.tx_sample_rate, 1, info.tx_channels)
        step = self._rate_hz // 25  # bytes of 20 ms
        while self._converted or self._waiting:
            if not self._converted:
                piece = bytes(self._waiting[:step])
                del self._waiting[:step]
                self._converted = self._tx.push(piece)
            taken = self._streams.write(self._converted)
            wrote += taken
            self._converted = self._converted[taken:]
            if self._converted:
                break
        return wrote

    def _read(self, info: AudioInfo) -> bytes:
        if not info.rx_ready or not info.rx_buffered:
            return b""
        self._rx = self._rx.between(info.rx_sample_rate, self._rate_hz, info.rx_channels, 1)
        data = self._streams.read(info.rx_buffered)
        return self._rx.push(data) if data else b""

    def _silence(self, heard: bytes, now_ms: float) -> bytes:
        """What was heard, or the silence that a far end that sends nothing must have meant."""
        self._heard_until_ms = min(self._heard_until_ms + self._ms(heard), now_ms + _AHEAD_MS)
        gap_ms = now_ms - self._heard_until_ms
        if heard or gap_ms < _GAP_MS:
            return heard
        quiet = bytes(2 * int((gap_ms - _GAP_KEPT_MS) * self._rate_hz / 1000))
        self._heard_until_ms += self._ms(quiet)
        return quiet

    def _ms(self, pcm: bytes) -> float:
        return len(pcm) / 2 * 1000 / self._rate_hz


class _Converter:
    """Converts between the media socket's sound, which is mono, and one direction of baresip's."""

    def __init__(self, in_hz: int, out_hz: int, in_channels: int, out_channels: int) -> None:
        self._key = (in_hz, out_hz, in_channels, out_channels)
        self._same = in_hz == out_hz and in_channels == out_channels
        self._resampler = StreamResampler(in_hz, out_hz, "live")

    def between(self, in_hz: int, out_hz: int, in_channels: int, out_channels: int) -> "_Converter":
        """Itself, if it converts between these; else another that does."""
        key = (in_hz, out_hz, in_channels, out_channels)
        return self if self._key == key else _Converter(*key)

    def anew(self) -> "_Converter":
        """The same, without a past."""
        return _Converter(*self._key)

    def put_in(self, came_out: int) -> int:
        """How many bytes must go in for so many to come out."""
        in_hz, out_hz, in_channels, out_channels = self._key
        return came_out if self._same else int(came_out * in_hz * in_channels / (out_hz * out_channels)) & ~1

    def push(self, pcm: bytes) -> bytes:
        """Convert the next piece."""
        if self._same:
            return pcm
        _, _, in_channels, out_channels = self._key
        samples = np.frombuffer(pcm, dtype="<i2").astype(np.int16, copy=False)
        if in_channels > 1:
            whole = samples[: samples.size // in_channels * in_channels].reshape(-1, in_channels)
            samples = whole.astype(np.int32).mean(axis=1).astype(np.int16)
        converted = self._resampler.push(samples)
        if out_channels > 1:
            converted = np.repeat(converted, out_channels)
        return converted.astype("<i2", copy=False).tobytes()
