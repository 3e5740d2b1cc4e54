"""What a phone number's hooks do with a call that comes in (Vapi's `PhoneNumberHookCallRinging`, `…CallEnding`)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

from bargein.wire.base import JsonObject


@dataclass(frozen=True, slots=True)
class HookAction:
    """The one thing that a hook does.

    Attributes:
        say: the text that the caller is told; the call ends then.
        forward_to: where the caller is forwarded to.
    """

    say: str | None = None
    forward_to: JsonObject | None = None


def when_ringing(number: JsonObject, caller: str) -> HookAction | None:
    """What is done with a call before anybody is asked who takes it; None: nothing."""
    digits = caller.removeprefix("+")
    for hook in _hooks(number, "call.ringing"):
        filters = _objects(hook.get("filters"))
        if all(_begins(one, digits) for one in filters) and (action := _first(hook)) is not None:
            return action
    return None


def when_ending(number: JsonObject, reason: str) -> HookAction | None:
    """What is done with a call that nobody takes for this `endedReason`; None: nothing."""
    for hook in _hooks(number, "call.ending"):
        filters = _objects(hook.get("filters"))
        if all(reason in _texts(one.get("oneOf")) for one in filters) and (action := _first(hook)) is not None:
            return action
    return None


def _hooks(number: JsonObject, on: str) -> Sequence[JsonObject]:
    return [hook for hook in _objects(number.get("hooks")) if hook.get("on") == on]


def _begins(given: JsonObject, digits: str) -> bool:
    return any(digits.startswith(prefix.removeprefix("+")) for prefix in _texts(given.get("startsWith")))


def _first(hook: JsonObject) -> HookAction | None:
    """Only the first action of a hook is carried out, as Vapi has it."""
    actions = _objects(hook.get("do"))
    if not actions:
        return None
    say, destination = actions[0].get("exact"), actions[0].get("destination")
    match actions[0].get("type"):
        case "say" if isinstance(say, str) and say.strip():
            return HookAction(say=say)
        case "transfer" if isinstance(destination, dict):
            return HookAction(forward_to=cast("JsonObject", destination))
        case _:
            return None


def _objects(given: object) -> list[JsonObject]:
    found = cast("list[object]", given) if isinstance(given, list) else [given]
    return [cast("JsonObject", one) for one in found if isinstance(one, dict)]


def _texts(given: object) -> list[str]:
    found = cast("list[object]", given) if isinstance(given, list) else []
    return [one for one in found if isinstance(one, str)]
