"""Keys that the caller presses, as words of theirs (Vapi's `keypadInputPlan`)."""

from typing import Any, cast

from bargein.call.context import CallContext
from bargein.clock import Clock, Timer
from bargein.turns.events import TranscriptReceived

KEYS = frozenset("0123456789*#ABCD")

_TIMEOUT_S = 2.0
"""Vapi's default of `timeoutSeconds`."""
_MOST_KEYS = 100


class DtmfInput:
    """Gathers keys until a delimiter or a pause, and posts them as a whole.

    Without a plan that is `enabled` keys mean nothing, as with Vapi. With `timeoutSeconds` 0 a delimiter alone ends an
    entry, and with neither each key is one.

    Args:
        host: the call.
        clock: the one clock.
    """

    def __init__(self, context: CallContext, clock: Clock) -> None:
        self._context = context
        self._clock = clock
        self._pressed = ""
        self._timer: Timer | None = None

    def receive_key(self, key: str) -> None:
        """Take a key."""
        plan: object = self._context.setup.assistant_json.get("keypadInputPlan")
        if not isinstance(plan, dict) or cast("dict[str, Any]", plan).get("enabled") is not True or key not in KEYS:
            return
        self._stop_waiting()
        delimiters, seconds = _rules(cast("dict[str, Any]", plan))
        if key in delimiters:
            self._enter()
            return
        self._pressed += key
        if len(self._pressed) >= _MOST_KEYS or (seconds == 0 and not delimiters):
            self._enter()
        elif seconds:
            self._timer = self._clock.call_at(self._clock.monotonic_ms() + seconds * 1000, self._enter)

    def close(self) -> None:
        """The call is over: what has been pressed means nothing any more."""
        self._stop_waiting()
        self._pressed = ""

    def _enter(self) -> None:
        self._stop_waiting()
        pressed, self._pressed = self._pressed, ""
        if pressed:
            self._context.post(TranscriptReceived(int(self._context.now_ms()), pressed, final=True))

    def _stop_waiting(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def _rules(plan: dict[str, Any]) -> tuple[str, float]:
    """The delimiters, and after how many seconds an entry ends without one."""
    given: object = plan.get("delimiters")
    delimiters = "".join(map(str, cast("list[object]", given))) if isinstance(given, list) else str(given or "")
    seconds: object = plan.get("timeoutSeconds", _TIMEOUT_S)
    return delimiters, float(seconds) if isinstance(seconds, int | float) else _TIMEOUT_S
