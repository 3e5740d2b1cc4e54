"""DTMF input: keys that the caller presses become the caller's words (Vapi's `keypadInputPlan`)."""

import json

from bargein.call.context import CallContext
from bargein.clock import Clock, Timer
from bargein.turns.events import AddMessage, TranscriptReceived, VariablesSet
from bargein.wire.base import JsonObject
from bargein.wire.json import as_list, as_object, as_string

KEYS = frozenset("0123456789*#ABCD")

_TIMEOUT_S = 2.0
"""Vapi's default of `timeoutSeconds`."""
_MOST_KEYS = 100


class DtmfInput:
    """A collector of keys: they are posted as one transcript at a delimiter, or after a pause.

    Without a plan that is `enabled` keys are ignored, as with Vapi. With `timeoutSeconds` 0 only a delimiter ends an
    entry; without delimiters as well, each key is an entry of its own. With `variableName` an entry becomes the value
    of that variable, too. With `triggerResponseEnabled: false` it is added to the conversation, and the assistant goes
    on as if nothing had been said.

    Args:
        context: the call.
        clock: the clock.
    """

    def __init__(self, context: CallContext, clock: Clock) -> None:
        self._context = context
        self._clock = clock
        self._pressed = ""
        self._timer: Timer | None = None

    def receive_key(self, key: str) -> None:
        """Add a key to the entry."""
        plan = as_object(self._context.setup.assistant_json.get("keypadInputPlan"))
        if plan.get("enabled") is not True or key not in KEYS:
            return
        self._cancel_timer()
        delimiters, seconds = _delimiters_and_timeout(plan)
        if key in delimiters:
            self._post_entry()
            return
        self._pressed += key
        if len(self._pressed) >= _MOST_KEYS or (seconds == 0 and not delimiters):
            self._post_entry()
        elif seconds:
            self._timer = self._clock.call_at(self._clock.monotonic_ms() + seconds * 1000, self._post_entry)

    def close(self) -> None:
        """Drop an entry that has begun: the call is over."""
        self._cancel_timer()
        self._pressed = ""

    def _post_entry(self) -> None:
        self._cancel_timer()
        pressed, self._pressed = self._pressed, ""
        if not pressed:
            return
        at_ms = int(self._context.now_ms())
        plan = as_object(self._context.setup.assistant_json.get("keypadInputPlan"))
        if name := as_string(plan.get("variableName")):
            self._context.setup.variables.extracted.save({name: pressed}, None)
            self._context.post(VariablesSet(at_ms, json.dumps({name: pressed}, ensure_ascii=False)))
        if plan.get("triggerResponseEnabled") is False:
            self._context.post(AddMessage(at_ms, "user", pressed, respond=False))
        else:
            self._context.post(TranscriptReceived(at_ms, pressed, final=True))

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def _delimiters_and_timeout(plan: JsonObject) -> tuple[str, float]:
    """Return the delimiters, and the seconds after which an entry ends without one."""
    given: object = plan.get("delimiters")
    delimiters = "".join(map(str, as_list(given))) or as_string(given) or ""
    seconds: object = plan.get("timeoutSeconds", _TIMEOUT_S)
    return delimiters, float(seconds) if isinstance(seconds, int | float) else _TIMEOUT_S
