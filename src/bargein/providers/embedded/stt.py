"""Speech to text by Moonshine tiny.

A call's running utterance is transcribed anew again and again for partials, then once more, whole, for the final.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import anyio
import numpy as np

from bargein.audio import pcm
from bargein.ports import TRANSCRIBER_RATE_HZ, Pcm16, TranscriptCallback
from bargein.providers.embedded.decoding import Decoder
from bargein.providers.embedded.moonshine_model import MoonshineModel, model_file
from bargein.providers.embedded.plausibility import believe, measure, worth_hearing

_PER_MS = TRANSCRIBER_RATE_HZ // 1000
_PRE_ROLL = 160 * _PER_MS
"""Taken from before the voice's onset: a word's first consonant comes before what a detector calls voice."""

_PADDING = np.zeros(200 * _PER_MS, dtype=np.int16)
"""Silence put behind the audio. The model wants an end: of the words in partials 80 % (without it 72 %) are as in the
final, and the first right one is there 240 ms (without it 480) after the onset."""

_SHARED = 80 * _PER_MS
"""So much of an utterance's end may be the pre-roll of the next: no word is heard twice."""

_FIRST_PARTIAL = 240 * _PER_MS
_PARTIAL_EVERY = 240 * _PER_MS
_REST = 3
"""Between partials comes at least three times the audio that came while the last one was made: a long monologue takes
no more than a third of the thread, and less when other calls want it."""

_KEPT_IN_SILENCE = 2_000 * _PER_MS
_LONGEST = 24_000 * _PER_MS
_CUT_WITHIN = 4_000 * _PER_MS
_CUT_FRAME = 40 * _PER_MS


class MoonshineTranscriber:
    """The embedded transcriber (see `bargein.ports.Transcriber`): English, 16 kHz."""

    def __init__(self) -> None:
        self.model = MoonshineModel()
        self._decoder = Decoder(self.transcribe)

    def open(self, hear: TranscriptCallback) -> "MoonshineStream":
        """See `bargein.ports.Transcriber.open`.

        Raises:
            ProviderError: the model is not installed.
        """
        model_file("encoder_model.ort")
        return MoonshineStream(self._decoder, hear)

    async def warm_up(self) -> None:
        """Load the model, off the event loop; takes about half a second.

        Raises:
            ProviderError: the model is missing or broken.
        """
        await anyio.to_thread.run_sync(self.model.load)

    def close(self) -> None:
        """Stop the thread; calls that still wait for words fail."""
        self._decoder.close()

    def transcribe(self, audio: Pcm16, abandoned: Callable[[], bool]) -> str:
        """On a thread: the words of a stretch of audio, none if they cannot be believed."""
        sound = measure(audio)
        if not worth_hearing(sound):
            return ""
        transcript = self.model.transcribe(pcm.to_float(np.concatenate((audio, _PADDING))), abandoned)
        return believe(transcript.text, transcript.log_probability, sound)


@dataclass(slots=True)
class _Utterance:
    """The running utterance; positions count the samples of the call.

    Attributes:
        begin: its first sample, the pre-roll's.
        next_partial: once so much was fed, another partial is due.
        told: the last partial.
        paused: its audio, while the caller pauses: all of it, if nothing more is said; None: it goes on.
        whole: the words of that; None: they have not been made out yet.
    """

    begin: int
    next_partial: int
    told: str = ""
    paused: Pcm16 | None = None
    whole: str | None = None


class Decodes(Protocol):
    """Who gives the words of a stretch of audio when asked: `bargein.providers.embedded.decoding.Decoder`."""

    async def decode(self, audio: Pcm16, *, partial: bool) -> str:
        """See `Decoder.decode`."""
        ...


