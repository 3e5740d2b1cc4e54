"""The JSON frames of a custom voice: audio and word timings.

Vapi documents raw samples only; these frames are bargein's own, with the names that Vapi has for such timings elsewhere
(`AssistantSpeechWordAlignmentTiming`, `AssistantSpeechWordTimestamp`).
"""

import math
from collections.abc import AsyncGenerator, AsyncIterable, Sequence
from typing import cast

import anyio.lowlevel
import structlog

from bargein.ports import SpeechChunk, SpokenWord
from bargein.providers.http import StreamError, json_object, required_object
from bargein.providers.voice_audio import Aligner, Samples, WordTiming, audio_of_base64

_log = structlog.get_logger(__name__)


async def json_chunks(frames: AsyncIterable[bytes], text: str, rate_hz: int) -> AsyncGenerator[SpeechChunk]:
    """Convert JSON frames into speech with word timings; `CustomVoice` describes a frame.

    Raises:
        StreamError: a frame is not a JSON object, reports an error, or contains audio that cannot be played.
    """
    samples = Samples()
    aligner = _FrameAligner(text)
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
        pcm = samples.add(audio_of_base64(frame.get("audio")))
        words = aligner.align(frame)
        if pcm.size or words:
            yield SpeechChunk(pcm, rate_hz, words)
    samples.end()


class _FrameAligner:
    """A reader of the timings of frames; those that cannot be read are left out."""

    def __init__(self, text: str) -> None:
        self._aligner = Aligner(text)
        self._warned = False

    def align(self, frame: dict[str, object]) -> tuple[SpokenWord, ...]:
        try:
            return self._aligner.align(_timings(frame))
        except StreamError:
            if not self._warned:  # the audio is played without its timings
                self._warned = True
                _log.warning("a custom voice sent word timings that cannot be read")
            return ()


def _timings(frame: dict[str, object]) -> list[WordTiming]:
    holder = required_object(frame.get("timing", frame))
    words = _list(holder.get("words", []))
    if "wordsStartTimesMs" in holder or "wordsEndTimesMs" in holder:
        starts, ends = _list(holder.get("wordsStartTimesMs")), _list(holder.get("wordsEndTimesMs"))
        if not len(words) == len(starts) == len(ends):
            raise StreamError("word timings of unequal length")
        return [WordTiming(_word(w), _ms(s), _ms(e)) for w, s, e in zip(words, starts, ends, strict=True)]
    objects = [required_object(word) for word in words]
    return [WordTiming(_word(o.get("word")), _ms(o.get("startMs")), _ms(o.get("endMs"))) for o in objects]


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
