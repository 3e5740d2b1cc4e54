"""Listeners of a live call (`monitor.listenUrl`)."""

from collections.abc import Callable
from typing import NamedTuple, TypeVar

import numpy as np
import structlog

from bargein.audio.pcm import to_bytes
from bargein.ports import Pcm16

_T = TypeVar("_T")

_log = structlog.get_logger("bargein.call")

LISTENER_RATE_HZ = 16_000
"""Listeners get 16-bit little-endian samples at this rate, interleaved: the customer, then the assistant."""

LISTENER_FRAME_MS = 100
"""Audio is sent to listeners in pieces of about this length: a frame each 20 ms would only cost more."""
_FRAME_SAMPLES = LISTENER_RATE_HZ * LISTENER_FRAME_MS // 1000


class Listener(NamedTuple):
    """A listener. Both callbacks return at once.

    Attributes:
        audio: receives interleaved stereo samples as bytes.
        text: receives the call's client messages.
    """

    audio: Callable[[bytes], None]
    text: Callable[[str], None]


class Listeners:
    """The listeners of one call; audio costs next to nothing while there is none."""

    def __init__(self) -> None:
        self._listeners: list[Listener] = []
        self._pending: list[Pcm16] = []
        self._samples = 0

    @property
    def empty(self) -> bool:
        """Return True if nobody listens."""
        return not self._listeners

    def add(self, listener: Listener) -> Callable[[], None]:
        """Add a listener, which gets everything from now on; call the result to remove it."""
        if not self._listeners:
            self._pending, self._samples = [], 0  # audio that the last listener did not get is outdated
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener) if listener in self._listeners else None

    def send_audio(self, customer: Pcm16, assistant: Pcm16) -> None:
        """Send the next audio of both sides, equally long."""
        if not self._listeners:
            return
        self._pending.append(np.stack((customer, assistant), axis=1))
        self._samples += customer.size
        if self._samples >= _FRAME_SAMPLES:
            both = to_bytes(np.concatenate(self._pending))
            self._pending, self._samples = [], 0
            for listener in tuple(self._listeners):
                self._send(listener, listener.audio, both)

    def send_text(self, text: str) -> None:
        """Send a client message."""
        for listener in tuple(self._listeners):
            self._send(listener, listener.text, text)

    def _send(self, listener: Listener, send: Callable[[_T], None], data: _T) -> None:
        try:
            send(data)
        except Exception as error:  # noqa: BLE001  # the call does not depend on who listens
            _log.error("a listener failed, and hears no more", exc_info=error)
            if listener in self._listeners:
                self._listeners.remove(listener)
