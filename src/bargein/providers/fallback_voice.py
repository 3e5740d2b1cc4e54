"""A voice with a fallback plan (Vapi's `voice.fallbackPlan`)."""

from collections import deque
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import replace
from typing import Any, cast

import anyio
import numpy as np
import structlog
from typing_extensions import override

from bargein.audio.resample import StreamResampler
from bargein.ports import ProviderError, SpeechChunk, SpokenWord, Voice
from bargein.providers.fallback import Candidate, Succession, Tell
from bargein.turns.phrases import word_spans

_log = structlog.get_logger("bargein.providers")

_MS_PER_CHAR = 66.0
"""The time of a character of English speech, for a voice without word times that failed in the middle of a text."""


class FallbackVoice(Voice):
    """A voice that is replaced when it fails, in the middle of a text too.

    A voice that fails before its first audio of a text is replaced for that text and all later ones. After some audio
    the next voice goes on behind the last word that was spoken to its end; where a voice gives no word times, that word
    is estimated.

    Args:
        candidates: the voice and its fallbacks, in order.
        call_id: the call's id, for the log.
        tell: tells who watches the call of each replacement.

    Raises:
        ProviderError: none of them can be made.
    """

    def __init__(
        self, candidates: Sequence[Candidate[Voice]], *, call_id: str | None = None, tell: Tell | None = None
    ) -> None:
        self._succession = Succession("voice", candidates, call_id=call_id, tell=tell)
        # a text may be spoken by any of them, in part
        self.marks = frozenset.intersection(*(voice.marks for voice in self._succession.parts))
        self._call_id = call_id
        self._replaced = anyio.Event()

    @override
    async def speak(self, text: str) -> AsyncGenerator[SpeechChunk, None]:
        progress = _Progress(text)
        while True:
            voice = self._succession.part
            try:
                # the port says AsyncIterator; what can be closed is closed at once
                async with aclosing(cast("Any", voice.speak(progress.rest))) as chunks:
                    async for chunk in chunks:
                        yield progress.add(chunk)
            except Exception as error:  # noqa: BLE001  # a bug in one voice is no reason to do without the next one
                self._succession.replace(voice, self._succession.failure(error))
                self._replaced.set()
                self._replaced = anyio.Event()
                for chunk in progress.cut():
                    yield chunk
                if not progress.rest:
                    return
                continue
            for chunk in progress.end():
                yield chunk
            return

    @override
    async def run(self) -> None:
        """Keep the connections of the voice in use ready."""
        while True:
            replaced = self._replaced
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self._keep, self._succession.part)
                await replaced.wait()
                tasks.cancel_scope.cancel()

    async def _keep(self, voice: Voice) -> None:
        """Keep the connections of one voice ready; where that fails, `speak` opens one, and fails then."""
        try:
            await voice.run()
        except ProviderError as error:
            _log.warning("a connection is not kept ready", part="voice", call_id=self._call_id, error=str(error))


class _Progress:
    """The progress of a text that is spoken, by one voice after the other, in audio of one rate.

    Args:
        text: the text.

    Attributes:
        rest: what the voice in use is given to speak.
    """

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._rate_hz: int | None = None
        self._resampler: StreamResampler | None = None
        self._samples = 0
        self._begin_ms = 0
        self._waiting: deque[SpokenWord] = deque()
        self._spoken_to = 0
        self._timed = False

    @property
    def rest(self) -> str:
        return self._text[self._at :]

    @property
    def _audio_ms(self) -> int:
        return 0 if self._rate_hz is None else self._samples * 1000 // self._rate_hz

    def add(self, chunk: SpeechChunk) -> SpeechChunk:
        """Return a chunk of the voice in use as one of the whole text.

        A word is passed on once its audio is: of a voice that fails, words that have no audio were not spoken.
        """
        if self._rate_hz is None:
            self._rate_hz = chunk.rate_hz
        pcm = chunk.pcm
        if self._resampler is None and chunk.rate_hz != self._rate_hz:
            self._resampler = StreamResampler(chunk.rate_hz, self._rate_hz)
        if self._resampler is not None:
            pcm = self._resampler.push(pcm)
        self._samples += pcm.size
        for word in chunk.words:
            self._timed = True
            end_ms, start_ms = word.end_ms + self._begin_ms, word.start_ms + self._begin_ms
            self._waiting.append(SpokenWord(word.char_end + self._at, start_ms, end_ms))
        return SpeechChunk(pcm, self._rate_hz, self._sounded())

    def _sounded(self) -> tuple[SpokenWord, ...]:
        found: list[SpokenWord] = []
        while self._waiting and self._waiting[0].end_ms <= self._audio_ms:
            found.append(self._waiting.popleft())
            self._spoken_to = max(self._spoken_to, found[-1].char_end)
        return tuple(found)

    def end(self) -> list[SpeechChunk]:
        """Return the last chunk of the text, if something is left: what a resampler holds, and words at the end."""
        chunks = self._flushed()
        if self._waiting and self._rate_hz is not None:
            last = chunks[0] if chunks else SpeechChunk(np.zeros(0, dtype=np.int16), self._rate_hz)
            chunks = [replace(last, words=(*last.words, *self._waiting))]
            self._waiting.clear()
        return chunks

    def cut(self) -> list[SpeechChunk]:
        """Return what is left of the audio of a voice that failed; the next one is given what it has not spoken."""
        chunks = self._flushed()
        self._waiting.clear()
        if self._audio_ms > self._begin_ms:
            at = self._spoken_to if self._timed else self._estimate()
            self._at = len(self._text) - len(self._text[at:].lstrip())
        self._spoken_to = self._at
        self._begin_ms = self._audio_ms
        self._timed = False
        return chunks

    def _flushed(self) -> list[SpeechChunk]:
        if self._resampler is None or self._rate_hz is None:
            return []
        rest = self._resampler.flush()
        self._resampler = None
        self._samples += rest.size
        return [SpeechChunk(rest, self._rate_hz, self._sounded())] if rest.size else []

    def _estimate(self) -> int:
        """Return the end of the last word that was surely spoken by a voice without word times."""
        chars = (self._audio_ms - self._begin_ms) / _MS_PER_CHAR
        ends = [end for _, end in word_spans(self.rest) if end <= chars]
        return self._at + (ends[-1] if ends else 0)
