"""Speech to text by Moonshine tiny (English).

The current utterance of a call is transcribed from its beginning for each partial, and once more for the final. After a
question for a number or for letters, the final is held to them (`bargein.providers.embedded.held_answer`).
"""

import functools
from collections import deque
from dataclasses import dataclass, replace
from typing import Protocol

import anyio
import numpy as np
from typing_extensions import override

from bargein.audio import pcm
from bargein.ports import TRANSCRIBER_RATE_HZ, Pcm16, Transcriber, TranscriberStream, TranscriptCallback
from bargein.providers.embedded.decoding import Decoder
from bargein.providers.embedded.expected_answer import OPEN, ExpectedAnswer, expected_answer
from bargein.providers.embedded.held_answer import AnswerDecoder
from bargein.providers.embedded.moonshine_model import (
    NO_WORDS,
    Abandoned,
    MoonshineModel,
    Transcript,
    model_file,
    never,
)
from bargein.providers.embedded.plausibility import filter_transcript, is_plausible_answer, may_contain_words, measure

_PER_MS = TRANSCRIBER_RATE_HZ // 1000
_PRE_ROLL = 160 * _PER_MS
"""Audio from before the voice's onset: a word's first consonant comes before the detector's onset."""

_PADDING = np.zeros(200 * _PER_MS, dtype=np.int16)
"""Silence appended to the audio. The model expects an end: with it 80 % of the words in partials are as in the final
(without it 72 %), and the first correct word is available 240 ms after the onset (without it 480 ms)."""

_OVERLAP = 80 * _PER_MS
"""The end of an utterance that the pre-roll of the next may include, so short that no word is transcribed twice."""

_FIRST_PARTIAL = 240 * _PER_MS
_PARTIAL_EVERY = 240 * _PER_MS
_PARTIAL_PAUSE = 3
"""The next partial waits for at least three times the audio that arrived while the last one was decoded: a long
monologue takes no more than a third of the thread, and less when other calls need it."""

_KEPT_IN_SILENCE = 2_000 * _PER_MS
_LONGEST = 24_000 * _PER_MS
_CUT_WITHIN = 4_000 * _PER_MS
_CUT_FRAME = 40 * _PER_MS


class MoonshineTranscriber(Transcriber):
    """The embedded transcriber: English, 16 kHz; one for the process, shared by all calls."""

    def __init__(self) -> None:
        self.model = MoonshineModel()
        self._answers: AnswerDecoder | None = None
        self._decoder = Decoder(self.transcribe)

    @override
    def open(self, on_transcript: TranscriptCallback) -> "MoonshineStream":
        """Start the transcription of a call.

        Raises:
            ProviderError: the model is not installed.
        """
        model_file("encoder_model.ort")
        return MoonshineStream(self, on_transcript)

    async def decode(self, audio: Pcm16, *, partial: bool, expected: ExpectedAnswer = OPEN) -> Transcript:
        """Transcribe `audio` on the model's thread, where the assistant has asked for `expected`.

        Raises:
            ProviderError: the model is missing or broken.
        """
        transcribe = functools.partial(self.transcribe, expected=expected)
        return await self._decoder.decode(audio, partial=partial, transcribe=transcribe)

    async def warm_up(self) -> None:
        """Load the model, off the event loop; takes about half a second.

        Raises:
            ProviderError: the model is missing or broken.
        """
        await anyio.to_thread.run_sync(self.model.load)

    def close(self) -> None:
        """Stop the thread; calls that still wait for a transcript fail."""
        self._decoder.close()

    def transcribe(self, audio: Pcm16, abandoned: Abandoned = never, expected: ExpectedAnswer = OPEN) -> Transcript:
        """Return the transcript of `audio`, without words if they are not plausible; blocks.

        Args:
            audio: the audio.
            abandoned: called before each token; once it returns True, decoding ends.
            expected: what the assistant has asked for.
        """
        sound = measure(audio)
        if not may_contain_words(sound):
            return NO_WORDS
        samples = pcm.to_float(np.concatenate((audio, _PADDING)))
        if expected.kind == "open":
            transcript = self.model.transcribe(samples, abandoned)
        else:
            if self._answers is None:
                self._answers = AnswerDecoder(self.model.vocabulary)
            heard = self._answers.transcribe(self.model.listen(samples), expected, abandoned)
            if heard.answer is not None and is_plausible_answer(heard.answer.log_probability):
                return heard.answer
            transcript = heard.free
        text = filter_transcript(transcript.text, transcript.log_probability, sound)
        return replace(transcript, text=text)


