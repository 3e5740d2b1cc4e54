"""Taking our own voice out of what is heard: WebRTC's echo canceller, which is an extra of the package (`echo`)."""

from importlib import import_module
from importlib.util import find_spec
from typing import Any, cast

import numpy as np

from bargein.audio.pcm import Int16Array

RATE_HZ = 16_000
FRAME = RATE_HZ // 100
"""It works on 10 ms at a time."""

_PACKAGE = "pywebrtc_audio"


def can_cancel() -> bool:
    """Whether the package is installed."""
    return find_spec(_PACKAGE) is not None


class EchoCancelling:
    """One call's canceller, at 16 kHz. It learns the way from our voice to the caller's microphone as the call goes on.

    Raises:
        ImportError: the package is not installed.
    """

    def __init__(self) -> None:
        self._canceller = cast("Any", import_module(_PACKAGE)).EchoCanceller(RATE_HZ)
        self._heard: Int16Array = np.zeros(0, dtype=np.int16)
        self._played: Int16Array = np.zeros(0, dtype=np.int16)

    @property
    def held_ms(self) -> float:
        """How much of what was heard waits for the rest of its 10 ms."""
        return self._heard.size * 1000 / RATE_HZ

    def push(self, heard: Int16Array, played: Int16Array) -> tuple[Int16Array, Int16Array]:
        """Take the next stretch of both sides, equally long.

        Returns:
            What was heard without what was played, as far as it can be told yet, and the other side of the same length.
        """
        heard = np.concatenate((self._heard, heard))
        played = np.concatenate((self._played, played))
        whole = heard.size // FRAME * FRAME
        self._heard, self._played = heard[whole:], played[whole:]
        if not whole:
            return heard[:0], played[:0]
        cleaned: list[Int16Array] = [
            self._canceller.process(heard[at : at + FRAME], played[at : at + FRAME]) for at in range(0, whole, FRAME)
        ]
        return np.concatenate(cleaned), played[:whole]
