"""Echo cancellation by WebRTC's canceller."""

from importlib import import_module
from typing import Any, Literal, cast

import numpy as np

from bargein.audio.pcm import Int16Array

EchoCancellation = Literal["off", "auto", "on"]
"""The calls in which echo is cancelled: none, those in which an echo is heard, all."""

RATE_HZ = 16_000
FRAME = RATE_HZ // 100
"""Samples of the 10 ms that it processes at a time."""

_PACKAGE = "pywebrtc_audio"


class EchoCancelling:
    """Echo canceller of one call, at 16 kHz.

    It adapts to the path from the played audio to the caller's microphone as the call goes on.

    Raises:
        ImportError: the package is not installed.
    """

    def __init__(self) -> None:
        self._canceller = cast("Any", import_module(_PACKAGE)).EchoCanceller(RATE_HZ)
        self._heard: Int16Array = np.zeros(0, dtype=np.int16)
        self._played: Int16Array = np.zeros(0, dtype=np.int16)

    @property
    def held_ms(self) -> float:
        """The received audio that waits for the rest of its 10 ms, in ms."""
        return self._heard.size * 1000 / RATE_HZ

    def drop_held(self) -> None:
        """Drop the audio that waits: what comes next begins a new 10 ms."""
        self._heard, self._played = self._heard[:0], self._played[:0]

    def push(self, heard: Int16Array, played: Int16Array) -> tuple[Int16Array, Int16Array]:
        """Process the next samples of both sides, equally many.

        Returns:
            The received audio without the echo, as far as it is complete, and the played audio of the same time.
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
