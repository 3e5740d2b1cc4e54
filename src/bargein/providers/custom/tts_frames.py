"""The answers of a custom voice: raw samples, or JSON frames with audio and word timings.

Vapi documents raw samples only; the frames are bargein's own, with the names that Vapi has for such timings elsewhere
(`AssistantSpeechWordAlignmentTiming`, `AssistantSpeechWordTimestamp`).
"""

import base64
import binascii
import math
from collections.abc import AsyncIterable, AsyncIterator, Sequence
from typing import cast

import anyio.lowlevel
import numpy as np
import structlog

from bargein.audio.pcm import from_bytes
from bargein.ports import SpeechChunk, SpokenWord
from bargein.providers.http import StreamError, as_object, json_object

_log = structlog.get_logger(__name__)

_NO_SAMPLES = np.zeros(0, np.int16)


async def raw_chunks(chunks: AsyncIterable[bytes], rate_hz: int) -> AsyncIterator[SpeechChunk]:
    """Convert bytes of 16-bit little-endian mono audio into speech as they arrive, in chunks of any size.

    A last half sample is dropped.
    """
    samples = _Samples()
    async for chunk in chunks:
        pcm = samples.add(chunk)
        if pcm.size:
            yield SpeechChunk(pcm, rate_hz)
    samples.end()


async def json_chunks(frames: AsyncIterable[bytes], text: str, rate_hz: int) -> AsyncIterator[SpeechChunk]:
    """Convert JSON frames into speech with word timings; `CustomVoice` describes a frame.

    Raises:
        StreamError: a frame is not a JSON object, reports an error, or contains audio that cannot be played.
    """
    samples = _Samples()
    aligner = _Aligner(text)
    async for data in frames:
        await anyio.lowlevel.checkpoint()  # many frames may arrive at once: other calls go on between them
        if not data.strip():
            continue
        if data.strip() == b"[DONE]":
            break
        frame = json_object(data)
        if frame.get("error") or frame.get("type") == "error":
            raise StreamError("a frame reports an error")
        if frame.get("sampleRate", rate_hz) != rate_hz:
            raise StreamError("a frame has another sample rate than the one asked for")
        pcm = samples.add(_audio(frame.get("audio")))
        words = aligner.align(frame)
        if pcm.size or words:
            yield SpeechChunk(pcm, rate_hz, words)
    samples.end()


def _audio(value: object) -> bytes:
    if value is None:
        return b""
    if not isinstance(value, str):
        raise StreamError("a frame's audio is not base64")
    try:
        return base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        raise StreamError("a frame's audio is not base64") from None


class _Samples:
    """Joins samples that were split between two chunks."""

    def __init__(self) -> None:
        self._half = b""

    def add(self, data: bytes) -> np.ndarray[tuple[int], np.dtype[np.int16]]:
        whole = self._half + data if self._half else data
        even = len(whole) & ~1
        self._half = whole[even:]
        return from_bytes(memoryview(whole)[:even]) if even else _NO_SAMPLES

    def end(self) -> None:
        if self._half:
            _log.warning("a custom voice's audio ended with half a sample")


class _Aligner:
    """Finds the words of timings in the text."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._folded = text.lower() if len(text.lower()) == len(text) else text
        self._at = 0
        self._warned = False

    def align(self, frame: dict[str, object]) -> tuple[SpokenWord, ...]:
        try:
            timings = _timings(frame)
        except StreamError:
            if not self._warned:  # the audio is played without its timings
                self._warned = True
                _log.warning("a custom voice sent word timings that cannot be read")
            return ()
        return tuple(
            SpokenWord(char_end=self._advance(word), start_ms=round(start), end_ms=round(max(start, end)))
            for word, start, end in timings
            if word.strip()
        )

    def _advance(self, word: str) -> int:
        """Return the offset after `word` and its punctuation; a word that is not in the text counts as the next one."""
        wanted = word.strip().lower()
        found = self._folded.find(wanted, self._at)
        begin = self._at
        while begin < len(self._text) and self._text[begin].isspace():
            begin += 1
        # A match far ahead is another word with the same letters: the voice reads "2" as "two" and goes on.
        end = found + len(wanted) if 0 <= found <= begin + 40 else begin
        while end < len(self._text) and not self._text[end].isspace():
            end += 1
        self._at = end
        return end


def _timings(frame: dict[str, object]) -> list[tuple[str, float, float]]:
    holder = as_object(frame.get("timing", frame))
    words = _list(holder.get("words", []))
    if "wordsStartTimesMs" in holder or "wordsEndTimesMs" in holder:
        starts, ends = _list(holder.get("wordsStartTimesMs")), _list(holder.get("wordsEndTimesMs"))
        if not len(words) == len(starts) == len(ends):
            raise StreamError("word timings of unequal length")
        return [(_word(w), _ms(s), _ms(e)) for w, s, e in zip(words, starts, ends, strict=True)]
    objects = [as_object(word) for word in words]
    return [(_word(o.get("word")), _ms(o.get("startMs")), _ms(o.get("endMs"))) for o in objects]


def _list(value: object) -> Sequence[object]:
    if not isinstance(value, list):
        raise StreamError("word timings are not a list")
    return cast("list[object]", value)


def _word(value: object) -> str:
    if not isinstance(value, str):
        raise StreamError("a word is not text")
    return value


def _ms(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value) or value < 0:
        raise StreamError("a word's time is not a number of milliseconds")
    return float(value)
