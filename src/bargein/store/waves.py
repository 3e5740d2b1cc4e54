"""Parts of a stereo recording, made on request: one side, both sides mixed, a byte range, or mp3."""

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import numpy as np
import soundfile

from bargein.audio.pcm import Int16Array, from_bytes, to_bytes, to_float
from bargein.audio.wav import HEADER_BYTES, wav_header
from bargein.ports import TRANSCRIBER_RATE_HZ
from bargein.store.private import private

Part = Literal["mono", "stereo", "customer", "assistant"]
"""Both sides mixed into one channel, both in two channels, or one side."""

_FRAME_BYTES = 4
_CHUNK_FRAMES = 32_768


class Wave:
    """A part of a recording as a WAV file that exists only while it is read.

    Its length is that of the recording at this moment, even if a live call adds to it.

    Raises:
        FileNotFoundError: there is no recording.
    """

    def __init__(self, path: Path, part: Part) -> None:
        self._path = path
        self._part: Part = part
        size = path.stat().st_size
        if size < HEADER_BYTES:
            raise FileNotFoundError(path.name)
        self._frames = (size - HEADER_BYTES) // _FRAME_BYTES
        self.channels = 2 if part == "stereo" else 1
        self._header = wav_header(TRANSCRIBER_RATE_HZ, self._frames * 2 * self.channels, self.channels)

    @property
    def size(self) -> int:
        """The size of the file in bytes."""
        return HEADER_BYTES + self._frames * 2 * self.channels

    def read(self, start: int, end: int) -> Iterator[bytes]:
        """Yield the bytes from `start` up to `end`, in pieces."""
        if start < HEADER_BYTES:
            yield self._header[start:end]
        block = 2 * self.channels
        first, last = max(0, start - HEADER_BYTES), end - HEADER_BYTES
        frame = first // block
        for samples in self._samples(frame, -(-last // block)):
            data = to_bytes(samples)
            offset = frame * block
            frame += len(samples)
            yield data[max(0, first - offset) : last - offset]

    def samples(self) -> Iterator[Int16Array]:
        """Yield the samples, in pieces of shape (samples, 2) for stereo, (samples,) otherwise."""
        yield from self._samples(0, self._frames)

    def _samples(self, frame: int, end: int) -> Iterator[Int16Array]:
        with self._path.open("rb") as file:
            file.seek(HEADER_BYTES + frame * _FRAME_BYTES)
            while frame < end:
                data = file.read(min(_CHUNK_FRAMES, end - frame) * _FRAME_BYTES)
                if not data:
                    return  # it was deleted meanwhile
                frame += len(data) // _FRAME_BYTES
                yield _of(from_bytes(data).reshape(-1, 2), self._part)


def _of(stereo: Int16Array, part: Part) -> Int16Array:
    match part:
        case "stereo":
            return stereo
        case "customer":
            return stereo[:, 0]
        case "assistant":
            return stereo[:, 1]
        case "mono":
            # Each side keeps its level: when both speak, samples may clip, but neither side is ever halved.
            return np.clip(stereo.sum(axis=1, dtype=np.int32), -32768, 32767).astype(np.int16)


def write_mp3(wave: Wave, path: Path) -> None:
    """Write a part of a recording as an mp3 file (by libsndfile). A second of stereo costs about 20 ms.

    Raises:
        OSError: it cannot be written.
    """
    temporary = path.with_suffix(".draft")
    try:
        with (
            open(temporary, "wb", opener=private) as file,  # Path.open takes no opener
            soundfile.SoundFile(
                file, "w", TRANSCRIBER_RATE_HZ, wave.channels, format="MP3", subtype="MPEG_LAYER_III"
            ) as mp3,
        ):
            for samples in wave.samples():
                mp3.write(to_float(samples))  # given 16-bit stereo, libsndfile 1.2.2 writes noise
        temporary.replace(path)
    except soundfile.SoundFileError as error:
        raise OSError(str(error)) from error
    finally:
        temporary.unlink(missing_ok=True)
