"""Voices of the caller over the assistant: each is classified several times as it grows (`InterruptionClassifier`)."""

from bisect import bisect_right
from collections import deque
from collections.abc import Callable, Sequence

import anyio
import numpy as np
import structlog

from bargein.audio.pcm import Float32Array, to_float
from bargein.audio.voice import WINDOW_MS, VoiceEdge
from bargein.ports import TRANSCRIBER_RATE_HZ, InterruptionClassifier, OverlappingSpeech, Pcm16, ProviderError
from bargein.turns.events import Event, InterruptionJudged
from bargein.turns.interruption.explicit import BRIDGED_DIP_MS

AGES_MS = (128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 480, 544, 608, 672, 736, 800)
"""The ages of a voice at which it is classified; multiples of the detector's window."""

LEAD_MS = 328
"""Audio from before the beginning of a voice that the classifier gets too: a soft consonant, and the background."""

_BACKGROUND_WINDOWS = 40
_BACKGROUND_PERCENTILE = 20
_MOST_EARLIER_WINDOWS = 10
_POSSIBLE_PROBABILITY = 0.01
_ABOVE_BACKGROUND_DB = 12.0
_BELOW_LOUDEST_DB = 25.0
_FAINTEST_DB = -90.0
_RISING_WINDOWS, _RISING_PROBABILITY = 2, 0.05


def windows_before_onset(probabilities: Sequence[float], levels_db: Sequence[float]) -> int:
    """Return how many windows before the detector's onset a voice began.

    The detector may take the beginning of a voice for no voice, up to a third of a second of a steady vowel. What is as
    loud as the voice, and contiguous with it, belongs to it, and so do the windows in which the probability rises.

    Args:
        probabilities: the detector's probabilities, up to the window of the onset.
        levels_db: the levels of the same windows.
    """
    if len(levels_db) < 2:
        return 0
    background_db = float(np.percentile(levels_db[-_BACKGROUND_WINDOWS:], _BACKGROUND_PERCENTILE))
    least_db = max(background_db + _ABOVE_BACKGROUND_DB, max(levels_db[-4:]) - _BELOW_LOUDEST_DB)
    most = min(len(probabilities), len(levels_db)) - 1
    loud = rising = 0
    while loud < min(most, _MOST_EARLIER_WINDOWS) and (
        levels_db[-2 - loud] >= least_db and probabilities[-2 - loud] >= _POSSIBLE_PROBABILITY
    ):
        loud += 1
    while rising < min(most, _RISING_WINDOWS) and probabilities[-2 - rising] >= _RISING_PROBABILITY:
        rising += 1
    return max(loud, rising)


def window_levels_db(samples: Float32Array, size: int) -> Float32Array:
    """Return the level of each window of `size` samples, in dB below full scale; the last window ends at the end."""
    windows = samples[samples.size % size :].reshape(-1, size)
    return np.asarray(10 * np.log10(np.mean(np.square(windows), axis=1) + 10 ** (_FAINTEST_DB / 10)), dtype=np.float32)


_PER_MS = TRANSCRIBER_RATE_HZ // 1000
_KEPT_MS = 1600
_CLASSIFY_TIMEOUT_S = 1.0

_log = structlog.get_logger("bargein.call")


class _Ring:
    """A ring buffer with the last `_KEPT_MS` of one side."""

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
        """Return a copy; samples that are no longer kept, or have not arrived, are left out."""
        begin, end = max(begin, self.fed - self._samples.size, 0), min(end, self.fed)
        return self._samples[np.arange(begin, max(begin, end)) % self._samples.size]


