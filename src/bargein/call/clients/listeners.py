"""Those who listen in on a live call (`monitor.listenUrl`)."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from bargein.audio.pcm import to_bytes
from bargein.ports import Pcm16

LISTENER_RATE_HZ = 16_000
"""What a listener hears: 16-bit little-endian samples at this rate, interleaved: the customer, then the assistant."""

LISTENER_FRAME_MS = 100
"""Sound goes to listeners in pieces of about this length: for them a frame each 20 ms would only cost more."""
_FRAME_SAMPLES = LISTENER_RATE_HZ * LISTENER_FRAME_MS // 1000


class Listener(NamedTuple):
    """One who listens. Both take what comes and return at once.

    Attributes:
        audio: takes interleaved stereo samples as bytes.
        text: takes the call's client messages.
    """

    audio: Callable[[bytes], None]
    text: Callable[[str], None]


class Listeners:
    """Hands a call's sound and messages to any number of listeners; costs next to nothing while there is none."""

    def __init__(self) -> None:
        self._listeners: list[Listener] = []
        self._heard: list[Pcm16] = []
        self._samples = 0

    @property
    def empty(self) -> bool:
        """Whether nobody listens."""
        return not self._listeners

    def add(self, listener: Listener) -> Callable[[], None]:
        """Tell `listener` everything from now on; call the result to stop it."""
        if not self._listeners:
            self._heard, self._samples = [], 0  # what the last one did not get is old
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener) if listener in self._listeners else None

    def send_audio(self, customer: Pcm16, assistant: Pcm16) -> None:
        """Take the next stretch of both sides, equally long."""
        if not self._listeners:
            return
        self._heard.append(np.stack((customer, assistant), axis=1))
        self._samples += customer.size
        if self._samples >= _FRAME_SAMPLES:
            both = to_bytes(np.concatenate(self._heard))
            self._heard, self._samples = [], 0
            for listener in tuple(self._listeners):
                listener.audio(both)

    def send_text(self, text: str) -> None:
        """Take a message that the caller's client was sent."""
        for listener in tuple(self._listeners):
            listener.text(text)
