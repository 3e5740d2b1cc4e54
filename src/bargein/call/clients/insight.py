"""What a person can watch of a call as it happens: voice probability and decisions.

It is no part of Vapi's protocol.
"""

from collections.abc import Callable
from typing import Any

Watcher = Callable[[dict[str, Any]], None]


class InsightFeed:
    """Hands out what happens in a call to those who watch; costs next to nothing while nobody does."""

    def __init__(self) -> None:
        self._watchers: list[Watcher] = []

    def watch(self, watcher: Watcher) -> Callable[[], None]:
        """Tell `watcher` everything from now on; call the result to stop it."""
        self._watchers.append(watcher)
        return lambda: self._watchers.remove(watcher) if watcher in self._watchers else None

    def on_voice_probability(self, probability: float, end_ms: float) -> None:
        """A window of the caller's audio was judged."""
        if self._watchers:
            self._tell({"kind": "voice", "at_ms": [round(end_ms)], "probability": [round(probability, 3)]})

    def on_decision(self, at_ms: int, what: str, why: str, turn_id: str | None) -> None:
        """The engine decided something."""
        if self._watchers:
            told: dict[str, Any] = {"kind": "decision", "at_ms": at_ms, "what": what, "why": why}
            self._tell(told if turn_id is None else {**told, "turnId": turn_id})

    def _tell(self, what: dict[str, Any]) -> None:
        for watcher in tuple(self._watchers):
            watcher(what)
