"""The live feed of voice probabilities and engine decisions that the server's own page shows.

It is not part of Vapi's protocol.
"""

from collections.abc import Callable
from typing import Any

import structlog

_log = structlog.get_logger("bargein.call")

Watcher = Callable[[dict[str, Any]], None]


class InsightFeed:
    """The feed of one call; it costs next to nothing while nobody watches."""

    def __init__(self) -> None:
        self._watchers: list[Watcher] = []

    def watch(self, watcher: Watcher) -> Callable[[], None]:
        """Send everything to `watcher` from now on; call the result to stop it."""
        self._watchers.append(watcher)
        return lambda: self._watchers.remove(watcher) if watcher in self._watchers else None

    def on_voice_probability(self, probability: float, end_ms: float) -> None:
        """Send the voice probability of a window of the caller's audio."""
        if self._watchers:
            self._send({"kind": "voice", "at_ms": [round(end_ms)], "probability": [round(probability, 3)]})

    def on_decision(self, at_ms: int, what: str, why: str, turn_id: str | None) -> None:
        """Send a decision of the engine, with its reason."""
        if self._watchers:
            entry: dict[str, Any] = {"kind": "decision", "at_ms": at_ms, "what": what, "why": why}
            self._send(entry if turn_id is None else {**entry, "turnId": turn_id})

    def _send(self, entry: dict[str, Any]) -> None:
        for watcher in tuple(self._watchers):
            try:
                watcher(entry)
            except Exception as error:  # noqa: BLE001  # the call does not depend on who watches
                _log.error("a watcher of a call failed, and gets no more", exc_info=error)
                if watcher in self._watchers:
                    self._watchers.remove(watcher)
