"""The hooks of phone numbers on incoming calls (Vapi's `PhoneNumberHookCallRinging`, `…CallEnding`)."""

from collections.abc import Sequence
from dataclasses import dataclass

from bargein.wire.base import JsonObject
from bargein.wire.json import as_list, as_object_or_none, as_objects, as_string, as_strings


@dataclass(frozen=True, slots=True)
class HookAction:
    """The action of a hook.

    Attributes:
        say: the text to say to the caller before the call ends.
        forward_to: the destination to forward the caller to.
    """

    say: str | None = None
    forward_to: JsonObject | None = None


def when_ringing(number: JsonObject, caller: str) -> HookAction | None:
    """Return the action on a call before its assistant is looked up; None if no hook applies."""
    digits = caller.removeprefix("+")
    for hook in _hooks(number, "call.ringing"):
        filters = _one_or_more(hook.get("filters"))
        if all(_begins(one, digits) for one in filters) and (action := _first(hook)) is not None:
            return action
    return None


def when_ending(number: JsonObject, reason: str) -> HookAction | None:
    """Return the action on a call that is to be rejected with this `endedReason`; None if no hook applies."""
    for hook in _hooks(number, "call.ending"):
        filters = _one_or_more(hook.get("filters"))
        if all(reason in as_strings(one.get("oneOf")) for one in filters) and (action := _first(hook)) is not None:
            return action
    return None


def _hooks(number: JsonObject, on: str) -> Sequence[JsonObject]:
    return [hook for hook in _one_or_more(number.get("hooks")) if hook.get("on") == on]


def _begins(given: JsonObject, digits: str) -> bool:
    return any(digits.startswith(prefix.removeprefix("+")) for prefix in as_strings(given.get("startsWith")))


def _first(hook: JsonObject) -> HookAction | None:
    """Return the first action of a hook, which is the only one that is carried out, as at Vapi."""
    actions = _one_or_more(hook.get("do"))
    if not actions:
        return None
    say, destination = as_string(actions[0].get("exact")), as_object_or_none(actions[0].get("destination"))
    match actions[0].get("type"):
        case "say" if say is not None and say.strip():
            return HookAction(say=say)
        case "transfer" if destination is not None:
            return HookAction(forward_to=destination)
        case _:
            return None


def _one_or_more(given: object) -> list[JsonObject]:
    """Return the objects of a list, or of an object that stands alone."""
    return as_objects(as_list(given) or [given])
