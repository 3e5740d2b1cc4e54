"""A transcriber with a fallback plan (Vapi's `transcriber.fallbackPlan`)."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import anyio
from typing_extensions import override

from bargein.ports import TRANSCRIBER_RATE_HZ, Pcm16, ProviderError, Transcriber, TranscriberStream, TranscriptCallback
from bargein.providers.fallback import Candidate, Succession, Tell

_PER_MS = TRANSCRIBER_RATE_HZ // 1000
KEPT_MS = 15_000
"""Most audio that is played again to the next transcriber: what has been said since the last final transcript."""

_QUIET_KEPT_MS = 1500
"""The same while no words are owed: a voice may have begun that the detector has not noticed yet."""

_LONGEST_WAIT_MS = 5000
"""So long after an utterance its final is not expected any more: some transcribers send none for a noise."""

_MARGIN_MS = 500
"""How much audio before a final in the middle of an utterance is kept: its words came some time after their audio."""

_AT_ONCE_MS = 4000
_STEP_MS, _STEP_S = 1000, 0.25
"""A transcriber's queue is limited, and drops the oldest audio: the rest is played at four times real time."""

_MarkName = Literal["started", "paused", "resumed", "stopped"]


@dataclass(frozen=True, slots=True)
class _Mark:
    """A mark of the voice detector, between two pieces of audio."""

    name: _MarkName
    lead_ms: int = 0


_Item = tuple[Pcm16, Pcm16] | _Mark


class FallbackTranscriber(Transcriber):
    """A transcriber that is replaced when it fails; the words that it still owed are heard by the next one.

    Args:
        candidates: the transcriber and its fallbacks, in order.
        call_id: the call's id, for the log.
        tell: tells who watches the call of each replacement.

    Attributes:
        lag_ms: the largest one of all.

    Raises:
        ProviderError: none of them can be made.
    """

    def __init__(
        self, candidates: Sequence[Candidate[Transcriber]], *, call_id: str | None = None, tell: Tell | None = None
    ) -> None:
        self._succession = Succession("transcriber", candidates, call_id=call_id, tell=tell)
        self.lag_ms = max(part.lag_ms for part in self._succession.parts)

    @override
    def open(self, on_transcript: TranscriptCallback) -> "FallbackTranscriberStream":
        return FallbackTranscriberStream(self._succession, on_transcript)


