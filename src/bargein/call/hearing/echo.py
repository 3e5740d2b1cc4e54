"""Echo cancellation of one call: always, never, or from the moment at which the assistant's echo is heard."""

from collections import deque

import numpy as np
import structlog

from bargein.audio.cancelling import EchoCancellation, EchoCancelling
from bargein.audio.echo import LONGEST_DELAY_MS, echo_share
from bargein.audio.pcm import to_float
from bargein.audio.voice import WINDOW_MS
from bargein.ports import TRANSCRIBER_RATE_HZ, Pcm16

CHECKED_MS = 640
"""Length of the audio that is compared with what was played."""

IS_ECHO = 0.4
"""From this share on it is an echo. In 224 recordings of other sounds the largest was 0.19 (`audio.echo`)."""

LEAST_DB = -25.0
"""A fainter echo, relative to the assistant, hides nobody: at -30 dB cancellation costs 100 ms and gains nothing."""

_VOICED_WINDOWS = 10
_VOICE = 0.35
_KEPT_MS = 2_000
_LONGEST_WAIT_MS = 10_000
_PER_MS = TRANSCRIBER_RATE_HZ // 1000

_log = structlog.get_logger("bargein.call")


class EchoControl:
    """The echo cancellation of one call.

    With `auto`, the caller's audio is compared with the assistant's while a voice is heard over the assistant: an echo
    that the voice detector does not hear does no harm. Calls without an echo are compared less and less often. Where an
    echo is found, the canceller first gets the last two seconds of both sides, so that it has adapted when it begins.

    Args:
        mode: `off`, `auto` or `on`.

    Attributes:
        cancels: whether the echo is being removed.
        background_peak: the highest sample that the assistant's audio has without a voice.

    Raises:
        ImportError: the canceller's package is not installed, and the mode is not `off`.
    """

    def __init__(self, mode: EchoCancellation) -> None:
        self._canceller = None if mode == "off" else EchoCancelling()
        self.cancels = mode == "on"
        self.background_peak = 0
        self._watches = mode == "auto"
        self._heard: deque[Pcm16] = deque()
        self._played: deque[Pcm16] = deque()
        self._kept = 0
        self._voiced: deque[bool] = deque(maxlen=CHECKED_MS // WINDOW_MS)
        self._wait_ms = CHECKED_MS
        self._windows_to_wait = 0

    @property
    def held_ms(self) -> float:
        """The caller's audio that waits for the rest of its 10 ms, in ms."""
        return self._canceller.held_ms if self._canceller is not None and self.cancels else 0.0

    def push(self, heard: Pcm16, played: Pcm16) -> tuple[Pcm16, Pcm16]:
        """Return the next audio of both sides at 16 kHz, equally long, the caller's without the echo if `cancels`."""
        if self._canceller is not None and self.cancels:
            return self._canceller.push(heard, played)
        if self._watches and heard.size:
            self._heard.append(heard)
            self._played.append(played)
            self._kept += heard.size
            while self._kept - self._heard[0].size >= _KEPT_MS * _PER_MS:
                self._kept -= self._heard.popleft().size
                self._played.popleft()
        return heard, played

    def push_window(self, probability: float) -> bool:
        """Add the voice detector's probability for a window; return True if cancellation begins."""
        if not self._watches:
            return False
        self._voiced.append(probability >= _VOICE)
        if self._windows_to_wait:
            self._windows_to_wait -= 1
            return False
        if sum(self._voiced) < _VOICED_WINDOWS or not any(map(self._has_voice, self._played)):
            return False
        if not self._is_echo():
            self._windows_to_wait = self._wait_ms // WINDOW_MS
            self._wait_ms = min(2 * self._wait_ms, _LONGEST_WAIT_MS)
            return False
        self._begin()
        return True

    def _has_voice(self, played: Pcm16) -> bool:
        return bool(played.any()) if not self.background_peak else int(played.max(initial=0)) > self.background_peak

    def _is_echo(self) -> bool:
        heard, played = (to_float(np.concatenate(tuple(kept))) for kept in (self._heard, self._played))
        size = CHECKED_MS * _PER_MS
        heard, played = heard[-size:], played[-(size + LONGEST_DELAY_MS * _PER_MS) :]
        least = 10 ** (LEAST_DB / 10) * float(np.mean(np.square(played)))
        return float(np.mean(np.square(heard))) >= least and echo_share(heard, played) >= IS_ECHO

    def _begin(self) -> None:
        if self._canceller is None:
            raise AssertionError
        _log.info("the assistant's echo is heard, and removed from now on")
        for heard, played in zip(self._heard, self._played, strict=True):
            self._canceller.push(heard, played)
        self._canceller.drop_held()
        self._heard.clear()
        self._played.clear()
        self._watches, self.cancels = False, True