@dataclass(slots=True)
class _Utterance:
    """The current utterance; positions count the samples of the call.

    Attributes:
        begin: position of its first sample, that of the pre-roll.
        next_partial: position from which on another partial is due.
        last_partial: the text of the last partial.
        paused: its audio up to the pause, while the caller pauses; None: the caller is speaking.
        whole: the transcript of `paused`; None: not decoded yet.
    """

    begin: int
    next_partial: int
    last_partial: str = ""
    paused: Pcm16 | None = None
    whole: Transcript | None = None


class Decodes(Protocol):
    """A decoder of audio, like `MoonshineTranscriber`."""

    async def decode(self, audio: Pcm16, *, partial: bool, expected: ExpectedAnswer) -> Transcript:
        """Return the transcript of `audio`, where the assistant has asked for `expected`."""
        ...


class MoonshineStream(TranscriberStream):
    """The transcription of one call.

    Args:
        decoder: decodes the audio.
        on_transcript: receives the transcripts.
        partials: whether there are partials while the caller speaks; pauses and finals are always transcribed.
    """

    def __init__(self, decoder: Decodes, on_transcript: TranscriptCallback, *, partials: bool = True) -> None:
        self._decoder = decoder
        self._partials = partials
        self._on_transcript = on_transcript
        self._expected = OPEN
        self._chunks: deque[Pcm16] = deque()
        self._first = 0
        self._earliest = 0
        self._fed = 0
        self._utterance: _Utterance | None = None
        self._finals: deque[Pcm16 | _Utterance] = deque()
        self._partial_scope: anyio.CancelScope | None = None
        self._wake = anyio.Event()

    @override
    def feed(self, customer: Pcm16, assistant: Pcm16) -> None:
        if customer.size == 0:
            return
        self._chunks.append(customer)
        self._fed += customer.size
        if self._utterance is None:
            self._drop_before(self._fed - _KEPT_IN_SILENCE)
            return
        while self._fed - self._utterance.begin >= _LONGEST:
            self._utterance = self._cut(self._utterance)
        self._wake_if_due()

    @override
    def expect(self, question: str) -> None:
        self._expected = expected_answer(question)

    @override
    def voice_started(self, lead_ms: int) -> None:
        if self._utterance is not None:
            return
        onset = max(self._earliest, self._fed - max(0, lead_ms) * _PER_MS)
        begin = max(self._earliest, self._first, onset - _PRE_ROLL)
        self._utterance = _Utterance(begin, onset + _FIRST_PARTIAL)
        self._wake_if_due()

    @override
    def voice_paused(self) -> None:
        utterance = self._utterance
        if utterance is None or utterance.paused is not None:
            return
        utterance.paused, utterance.whole = self._between(utterance.begin, self._fed), None
        self._cancel_partial()
        self._wake.set()

    @override
    def voice_resumed(self) -> None:
        utterance = self._utterance
        if utterance is not None and utterance.paused is not None:
            utterance.paused = None
            utterance.next_partial = self._fed + _PARTIAL_EVERY
            self._cancel_partial()

    @override
    def voice_stopped(self) -> None:
        utterance, self._utterance = self._utterance, None
        if utterance is not None and utterance.paused is not None:
            # Nothing was said after the pause: its words are the final, decoded already or being decoded.
            self._finals.append(utterance)
            self._wake.set()
        else:
            nothing = np.zeros(0, dtype=np.int16)
            self._finish(nothing if utterance is None else self._between(utterance.begin, self._fed))
        self._earliest = self._fed - _OVERLAP
        self._drop_before(self._fed - _KEPT_IN_SILENCE)

    @override
    async def run(self) -> None:
        while True:
            await self._wake.wait()
            self._wake = anyio.Event()
            while self._finals:
                await self._make_final(self._finals.popleft())
            utterance = self._utterance
            if utterance is None:
                continue
            if utterance.paused is not None:
                if utterance.whole is None:
                    await self._make_whole(utterance, utterance.paused)
            elif self._partial_is_due(utterance):
                await self._make_partial(utterance)
                self._wake_if_due()

    async def _make_final(self, of: Pcm16 | _Utterance) -> None:
        transcript = of.whole if isinstance(of, _Utterance) else None
        if transcript is None:
            audio = of.paused if isinstance(of, _Utterance) else of
            transcript = (
                NO_WORDS if audio is None else await self._decoder.decode(audio, partial=False, expected=self._expected)
            )
        self._on_transcript(transcript.text, True, transcript.confidence)  # noqa: FBT003 - the port's callback takes it by position

    async def _make_whole(self, utterance: _Utterance, audio: Pcm16) -> None:
        """Decode all words before a pause, with the priority of a final: mostly they become the final."""
        transcript = None
        with anyio.CancelScope() as self._partial_scope:
            transcript = await self._decoder.decode(audio, partial=False, expected=self._expected)
        self._partial_scope = None
        if transcript is None or utterance.paused is not audio:
            return
        utterance.whole = transcript
        if self._utterance is utterance and transcript.text:
            utterance.last_partial = transcript.text
            self._on_transcript(transcript.text, False, transcript.confidence, complete=True)  # noqa: FBT003

    async def _make_partial(self, utterance: _Utterance) -> None:
        begun = self._fed
        transcript = NO_WORDS
        with anyio.CancelScope() as self._partial_scope:
            transcript = await self._decoder.decode(self._between(utterance.begin, begun), partial=True, expected=OPEN)
        self._partial_scope = None
        utterance.next_partial = begun + max(_PARTIAL_EVERY, _PARTIAL_PAUSE * (self._fed - begun))
        if self._utterance is utterance and transcript.text not in ("", utterance.last_partial):
            utterance.last_partial = transcript.text
            self._on_transcript(transcript.text, False, transcript.confidence)  # noqa: FBT003

    def _partial_is_due(self, utterance: _Utterance) -> bool:
        return self._partials and self._fed >= utterance.next_partial

    def _wake_if_due(self) -> None:
        utterance = self._utterance
        due = utterance is not None and utterance.paused is None and self._partial_is_due(utterance)
        if self._finals or due or (utterance is not None and utterance.paused is not None and utterance.whole is None):
            self._wake.set()

    def _finish(self, audio: Pcm16) -> None:
        """Queue a final."""
        self._finals.append(audio)
        self._cancel_partial()
        self._wake.set()

    def _cancel_partial(self) -> None:
        """Cancel the partial that is being decoded."""
        if self._partial_scope is not None:
            self._partial_scope.cancel()

    def _cut(self, utterance: _Utterance) -> _Utterance:
        """End an utterance that is too long at its quietest point in the last seconds; return the rest as a new one."""
        end = utterance.begin + _LONGEST
        tail = self._between(end - _CUT_WITHIN, end)
        power = np.square(pcm.to_float(tail).reshape(-1, _CUT_FRAME)).mean(axis=1)
        cut = end - _CUT_WITHIN + int(power.argmin()) * _CUT_FRAME + _CUT_FRAME // 2
        self._finish(self._between(utterance.begin, cut))
        self._drop_before(cut)
        return _Utterance(cut, self._fed + _PARTIAL_EVERY)

    def _between(self, begin: int, end: int) -> Pcm16:
        """Return a copy of the samples from `begin` to `end`, as far as they are kept."""
        if not self._chunks:
            return np.zeros(0, dtype=np.int16)
        return np.concatenate(self._chunks)[begin - self._first : end - self._first]

    def _drop_before(self, position: int) -> None:
        """Drop whole chunks that end before `position`."""
        while self._chunks and self._first + self._chunks[0].size <= position:
            self._first += self._chunks.popleft().size
