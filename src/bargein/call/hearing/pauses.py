"""Pauses of the caller: the end-of-turn detector gets their audio when the engine asks for a judgement.

Some transcribers tell how likely the turn is over. That is evidence beside the detector's: it moves the detector's
probability a little, and decides nothing.
"""

import math
from collections import deque
from collections.abc import Callable, Iterable

import anyio
import numpy as np
import structlog

from bargein.audio.voice import VoiceEdge
from bargein.ports import TRANSCRIBER_RATE_HZ, EndOfTurnDetector, Pcm16, ProviderError, TurnPause
from bargein.turns.commands import JudgePause
from bargein.turns.events import PauseJudged
from bargein.turns.interruption.explicit import BRIDGED_DIP_MS

BEFORE_MS = 8000
"""Audio before a pause that the detector gets."""

INTO_MS = 96
"""Audio of the pause itself that it gets."""

_PER_MS = TRANSCRIBER_RATE_HZ // 1000
_KEPT_MS = 10_000
_MOST_RUNS = 64
_MAX_WAITING = 8
_PREDICT_TIMEOUT_S = 1.0

_TRANSCRIBER_WEIGHT = 0.5
"""The share of the transcriber's log-odds that is added to the detector's; chosen, not fitted to recordings."""

_MOST_TRANSCRIBER_LOG_ODDS = 2.0
"""The most of its log-odds that counts (88 %): so it moves 50 % to 73 % or 27 % at most."""

_CLOSEST = 1e-4

Run = tuple[int, int]
"""A run of voice: its onset and offset in milliseconds of the call."""

_log = structlog.get_logger("bargein.call")


def bridge_dips(runs: Iterable[Run]) -> list[Run]:
    """Join runs of voice over the short dips that speech has of itself, as the engine does."""
    joined: list[Run] = []
    for onset_ms, offset_ms in runs:
        if joined and onset_ms - joined[-1][1] <= BRIDGED_DIP_MS:
            joined[-1] = (joined[-1][0], offset_ms)
        else:
            joined.append((onset_ms, offset_ms))
    return joined


def runs_of_turn(runs: Iterable[Run], after_ms: int, offset_ms: int) -> tuple[Run, ...]:
    """Return the runs of voice of a turn, up to the pause that begins at `offset_ms`; also runs without words."""
    return tuple(run for run in bridge_dips(runs) if run[1] > after_ms and run[0] <= offset_ms)


def with_transcriber(detector: float, transcriber: float | None) -> float:
    """Return the probability that the turn is over, by the detector and the transcriber together.

    Args:
        detector: the detector's probability.
        transcriber: the transcriber's own; None: it told none.
    """
    if transcriber is None:
        return detector
    bounded = max(-_MOST_TRANSCRIBER_LOG_ODDS, min(_log_odds(transcriber), _MOST_TRANSCRIBER_LOG_ODDS))
    return 1 / (1 + math.exp(-_log_odds(detector) - _TRANSCRIBER_WEIGHT * bounded))


def _log_odds(probability: float) -> float:
    bounded = min(max(probability, _CLOSEST), 1 - _CLOSEST)
    return math.log(bounded / (1 - bounded))


class PauseTracker:
    """The tracker of pauses in one call.

    Args:
        detector: predicts how likely a pause ends the turn; None: every request is answered with None.
        now_ms: returns the time since the call began.
        post: receives `PauseJudged`.
    """

    def __init__(
        self, detector: EndOfTurnDetector | None, *, now_ms: Callable[[], float], post: Callable[[PauseJudged], None]
    ) -> None:
        self._detector = detector
        self._now_ms = now_ms
        self._post = post
        self._chunks: deque[Pcm16] = deque()
        self._kept = 0
        self._fed_until_ms = 0.0
        self._runs: deque[Run] = deque(maxlen=_MOST_RUNS)
        self._onset_ms: int | None = None
        self._transcriber: float | None = None
        self._requests_in, self._requests = anyio.create_memory_object_stream[tuple[int, TurnPause]](_MAX_WAITING)

    def feed(self, customer: Pcm16, until_ms: float) -> None:
        """Add the next audio of the caller at 16 kHz; it ends at `until_ms`."""
        if self._detector is None:
            return
        self._chunks.append(customer)
        self._kept += customer.size
        self._fed_until_ms = until_ms
        while self._kept - self._chunks[0].size >= _KEPT_MS * _PER_MS:
            self._kept -= self._chunks.popleft().size

    def push_edge(self, edge: VoiceEdge) -> None:
        """Add an edge of the caller's voice."""
        # An edge is never later than the event that reports it, here as in the engine.
        at_ms = min(edge.at_ms, int(self._now_ms()))
        self._transcriber = None  # what it told before is not about this pause
        if edge.voiced:
            self._onset_ms = at_ms
        elif self._onset_ms is not None:
            self._runs.append((self._onset_ms, max(at_ms, self._onset_ms)))
            self._onset_ms = None

    def note_transcriber(self, probability: float) -> None:
        """Note the transcriber's probability that the turn is over; while the caller speaks it counts for nothing."""
        if self._onset_ms is None:
            self._transcriber = probability

    def request(self, question: JudgePause) -> None:
        """Request the judgement of a pause; returns at once."""
        pause = TurnPause(
            said=question.said,
            caller=self._between(question.offset_ms - BEFORE_MS, question.offset_ms + INTO_MS),
            runs=runs_of_turn(self._runs, question.after_ms, question.offset_ms),
            confidence=question.confidence,
            language=question.language,
            asked=question.asked,
            transcriber=self._transcriber,
        )
        try:
            # Words whose voice was not detected have no rhythm and no audible end.
            if self._detector is not None and pause.caller.size and pause.runs:
                self._requests_in.send_nowait((question.number, pause))
                return
        except (anyio.WouldBlock, anyio.BrokenResourceError, anyio.ClosedResourceError):
            _log.warning("the end-of-turn detector is behind: a pause is not judged")
        self._answer(question.number, None)

    async def run(self) -> None:
        """Judge pauses until cancelled."""
        with self._requests_in, self._requests:
            async for number, pause in self._requests:
                self._answer(number, await self._predict(pause))

    async def _predict(self, pause: TurnPause) -> float | None:
        if self._detector is None:  # then `request` queues nothing
            raise AssertionError
        try:
            with anyio.fail_after(_PREDICT_TIMEOUT_S):
                return with_transcriber(await self._detector.predict(pause), pause.transcriber)
        except (ProviderError, TimeoutError) as error:
            # The engine goes by the words of a pause that has no probability.
            _log.warning("the end-of-turn detector failed", reason=str(error) or "timeout")
            return None

    def _answer(self, number: int, probability: float | None) -> None:
        self._post(PauseJudged(int(self._now_ms()), number, probability))

    def _between(self, begin_ms: float, end_ms: float) -> Pcm16:
        if not self._chunks:
            return np.zeros(0, dtype=np.int16)
        kept = np.concatenate(self._chunks)
        begin, end = (kept.size - round((self._fed_until_ms - ms) * _PER_MS) for ms in (begin_ms, end_ms))
        return kept[max(0, begin) : max(0, end)]