class OverlapTracker:
    """The tracker of overlapping voices in one call.

    Args:
        classifier: classifies a voice as an interruption, a backchannel or an echo.
        wanted: returns whether a voice is to be classified now: the assistant is audible and may be interrupted.
        now_ms: returns the time since the call began.
        post: receives `InterruptionJudged`.

    Attributes:
        enabled: whether the plan uses the scores; if not, no audio is kept and nothing is classified.
    """

    def __init__(
        self,
        classifier: InterruptionClassifier,
        *,
        wanted: Callable[[], bool],
        now_ms: Callable[[], float],
        post: Callable[[Event], None],
    ) -> None:
        self._classifier = classifier
        self._wanted = wanted
        self._now_ms = now_ms
        self._post = post
        self._caller, self._assistant = _Ring(), _Ring()
        self._fed_until_ms = 0.0
        self._voiced = False
        self._onset_ms: int | None = None
        self._began_ms = 0
        self._offset_ms = -BRIDGED_DIP_MS - 1
        self._next = 0
        self._probabilities: list[float] = []
        self._recent: deque[float] = deque(maxlen=_BACKGROUND_WINDOWS)
        self.enabled = True
        self._waiting: OverlappingSpeech | None = None
        self._requested = anyio.Event()

    def feed(self, customer: Pcm16, assistant: Pcm16, until_ms: float) -> None:
        """Add the next audio of both sides, equally long; it ends at `until_ms`."""
        if not self.enabled:
            return
        self._caller.feed(customer)
        self._assistant.feed(assistant)
        self._fed_until_ms = until_ms

    def push_window(self, probability: float, end_ms: float, edge: VoiceEdge | None) -> None:
        """Add the detector's probability for one window, and the voice edge at it, if there is one."""
        self._recent.append(probability)
        if edge is not None:
            self._push_edge(edge, end_ms)
        if self._onset_ms is None:
            return
        self._probabilities.append(probability)
        age_ms = WINDOW_MS * round((end_ms - self._began_ms) / WINDOW_MS)
        if age_ms < AGES_MS[self._next]:
            return
        # A voice that was recognised late is older than the first ages.
        self._next = bisect_right(AGES_MS, age_ms)
        if self.enabled and self._wanted():
            self._request(self._onset_ms, age_ms, end_ms)
        if self._next == len(AGES_MS):
            self._onset_ms = None

    async def run(self) -> None:
        """Classify voices until cancelled."""
        while True:
            await self._requested.wait()
            self._requested = anyio.Event()
            overlap, self._waiting = self._waiting, None
            if overlap is not None:
                await self._classify(overlap)

    async def _classify(self, overlap: OverlappingSpeech) -> None:
        try:
            with anyio.fail_after(_CLASSIFY_TIMEOUT_S):
                score = await self._classifier.classify(overlap)
        except (ProviderError, TimeoutError) as error:
            # The engine goes by the length of a voice that has no score.
            _log.warning("the interruption classifier failed", reason=str(error) or "timeout")
            return
        self._post(
            InterruptionJudged(int(self._now_ms()), overlap.onset_ms, overlap.age_ms, score.interruption, score.echo)
        )

    def _push_edge(self, edge: VoiceEdge, end_ms: float) -> None:
        if not edge.voiced:
            self._offset_ms = edge.at_ms
        elif edge.at_ms - self._offset_ms > BRIDGED_DIP_MS:
            # The onset identifies a run of voice, here as in the engine.
            self._onset_ms = min(edge.at_ms, int(self._now_ms()))
            earlier = min(self._windows_before_onset(end_ms), (edge.at_ms - max(self._offset_ms, 0)) // WINDOW_MS)
            self._began_ms = edge.at_ms - earlier * WINDOW_MS
            self._next = 0
            self._probabilities = list(self._recent)[-1 - earlier : -1]

    def _windows_before_onset(self, end_ms: float) -> int:
        """Return how many windows before the one that ends at `end_ms`, the detector's onset, the voice began."""
        end = self._position_of(end_ms)
        heard = self._caller.between(end - _BACKGROUND_WINDOWS * WINDOW_MS * _PER_MS, end)
        return windows_before_onset(list(self._recent), window_levels_db(to_float(heard), WINDOW_MS * _PER_MS).tolist())

    def _position_of(self, end_ms: float) -> int:
        """Return the number of the caller's samples up to a time."""
        return self._caller.fed - round((self._fed_until_ms - end_ms) * _PER_MS)

    def _request(self, onset_ms: int, age_ms: int, end_ms: float) -> None:
        end = self._position_of(end_ms)
        begin = end - (LEAD_MS + age_ms) * _PER_MS
        caller = self._caller.between(begin, end)
        # A request that still waits is replaced: the newer one has more audio, and a queue would only grow under load.
        self._waiting = OverlappingSpeech(
            onset_ms=onset_ms,
            age_ms=age_ms,
            caller=np.concatenate((np.zeros(end - begin - caller.size, dtype=np.int16), caller)),
            assistant=self._assistant.between(0, end),
            voice=tuple(self._probabilities),
        )
        self._requested.set()