class FallbackTranscriberStream(TranscriberStream):
    """The transcription of one call, by one transcriber after the other.

    Args:
        succession: the transcribers.
        on_transcript: receives the transcripts.
    """

    def __init__(self, succession: Succession[Transcriber], on_transcript: TranscriptCallback) -> None:
        self._succession = succession
        self._on_transcript = on_transcript
        self._question = ""
        self._kept = _Kept()
        self._backlog: deque[_Item] = deque()
        self._opened = 0
        self._transcriber = succession.part
        self._stream, self._refused = self._open(self._transcriber)

    @override
    def feed(self, customer: Pcm16, assistant: Pcm16) -> None:
        self._pass_on((customer, assistant))

    @override
    def expect(self, question: str) -> None:
        self._question = question
        if self._stream is not None:
            self._stream.expect(question)

    @override
    def voice_started(self, lead_ms: int) -> None:
        self._pass_on(_Mark("started", lead_ms))

    @override
    def voice_paused(self) -> None:
        self._pass_on(_Mark("paused"))

    @override
    def voice_resumed(self) -> None:
        self._pass_on(_Mark("resumed"))

    @override
    def voice_stopped(self) -> None:
        self._pass_on(_Mark("stopped"))

    @override
    async def run(self) -> None:
        while True:
            try:
                if self._refused is not None:
                    raise self._refused
                await self._run_one()
            except ProviderError as error:
                self._transcriber = self._succession.replace(self._transcriber, error)
                self._stream, self._refused = self._open(self._transcriber)
                self._backlog = self._kept.replay()
            else:
                return

    async def _run_one(self) -> None:
        """Run the transcriber in use, and play it what the one before it has not understood."""
        if self._stream is None:
            raise AssertionError
        failure: ProviderError | None = None
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._catch_up)
            try:
                await self._stream.run()
            except Exception as error:  # noqa: BLE001  # also a bug of one; a task group would raise it in a group
                failure = self._succession.failure(error)
            tasks.cancel_scope.cancel()
        if failure is not None:
            raise failure

    async def _catch_up(self) -> None:
        self._play(_AT_ONCE_MS)
        while self._backlog:
            await anyio.sleep(_STEP_S)
            self._play(_STEP_MS)

    def _play(self, at_most_ms: int) -> None:
        room = at_most_ms * _PER_MS
        while self._backlog and room > 0:
            item = self._backlog.popleft()
            self._hand(item)
            room -= 0 if isinstance(item, _Mark) else item[0].size

    def _pass_on(self, item: _Item) -> None:
        self._kept.add(item)
        if self._backlog:
            self._backlog.append(item)
        else:
            self._hand(item)

    def _hand(self, item: _Item) -> None:
        stream = self._stream
        if stream is None:
            return
        if not isinstance(item, _Mark):
            stream.feed(*item)
            return
        match item.name:
            case "started":
                stream.voice_started(item.lead_ms)
            case "paused":
                stream.voice_paused()
            case "resumed":
                stream.voice_resumed()
            case "stopped":
                stream.voice_stopped()

    def _open(self, transcriber: Transcriber) -> tuple[TranscriberStream | None, ProviderError | None]:
        """Open a transcriber; return its stream, or why it has none."""
        self._opened += 1
        number = self._opened

        def on_transcript(
            text: str,
            final: bool,  # noqa: FBT001  # the shape of `ports.TranscriptCallback`
            /,
            confidence: float | None = None,
            *,
            complete: bool = False,
            end_of_turn: float | None = None,
        ) -> None:
            if number != self._opened:  # it comes from a transcriber that has been replaced
                return
            if final:
                self._kept.drop_understood()
            self._on_transcript(text, final, confidence, complete=complete, end_of_turn=end_of_turn)

        try:
            stream = transcriber.open(on_transcript)
        except ProviderError as error:
            return None, error
        if self._question:
            stream.expect(self._question)
        return stream, None


class _Kept:
    """The audio and marks whose words have not come in a final transcript yet, up to `KEPT_MS` of them."""

    def __init__(self) -> None:
        self._items: deque[_Item] = deque()
        self._samples = 0
        self._voice = False  # whether an utterance is open at the end of the items
        self._voice_before = False  # whether one is at their beginning
        self._stops = 0  # utterances whose end is among the items
        self._since_stop = 0  # samples

    def add(self, item: _Item) -> None:
        """Add the next audio or mark."""
        self._items.append(item)
        if isinstance(item, _Mark):
            if item.name == "started":
                self._voice = True
            elif item.name == "stopped":
                self._voice = False
                self._stops += 1
                self._since_stop = 0
            return
        self._samples += item[0].size
        self._since_stop += item[0].size
        owed = self._voice or (self._stops and self._since_stop < _LONGEST_WAIT_MS * _PER_MS)
        most = (KEPT_MS if owed else _QUIET_KEPT_MS) * _PER_MS
        while self._samples - self._first_size() >= most:
            self._drop_first()

    def drop_understood(self) -> None:
        """Drop what a final transcript has the words of."""
        if self._stops:
            stops = self._stops
            while self._stops == stops:  # one final for each utterance
                self._drop_first()
            return
        # It came in the middle of an utterance, or without one: its words are from before this moment.
        while self._items and self._samples - self._first_size() >= _MARGIN_MS * _PER_MS:
            self._drop_first()

    def replay(self) -> deque[_Item]:
        """Return what the next transcriber is given to catch up."""
        begun: list[_Item] = [_Mark("started")] if self._voice_before else []
        return deque([*begun, *self._items])

    def _first_size(self) -> int:
        first = self._items[0]
        return 0 if isinstance(first, _Mark) else first[0].size

    def _drop_first(self) -> None:
        item = self._items.popleft()
        if not isinstance(item, _Mark):
            self._samples -= item[0].size
        elif item.name == "started":
            self._voice_before = True
        elif item.name == "stopped":
            self._voice_before = False
            self._stops -= 1
