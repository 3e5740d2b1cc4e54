"""Telnyx's media payloads: RTP payloads without headers, in the encoding that the `start` frame names.

This server asks for L16 at 16 kHz in both directions. RFC 3551 (section 4.5.11) defines L16 in network byte order.
Telnyx's documentation does not mention it; public reports of calls found little-endian in its WebSocket frames. So
little-endian is the default, `byte_order` is a setting, and audio that looks swapped is reported in the log.

If Telnyx cannot transcode a caller's audio, it sends that of the telephone leg (`media_format` says so): mu-law or
A-law at 8 kHz, which is resampled to 16 kHz here. The audio that is sent is L16 in any case.
"""

from collections.abc import Callable
from typing import Literal

import numpy as np
import structlog

from bargein.audio import g711
from bargein.audio.pcm import Int16Array, from_bytes, to_bytes
from bargein.audio.resample import StreamResampler
from bargein.carriers.interface import FrameError

_log = structlog.get_logger("bargein.carriers.telnyx")

ByteOrder = Literal["little", "big"]

RATE_HZ = 16_000
"""The rate of all audio behind the codec."""

_LOOKED_AT = 500
_ENOUGH = 25
_ROUGH = 2000.0
_SMOOTHER = 4.0

_RATES_HZ = (8000, 16_000, 22_050, 24_000, 48_000)
"""Telnyx's rates for L16 (`stream_bidirectional_sampling_rate`)."""


class Payloads:
    """Reads the payloads of one stream as `pcm_s16le` at 16 kHz.

    Args:
        encoding: `media_format.encoding` of the `start` frame.
        rate_hz: `media_format.sample_rate`.
        byte_order: the byte order of L16.

    Raises:
        FrameError: the encoding or the rate was not asked for and cannot be read.
    """

    def __init__(self, encoding: str, rate_hz: int, byte_order: ByteOrder) -> None:
        self._byte_order: ByteOrder = byte_order
        self._swapped = Swapped()
        self._decode = self._decoder(encoding, rate_hz)
        self._resampler = StreamResampler(rate_hz, RATE_HZ, "live")

    def samples(self, data: bytes) -> Int16Array:
        """Return the samples of a payload, at the stream's own rate.

        Raises:
            FrameError: the payload ends in the middle of a sample.
        """
        return self._decode(data)

    def audio(self, pcm: Int16Array) -> bytes:
        """Resample the next samples; the result may be empty, because the resampler delays a little."""
        return to_bytes(self._resampler.push(pcm))

    def _decoder(self, encoding: str, rate_hz: int) -> Callable[[bytes], Int16Array]:
        match encoding:
            case "L16" if rate_hz in _RATES_HZ:
                return self._linear
            case "PCMU" if rate_hz == 8000:
                return g711.decode
            case "PCMA" if rate_hz == 8000:
                return _a_law
            case _:
                raise FrameError(f"the stream is {encoding} at {rate_hz} Hz, which was not asked for")

    def _linear(self, data: bytes) -> Int16Array:
        try:
            pcm = from_bytes(in_order(data, self._byte_order))
        except ValueError as error:
            raise FrameError(str(error)) from error
        if self._swapped.push(pcm):
            _log.warning("telnyx's audio seems to have the other byte order", configured=self._byte_order)
        return pcm


class Swapped:
    """Detects, in the first ten seconds of a call, samples whose two bytes are swapped.

    Speech read with swapped bytes is noise: neighbouring samples are unrelated. In the right order they are close
    together.
    """

    def __init__(self) -> None:
        self._left = _LOOKED_AT
        self._votes = 0

    def push(self, pcm: Int16Array) -> bool:
        """Add the next samples; return True once, when it is clear that they are swapped."""
        if self._left == 0 or pcm.size < 2:
            return False
        self._left -= 1
        as_read, other = _roughness(pcm), _roughness(pcm.byteswap())
        if as_read > _ROUGH and other * _SMOOTHER < as_read:
            self._votes += 1
        elif as_read * _SMOOTHER < other:
            self._votes -= 1
        if self._votes < _ENOUGH:
            return False
        self._left = 0
        return True


def _roughness(pcm: Int16Array) -> float:
    return float(np.mean(np.abs(np.diff(pcm.astype(np.int32)))))


def in_order(data: bytes, byte_order: ByteOrder) -> bytes:
    """Convert 16-bit samples between little-endian and `byte_order`; half a sample at the end is kept as it is."""
    if byte_order == "little":
        return data
    whole = len(data) // 2 * 2
    return np.frombuffer(data[:whole], dtype="<i2").byteswap().tobytes() + data[whole:]


def _a_law_table() -> Int16Array:
    """Return the 16-bit value of each of the 256 codes (G.711, table 1: the 13-bit value, shifted left by three)."""
    code = np.arange(256, dtype=np.int64) ^ 0x55
    segment = (code >> 4) & 0x07
    step = code & 0x0F
    magnitude = np.where(segment == 0, 2 * step + 1, (2 * step + 33) << np.maximum(segment - 1, 0))
    return (8 * np.where(code & 0x80, magnitude, -magnitude)).astype(np.int16)


_A_LAW = _a_law_table()


def _a_law(data: bytes) -> Int16Array:
    return _A_LAW[np.frombuffer(data, dtype=np.uint8)]
