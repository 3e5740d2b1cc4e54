"""MP3 that is decoded while it arrives, by libsndfile.

libsndfile reads whole files, so what has arrived is decoded again each time it has grown by a quarter: a decoder of an
MP3's beginning returns the same samples as one of the whole, but for the last two frames. That takes about five times
the work of decoding once, on a thread of its own.
"""

import io
import struct
from typing import NamedTuple

import anyio.to_thread
import numpy as np
import soundfile

from bargein.ports import Pcm16
from bargein.providers.http import StreamError

MOST_BYTES = 8 * 1024 * 1024
"""The longest MP3 that is decoded: a sentence has less than one megabyte."""

_LEAST_NEW_BYTES = 1024
_HELD_SAMPLES = 2 * 1152
"""Samples of the last two frames, which may change with the next ones."""

_BITRATES = (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320)
_LOW_BITRATES = (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)
_RATES_HZ = (44_100, 48_000, 32_000)
_DESCRIBING_BITRATE = 9
_ENDLESS_FRAMES = 1_000_000
_AT_ONCE = 65_536
_NO_SAMPLES: Pcm16 = np.zeros(0, np.int16)


class Mp3Decoder:
    """A decoder of one MP3 stream.

    Attributes:
        rate_hz: the sample rate; 0 until the first samples.
    """

    def __init__(self) -> None:
        self.rate_hz = 0
        self._data = bytearray()
        self._decoded_bytes = 0
        self._given = 0

    async def add(self, data: bytes) -> Pcm16:
        """Return the samples that are certain by now; often none.

        Raises:
            StreamError: it is not MP3, or too long.
        """
        self._data += data
        if len(self._data) > MOST_BYTES:
            raise StreamError("its audio is too long")
        if len(self._data) - self._decoded_bytes < max(_LEAST_NEW_BYTES, len(self._data) // 4):
            return _NO_SAMPLES
        return await self._decode(_HELD_SAMPLES)

    async def end(self) -> Pcm16:
        """Return the rest.

        Raises:
            StreamError: it is not MP3.
        """
        return await self._decode(0) if self._data else _NO_SAMPLES

    async def _decode(self, held: int) -> Pcm16:
        self._decoded_bytes = len(self._data)
        samples, self.rate_hz = await anyio.to_thread.run_sync(_decode, bytes(self._data))
        fresh = samples[self._given : max(self._given, samples.size - held)]
        self._given += fresh.size
        return fresh


def _decode(data: bytes) -> tuple[Pcm16, int]:
    data = data[_tag_bytes(data) :]
    if not data:
        return _NO_SAMPLES, 0
    header = _Header.of(data)
    if header is None:
        raise StreamError("its audio is not MP3")
    audio = data[header.size if header.describes(data) else 0 : _whole_frames(data)]
    pieces: list[Pcm16] = []
    try:
        with soundfile.SoundFile(io.BytesIO(header.endless() + audio)) as file:
            while (piece := file.read(_AT_ONCE, dtype="int16", always_2d=True)).size:
                pieces.append(np.ascontiguousarray(piece[:, 0], dtype=np.int16))
            rate_hz = int(file.samplerate)
    except soundfile.LibsndfileError:
        raise StreamError("its audio is not MP3") from None
    return (np.concatenate(pieces) if pieces else _NO_SAMPLES), rate_hz


def _tag_bytes(data: bytes) -> int:
    """Return the length of an ID3v2 tag at the beginning, whose size is written in four bytes of seven bits."""
    if data[:3] != b"ID3" or len(data) < 10:
        return 0
    return 10 + sum((byte & 0x7F) << shift for byte, shift in zip(data[6:10], (21, 14, 7, 0), strict=True))


def _whole_frames(data: bytes) -> int:
    """Return the end of the last whole frame; libmpg123 complains on stderr of one that is cut."""
    end = 0
    while (header := _Header.of(data[end : end + 4])) is not None and end + header.size <= len(data):
        end += header.size
    return end


class _Header(NamedTuple):
    """The header of an MPEG frame of layer III (ISO 11172-3 and 13818-3).

    Attributes:
        head: its four bytes.
        first: whether it is of MPEG-1, not of MPEG-2 or 2.5.
        rate_hz: the sample rate.
        size: the length of the frame, in bytes.
        mono: whether it has one channel.
    """

    head: bytes
    first: bool
    rate_hz: int
    size: int
    mono: bool

    @classmethod
    def of(cls, data: bytes) -> "_Header | None":
        """Read the header at the beginning of `data`; None: there is none."""
        if len(data) < 4 or data[0] != 0xFF or data[1] & 0xE6 != 0xE2:
            return None
        version, bitrate, rate = (data[1] >> 3) & 3, data[2] >> 4, (data[2] >> 2) & 3
        if version == 1 or bitrate in {0, 15} or rate == 3:
            return None
        first = version == 3
        rate_hz = _RATES_HZ[rate] // (1 if first else 2 if version == 2 else 4)
        size = _size(bitrate, rate_hz, first=first) + ((data[2] >> 1) & 1)
        return cls(data[:4], first, rate_hz, size, data[3] >> 6 == 3)

    @property
    def _tag_at(self) -> int:
        """The place of the tag of a frame that describes the stream: behind the side information."""
        return 4 + ((17 if self.mono else 32) if self.first else (9 if self.mono else 17))

    def describes(self, data: bytes) -> bool:
        """Return True if this frame describes the stream (Xing, Info): it is wrong for the beginning of one."""
        return data[self._tag_at : self._tag_at + 4] in {b"Xing", b"Info"}

    def endless(self) -> bytes:
        """Return a frame that describes an endless stream: libsndfile reads no more than it takes a file to have."""
        head = bytes([self.head[0], self.head[1] | 1, (_DESCRIBING_BITRATE << 4) | (self.head[2] & 0x0C), self.head[3]])
        frame = bytearray(_size(_DESCRIBING_BITRATE, self.rate_hz, first=self.first))
        frame[:4] = head
        frame[self._tag_at : self._tag_at + 12] = b"Xing" + struct.pack(">II", 1, _ENDLESS_FRAMES)
        return bytes(frame)


def _size(bitrate: int, rate_hz: int, *, first: bool) -> int:
    kbits = (_BITRATES if first else _LOW_BITRATES)[bitrate]
    return (144 if first else 72) * kbits * 1000 // rate_hz
