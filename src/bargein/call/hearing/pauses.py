"""A caller's pauses, cut out of what is heard and given to the judge when the engine asks."""

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
"""So much from before a pause is judged."""

INTO_MS = 96
"""And so much of the pause itself."""

_PER_MS = TRANSCRIBER_RATE_HZ // 1000
_KEPT_MS = 10_000
_MOST_RUNS = 64
_MAX_WAITING = 8
_JUDGE_TIMEOUT_S = 1.0

Run = tuple[int, int]

_log = structlog.get_logger("bargein.call")


def bridge_dips(runs: Iterable[Run]) -> list[Run]:
    """Runs of voice without the dips that speech has of itself, as the engine bridges them."""
    told: list[Run] = []
    for onset_ms, offset_ms in runs:
        if told and onset_ms - told[-1][1] <= BRIDGED_DIP_MS:
            told[-1] = (told[-1][0], offset_ms)
        else:
            told.append((onset_ms, offset_ms))
    return told


def runs_of_turn(runs: Iterable[Run], after_ms: int, offset_ms: int) -> tuple[Run, ...]:
    """The runs of voice of a turn, up to the pause that begins at `offset_ms`; those without words, too."""
    return tuple(run for run in bridge_dips(runs) if run[1] > after_ms and run[0] <= offset_ms)


class PauseTracker:
    """The pauses of one call.

    Args:
        judge: says of a pause how likely it ends the turn; None: nobody can.
        now_ms: the time since the call began.
        post: takes `PauseJudged`.
    """

    def __init__(
        self, judge: EndOfTurnDetector | None, *, now_ms: Callable[[], float], post: Callable[[PauseJudged], None]
    ) -> None:
        self._judge = judge
        self._now_ms = now_ms
        self._post = post
        self._chunks: deque[Pcm16] = deque()
        self._kept = 0
        self._fed_until_ms = 0.0
        self._runs: deque[Run] = deque(maxlen=_MOST_RUNS)
        self._onset_ms: int | None = None
        self._asked, self._to_judge = anyio.create_memory_object_stream[tuple[int, TurnPause]](_MAX_WAITING)

    def feed(self, customer: Pcm16, until_ms: float) -> None:
        """Take the next stretch of the caller's side at 16 kHz; it ends at `until_ms`."""
        if self._judge is None:
            return
        self._chunks.append(customer)
        self._kept += customer.size
        self._fed_until_ms = until_ms
        while self._kept - self._chunks[0].size >= _KEPT_MS * _PER_MS:
            self._kept -= self._chunks.popleft().size

    def turn(self, edge: VoiceEdge) -> None:
        """Take an edge of the caller's voice."""
        # An edge is named by the moment it is told at, here as in the engine.
        at_ms = min(edge.at_ms, int(self._now_ms()))
        if edge.voiced:
            self._onset_ms = at_ms
        elif self._onset_ms is not None:
            self._runs.append((self._onset_ms, max(at_ms, self._onset_ms)))
            self._onset_ms = None

    def ask(self, question: JudgePause) -> None:
        """Have a pause judged; returns at once."""
        pause = TurnPause(
            said=question.said,
            caller=self._between(question.offset_ms - BEFORE_MS, question.offset_ms + INTO_MS),
            runs=runs_of_turn(self._runs, question.after_ms, question.offset_ms),
        )
        try:
            # Words whose voice was not detected have no rhythm and no end that could be heard.
            if self._judge is not None and pause.caller.size and pause.runs:
                self._asked.send_nowait((question.number, pause))
                return
        except (anyio.WouldBlock, anyio.BrokenResourceError, anyio.ClosedResourceError):
            _log.warning("pauses come faster than they are judged")
        self._tell(question.number, None)

    async def run(self) -> None:
        """Judge until cancelled."""
        with self._asked, self._to_judge:
            async for number, pause in self._to_judge:
                self._tell(number, await self._verdict(pause))

    async def _verdict(self, pause: TurnPause) -> float | None:
        if self._judge is None:  # then nobody is asked
            raise AssertionError
        try:
            with anyio.fail_after(_JUDGE_TIMEOUT_S):
                return await self._judge.predict(pause)
        except (ProviderError, TimeoutError) as error:
            # The engine goes by the words where nothing judges the pause.
            _log.warning("a pause could not be judged", reason=str(error) or "it took too long")
            return None

    def _tell(self, number: int, done: float | None) -> None:
        self._post(PauseJudged(int(self._now_ms()), number, done))

    def _between(self, begin_ms: float, end_ms: float) -> Pcm16:
        if not self._chunks:
            return np.zeros(0, dtype=np.int16)
        kept = np.concatenate(self._chunks)
        begin, end = (kept.size - round((self._fed_until_ms - ms) * _PER_MS) for ms in (begin_ms, end_ms))
        return kept[max(0, begin) : max(0, end)]