class MoonshineStream:
    """One call's transcription (see `bargein.ports.TranscriberStream`)."""

    def __init__(self, decoder: Decodes, hear: TranscriptCallback) -> None:
        self._decoder = decoder
        self._hear = hear
        self._chunks: deque[Pcm16] = deque()
        self._first = 0
        self._earliest = 0
        self._fed = 0
        self._utterance: _Utterance | None = None
        self._finals: deque[Pcm16 | _Utterance] = deque()
        self._partial_scope: anyio.CancelScope | None = None
        self._wake = anyio.Event()

    def feed(self, customer: Pcm16, assistant: Pcm16) -> None:
        """See `bargein.ports.TranscriberStream.feed`; the assistant's side is not needed."""
        if customer.size == 0:
            return
        self._chunks.append(customer)
        self._fed += customer.size
        if self._utterance is None:
            self._forget_before(self._fed - _KEPT_IN_SILENCE)
            return
        while self._fed - self._utterance.begin >= _LONGEST:
            self._utterance = self._cut(self._utterance)
        self._wake_if_due()

    def voice_started(self, lead_ms: int) -> None:
        """See `bargein.ports.TranscriberStream.voice_started`."""
        if self._utterance is not None:
            return
        onset = max(self._earliest, self._fed - max(0, lead_ms) * _PER_MS)
        begin = max(self._earliest, self._first, onset - _PRE_ROLL)
        self._utterance = _Utterance(begin, onset + _FIRST_PARTIAL)
        self._wake_if_due()

    def voice_paused(self) -> None:
        """See `bargein.ports.TranscriberStream.voice_paused`."""
        utterance = self._utterance
        if utterance is None or utterance.paused is not None:
            return
        utterance.paused, utterance.whole = self._between(utterance.begin, self._fed), None
        self._give_up()
        self._wake.set()

    def voice_resumed(self) -> None:
        """See `bargein.ports.TranscriberStream.voice_resumed`."""
        utterance = self._utterance
        if utterance is not None and utterance.paused is not None:
            utterance.paused = None
            utterance.next_partial = self._fed + _PARTIAL_EVERY
            self._give_up()

    def voice_stopped(self) -> None:
        """See `bargein.ports.TranscriberStream.voice_stopped`."""
        utterance, self._utterance = self._utterance, None
        if utterance is not None and utterance.paused is not None:
            # The words up to the pause are all there are: they are made out already, or are being.
            self._finals.append(utterance)
            self._wake.set()
        else:
            nothing = np.zeros(0, dtype=np.int16)
            self._finish(nothing if utterance is None else self._between(utterance.begin, self._fed))
        self._earliest = self._fed - _SHARED
        self._forget_before(self._fed - _KEPT_IN_SILENCE)

    async def run(self) -> None:
        """See `bargein.ports.TranscriberStream.run`."""
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
            elif self._fed >= utterance.next_partial:
                await self._make_partial(utterance)
                self._wake_if_due()

    async def _make_final(self, of: Pcm16 | _Utterance) -> None:
        text = of.whole if isinstance(of, _Utterance) else None
        if text is None:
            audio = of.paused if isinstance(of, _Utterance) else of
            text = "" if audio is None else await self._decoder.decode(audio, partial=False)
        self._hear(text, True)  # noqa: FBT003 - the port's callback takes its arguments by position

    async def _make_whole(self, utterance: _Utterance, audio: Pcm16) -> None:
        """Make out all the words before a pause. They are urgent: mostly they are the final's."""
        text = None
        with anyio.CancelScope() as self._partial_scope:
            text = await self._decoder.decode(audio, partial=False)
        self._partial_scope = None
        if text is None or utterance.paused is not audio:
            return
        utterance.whole = text
        if self._utterance is utterance and text:
            utterance.told = text
            self._hear(text, False, whole=True)  # noqa: FBT003

    async def _make_partial(self, utterance: _Utterance) -> None:
        begun = self._fed
        text = ""
        with anyio.CancelScope() as self._partial_scope:
            text = await self._decoder.decode(self._between(utterance.begin, begun), partial=True)
        self._partial_scope = None
        utterance.next_partial = begun + max(_PARTIAL_EVERY, _REST * (self._fed - begun))
        if self._utterance is utterance and text and text != utterance.told:
            utterance.told = text
            self._hear(text, False)  # noqa: FBT003 - the port's callback takes its arguments by position

    def _wake_if_due(self) -> None:
        utterance = self._utterance
        due = utterance is not None and utterance.paused is None and self._fed >= utterance.next_partial
        if self._finals or due or (utterance is not None and utterance.paused is not None and utterance.whole is None):
            self._wake.set()

    def _finish(self, audio: Pcm16) -> None:
        """Ask for a final."""
        self._finals.append(audio)
        self._give_up()
        self._wake.set()

    def _give_up(self) -> None:
        """The partial that is under way is no longer wanted."""
        if self._partial_scope is not None:
            self._partial_scope.cancel()

    def _cut(self, utterance: _Utterance) -> _Utterance:
        """End an utterance that grew too long where it is quietest in its last seconds, and go on with the rest."""
        end = utterance.begin + _LONGEST
        tail = self._between(end - _CUT_WITHIN, end)
        power = np.square(pcm.to_float(tail).reshape(-1, _CUT_FRAME)).mean(axis=1)
        cut = end - _CUT_WITHIN + int(power.argmin()) * _CUT_FRAME + _CUT_FRAME // 2
        self._finish(self._between(utterance.begin, cut))
        self._forget_before(cut)
        return _Utterance(cut, self._fed + _PARTIAL_EVERY)

    def _between(self, begin: int, end: int) -> Pcm16:
        """A copy of the samples from `begin` to `end`, of those that are kept."""
        if not self._chunks:
            return np.zeros(0, dtype=np.int16)
        return np.concatenate(self._chunks)[begin - self._first : end - self._first]

    def _forget_before(self, position: int) -> None:
        """Let go of whole chunks that end before `position`."""
        while self._chunks and self._first + self._chunks[0].size <= position:
            self._first += self._chunks.popleft().size
