"""The audio and the word timings of voices: samples that arrive in odd pieces, base64, and words found in the text."""

import base64
import binascii
from collections.abc import AsyncGenerator, AsyncIterable, Iterable, Sequence
from typing import NamedTuple

import numpy as np
import structlog

from bargein.audio.pcm import from_bytes
from bargein.audio.wav import HEADER_BYTES
from bargein.ports import Pcm16, SpeechChunk, SpokenWord
from bargein.providers.http import StreamError
from bargein.wire.json import as_list

_log = structlog.get_logger(__name__)

NO_SAMPLES: Pcm16 = np.zeros(0, np.int16)
"""Samples of a chunk that has timings alone."""

LATEST_TIME = 1e9
"""The largest time of a word that is read, in a vendor's unit; a larger one is none, and may not fit a float."""

_FARTHEST_WORD_CHARS = 40
_LONGEST_WORD_CHARS = 5000
_AGAIN_MS = 150.0


class WordTiming(NamedTuple):
    """The timing of a word as a voice reports it, in milliseconds from the first sample of the speech."""

    word: str
    start_ms: float
    end_ms: float


class WordBuilder:
    """A builder of words from the timings of characters, which white space separates.

    Words may go on in the next batch.
    """

    def __init__(self) -> None:
        self._word: WordTiming | None = None

    def add(self, letters: Iterable[WordTiming]) -> list[WordTiming]:
        """Return the words that these characters complete."""
        words: list[WordTiming] = []
        for letter, start_ms, end_ms in letters:
            if letter.isspace():
                words.extend(self.end())
            elif self._word is None or len(self._word.word) >= _LONGEST_WORD_CHARS:
                words.extend(self.end())
                self._word = WordTiming(letter, start_ms, end_ms)
            else:
                self._word = WordTiming(self._word.word + letter, self._word.start_ms, end_ms)
        return words

    def end(self) -> list[WordTiming]:
        """Return the last word, if there is one: the speech is complete."""
        last, self._word = self._word, None
        return [] if last is None else [last]


class Rebase:
    """A correction of timings that some vendors count anew in each message.

    They count anew if the first word of a message begins at the very start, long after other words have ended.
    """

    def __init__(self) -> None:
        self._base_ms = 0.0
        self._end_ms = 0.0

    def apply(self, timings: Sequence[WordTiming]) -> list[WordTiming]:
        """Return the timings from the beginning of the speech."""
        if timings and self._base_ms + timings[0].start_ms + _AGAIN_MS < self._end_ms:
            self._base_ms = self._end_ms
        rebased = [
            WordTiming(word, self._base_ms + start_ms, self._base_ms + end_ms) for word, start_ms, end_ms in timings
        ]
        self._end_ms = max([self._end_ms, *(timing.end_ms for timing in rebased)])
        return rebased


class Samples:
    """A converter of 16-bit little-endian bytes to samples that joins samples which were split between two chunks."""

    def __init__(self) -> None:
        self._half = b""

    def add(self, data: bytes) -> Pcm16:
        """Return the samples that `data` completes."""
        whole = self._half + data if self._half else data
        even = len(whole) & ~1
        self._half = whole[even:]
        return from_bytes(memoryview(whole)[:even]) if even else NO_SAMPLES

    def end(self) -> None:
        """End the audio; half a sample at its end is dropped."""
        if self._half:
            _log.warning("a voice's audio ended with half a sample")


class Aligner:
    """A finder of the words of timings in the text that is spoken."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._folded = text.lower() if len(text.lower()) == len(text) else text
        self._at = 0

    def align(self, timings: Iterable[WordTiming]) -> tuple[SpokenWord, ...]:
        """Return the words with their offsets in the text; a timing without a word is left out."""
        return tuple(
            SpokenWord(
                char_end=self._advance(timing.word),
                start_ms=round(timing.start_ms),
                end_ms=round(max(timing.start_ms, timing.end_ms)),
            )
            for timing in timings
            if timing.word.strip()
        )

    def _advance(self, word: str) -> int:
        """Return the offset after `word` and its punctuation; a word that is not in the text counts as the next one."""
        wanted = word.strip().lower()
        found = self._folded.find(wanted, self._at)
        begin = self._at
        while begin < len(self._text) and self._text[begin].isspace():
            begin += 1
        # A match far ahead is another word with the same letters: the voice reads "2" as "two" and goes on.
        end = found + len(wanted) if 0 <= found <= begin + _FARTHEST_WORD_CHARS else begin
        while end < len(self._text) and not self._text[end].isspace():
            end += 1
        self._at = end
        return end


def audio_of_base64(value: object) -> bytes:
    """Return the bytes of a base64 field of a frame; no bytes for None.

    Raises:
        StreamError: it is not base64.
    """
    if value is None:
        return b""
    if not isinstance(value, str):
        raise StreamError("a frame's audio is not base64")
    try:
        return base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        raise StreamError("a frame's audio is not base64") from None


def without_wav_header(data: bytes) -> bytes:
    """Return audio without the 44 bytes of a canonical WAV header, if it begins with one."""
    return data[HEADER_BYTES:] if data[:4] == b"RIFF" and data[8:12] == b"WAVE" else data


def timings_of_lists(words: object, starts: object, ends: object, *, per_ms: float = 1.0) -> tuple[WordTiming, ...]:
    """Return the timings that a vendor sends as three lists; none if they cannot be read.

    Args:
        words: the words.
        starts: when each begins.
        ends: when each ends.
        per_ms: one millisecond in their unit: 0.001 for seconds.
    """
    said = as_list(words)
    begins, finishes = _numbers(starts), _numbers(ends)
    if not len(said) == len(begins) == len(finishes):
        return ()
    return tuple(
        WordTiming(word, begin / per_ms, end / per_ms)
        for word, begin, end in zip(said, begins, finishes, strict=True)
        if isinstance(word, str)
    )


def _numbers(value: object) -> list[float]:
    return [
        float(one)
        for one in as_list(value)
        if isinstance(one, int | float) and not isinstance(one, bool) and 0 <= one <= LATEST_TIME
    ]


async def raw_chunks(chunks: AsyncIterable[bytes], rate_hz: int) -> AsyncGenerator[SpeechChunk]:
    """Convert bytes of 16-bit little-endian mono audio into speech as they arrive, in chunks of any size.

    A last half sample is dropped.
    """
    samples = Samples()
    async for chunk in chunks:
        pcm = samples.add(chunk)
        if pcm.size:
            yield SpeechChunk(pcm, rate_hz)
    samples.end()


def nearest_rate(rate_hz: int, offered: Iterable[int]) -> int:
    """Return the rate to ask a vendor for: the call's own, else the next higher one, else its highest.

    Args:
        rate_hz: the rate of the call's audio.
        offered: the rates that the vendor offers.
    """
    rates = sorted(offered)
    return next((rate for rate in rates if rate >= rate_hz), rates[-1])
