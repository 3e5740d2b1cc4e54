"""The audio of one call, between baresip's buffers and the call's channel of the link.

Queued audio is written to baresip as far as baresip accepts it. The amount that was played is the amount that was
queued, less what still waits here and in baresip; marks are reached by that amount.
"""

from collections import deque
from typing import Protocol

import numpy as np
from baresip import AudioNotActive, AudioRestarted
from baresip.audio import AudioInfo

from bargein.audio.resample import StreamResampler

_GAP_MS = 120
"""A far end may send nothing during silence. After this long without audio, silence is filled in, so that the end of
speech is detected."""
_GAP_KEPT_MS = 60
_AHEAD_MS = 200
_SEND_MS = 25
"""Audio that has left baresip's buffer is encoded and sent with the next packet, of 20 ms."""
_FLUSH_MS = 60
"""baresip drops its buffer at the next tick of its own clock, within 20 ms; audio written before that is lost."""
_LONGEST_BACKLOG_S = 180


class Streams(Protocol):
    """The part of `baresip.audio.CallAudio` that is used here."""

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


class AudioBridge:
    """Both directions of one call's audio, as 16-bit samples at the channel's rate.

    Args:
        streams: baresip's buffers of the call.
        rate_hz: the sampling rate of the channel.
        now_ms: the time of the start.
    """

    def __init__(self, streams: Streams, rate_hz: int, now_ms: float) -> None:
        self._streams = streams
        self._rate_hz = rate_hz
        self._waiting = bytearray()
        self._converted = b""
        self._marks: deque[tuple[int, str]] = deque()
        self._sending: deque[tuple[float, str]] = deque()
        self._queued = 0
        self._flushing_until_ms: float | None = None
        self._heard_until_ms = now_ms
        self._tx = _Converter(rate_hz, rate_hz, 1, 1)
        self._rx = _Converter(rate_hz, rate_hz, 1, 1)

    def play(self, pcm: bytes) -> None:
        """Queue audio to be played after all audio before it."""
        if len(self._waiting) > 2 * self._rate_hz * _LONGEST_BACKLOG_S:
            return
        self._waiting += pcm
        self._queued += len(pcm)

    def mark(self, name: str) -> None:
        """Have `tick` return this name once all audio queued so far was played."""
        self._marks.append((self._queued, name))

    def clear(self, now_ms: float) -> list[str]:
        """Drop audio that was not played; return the marks that were not reached."""
        self._waiting.clear()
        self._converted = b""
        self._tx = self._tx.reset()
        try:
            self._streams.flush_tx()
            self._flushing_until_ms = now_ms + _FLUSH_MS
        except (AudioNotActive, AudioRestarted):
            pass  # there is nothing to drop
        dropped = [name for _, name in (*self._sending, *self._marks)]
        self._sending.clear()
        self._marks.clear()
        return dropped

    def tick(self, now_ms: float) -> tuple[bytes, list[str]]:
        """Move audio in both directions, about a hundred times a second; return received audio and reached marks."""
        try:
            info = self._streams.info()
            wrote = self._write(info, now_ms)
            heard = self._read(info)
            if not self._marks and not self._sending:
                return self._fill_gap(heard, now_ms), []
            unplayed = self._tx.input_bytes(info.tx_buffered + wrote)
        except AudioRestarted:
            return self._fill_gap(b"", now_ms), []  # renegotiated: the next tick finds the new streams
        except AudioNotActive:
            return self._fill_gap(b"", now_ms), []
        played = self._queued - len(self._waiting) - self._tx.input_bytes(len(self._converted)) - unplayed
        while self._marks and self._marks[0][0] <= played and self._flushing_until_ms is None:
            self._sending.append((now_ms + _SEND_MS, self._marks.popleft()[1]))
        reached: list[str] = []
        while self._sending and self._sending[0][0] <= now_ms:
            reached.append(self._sending.popleft()[1])
        return self._fill_gap(heard, now_ms), reached

    def _write(self, info: AudioInfo, now_ms: float) -> int:
        """Write waiting audio as far as baresip accepts it; return the number of bytes."""
        wrote = 0
        if self._flushing_until_ms is not None:
            if info.tx_buffered and now_ms < self._flushing_until_ms:
                return 0
            self._flushing_until_ms = None
        if not info.tx_ready:
            return 0
        self._tx = self._tx.for_format(self._rate_hz, info.tx_sample_rate, 1, info.tx_channels)
        step = self._rate_hz // 25  # bytes of 20 ms
        while self._converted or self._waiting:
            if not self._converted:
                piece = bytes(self._waiting[:step])
                del self._waiting[:step]
                self._converted = self._tx.push(piece)
            accepted = self._streams.write(self._converted)
            wrote += accepted
            self._converted = self._converted[accepted:]
            if self._converted:
                break
        return wrote

    def _read(self, info: AudioInfo) -> bytes:
        if not info.rx_ready or not info.rx_buffered:
            return b""
        self._rx = self._rx.for_format(info.rx_sample_rate, self._rate_hz, info.rx_channels, 1)
        data = self._streams.read(info.rx_buffered)
        return self._rx.push(data) if data else b""

    def _fill_gap(self, heard: bytes, now_ms: float) -> bytes:
        """Return the received audio, or silence in place of the audio that a silent far end did not send."""
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
    """A converter between the channel's audio, which is mono, and one direction of baresip's."""

    def __init__(self, in_hz: int, out_hz: int, in_channels: int, out_channels: int) -> None:
        self._key = (in_hz, out_hz, in_channels, out_channels)
        self._same = in_hz == out_hz and in_channels == out_channels
        self._resampler = StreamResampler(in_hz, out_hz, "live")

    def for_format(self, in_hz: int, out_hz: int, in_channels: int, out_channels: int) -> "_Converter":
        """Return this converter if it has these formats, else a new one."""
        key = (in_hz, out_hz, in_channels, out_channels)
        return self if self._key == key else _Converter(*key)

    def reset(self) -> "_Converter":
        """Return a converter of the same formats without state."""
        return _Converter(*self._key)

    def input_bytes(self, output_bytes: int) -> int:
        """Return the number of input bytes for so many output bytes."""
        in_hz, out_hz, in_channels, out_channels = self._key
        return output_bytes if self._same else int(output_bytes * in_hz * in_channels / (out_hz * out_channels)) & ~1

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
