"""A voice that cuts in, cut out of what is heard, again and again as it grows, and given to the judge."""

from collections.abc import Callable

import anyio
import numpy as np
import structlog

from bargein.audio.voice import WINDOW_MS, VoiceEdge
from bargein.ports import TRANSCRIBER_RATE_HZ, InterruptionClassifier, OverlappingSpeech, Pcm16, ProviderError
from bargein.turns.events import Event, InterruptionJudged
from bargein.turns.interruption.explicit import BRIDGED_DIP_MS

AGES_MS = (160, 224, 288, 352, 416, 480, 544, 608, 704, 800)
"""The ages of a voice at which it is judged; multiples of the detector's window."""

LEAD_MS = 360
"""So much from before its onset is judged too: a word's first consonant comes before what a detector calls voice, and
what lies before that tells how loud it is there without the voice."""

_PER_MS = TRANSCRIBER_RATE_HZ // 1000
_KEPT_MS = 1600
_JUDGE_TIMEOUT_S = 1.0

_log = structlog.get_logger("bargein.call")


class _Ring:
    """The last `_KEPT_MS` of one side."""

    def __init__(self) -> None:
        self._samples: Pcm16 = np.zeros(_KEPT_MS * _PER_MS, dtype=np.int16)
        self.fed = 0

    def feed(self, pcm: Pcm16) -> None:
        size = self._samples.size
        pcm = pcm[-size:]
        at = self.fed % size
        first = min(pcm.size, size - at)
        self._samples[at : at + first] = pcm[:first]
        self._samples[: pcm.size - first] = pcm[first:]
        self.fed += pcm.size

    def between(self, begin: int, end: int) -> Pcm16:
        """A copy; what is not kept any more, or has not come yet, is left out."""
        begin, end = max(begin, self.fed - self._samples.size, 0), min(end, self.fed)
        return self._samples[np.arange(begin, max(begin, end)) % self._samples.size]


class OverlapTracker:
    """The voices of one call that cut in.

    Args:
        judge: says of a voice whether it takes the floor.
        wanted: whether that is asked now: whether the assistant can be heard and may be cut.
        now_ms: the time since the call began.
        post: takes `InterruptionJudged`.
    """

    def __init__(
        self,
        judge: InterruptionClassifier,
        *,
        wanted: Callable[[], bool],
        now_ms: Callable[[], float],
        post: Callable[[Event], None],
    ) -> None:
        self._judge = judge
        self._wanted = wanted
        self._now_ms = now_ms
        self._post = post
        self._caller, self._assistant = _Ring(), _Ring()
        self._fed_until_ms = 0.0
        self._voiced = False
        self._onset_ms: int | None = None
        self._offset_ms = -BRIDGED_DIP_MS - 1
        self._next = 0
        self._probabilities: list[float] = []
        self.on = True
        """Whether anybody goes by the verdicts; while nobody does, nothing is kept and nothing asked."""
        self._waiting: OverlappingSpeech | None = None
        self._asked = anyio.Event()

    def feed(self, customer: Pcm16, assistant: Pcm16, until_ms: float) -> None:
        """Take the next stretch of both sides, equally long; it ends at `until_ms`."""
        if not self.on:
            return
        self._caller.feed(customer)
        self._assistant.feed(assistant)
        self._fed_until_ms = until_ms

    def window(self, probability: float, end_ms: float, edge: VoiceEdge | None) -> None:
        """Take the detector's answer for one window, and the edge it made, if any."""
        if edge is not None:
            self._turn(edge)
        if self._onset_ms is None:
            return
        self._probabilities.append(probability)
        if end_ms < self._onset_ms + AGES_MS[self._next] - WINDOW_MS / 2:
            return
        age_ms = AGES_MS[self._next]
        self._next += 1
        if self.on and self._wanted():
            self._ask(self._onset_ms, age_ms, end_ms)
        if self._next == len(AGES_MS):
            self._onset_ms = None

    async def run(self) -> None:
        """Judge until cancelled."""
        while True:
            await self._asked.wait()
            self._asked = anyio.Event()
            overlap, self._waiting = self._waiting, None
            if overlap is not None:
                await self._have_judged(overlap)

    async def _have_judged(self, overlap: OverlappingSpeech) -> None:
        try:
            with anyio.fail_after(_JUDGE_TIMEOUT_S):
                verdict = await self._judge.classify(overlap)
        except (ProviderError, TimeoutError) as error:
            # The engine goes by the voice's length where nothing judges it.
            _log.warning("a voice could not be judged", reason=str(error) or "it took too long")
            return
        self._post(
            InterruptionJudged(
                int(self._now_ms()), overlap.onset_ms, overlap.age_ms, verdict.interruption, verdict.echo
            )
        )

    def _turn(self, edge: VoiceEdge) -> None:
        if not edge.voiced:
            self._offset_ms = edge.at_ms
        elif edge.at_ms - self._offset_ms > BRIDGED_DIP_MS:
            # A run of voice is named by its onset, here as in the engine.
            self._onset_ms = min(edge.at_ms, int(self._now_ms()))
            self._next = 0
            self._probabilities = []

    def _ask(self, onset_ms: int, age_ms: int, end_ms: float) -> None:
        end = self._caller.fed - round((self._fed_until_ms - end_ms) * _PER_MS)
        begin = end - (LEAD_MS + age_ms) * _PER_MS
        caller = self._caller.between(begin, end)
        # What still waits is asked no more: a judge that is behind would only fall back further, and this tells more.
        self._waiting = OverlappingSpeech(
            onset_ms=onset_ms,
            age_ms=age_ms,
            caller=np.concatenate((np.zeros(end - begin - caller.size, dtype=np.int16), caller)),
            assistant=self._assistant.between(0, end),
            voice=tuple(self._probabilities),
        )
        self._asked.set()
