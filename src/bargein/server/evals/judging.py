"""Comparison of an assistant's answer with what a check expects. Pure; patterns may take a second in the worst case."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bargein.patterns import compile_literal
from bargein.ports import ToolCall
from bargein.wire.base import JsonObject
from bargein.wire.json import as_list_or_none, as_object, as_object_or_none, as_objects, as_string, read_json

_QUOTED_CHARS = 200


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer of an assistant: its text, and the tool calls in it."""

    text: str
    calls: tuple[ToolCall, ...] = ()


def failure_of(plan: JsonObject, answer: Answer) -> str | None:
    """Return why an answer fails a check of the type `exact` or `regex`; None if it passes.

    Of `toolCalls` each must be made, in any order, and no others; an empty list expects none. Where they are given,
    an empty `content` is not compared: models say what they like beside a tool call.

    Args:
        plan: the `judgePlan`, checked.
        answer: the assistant's answer.
    """
    matches = _equal if plan.get("type") == "exact" else _matched
    content = as_string(plan.get("content"))
    expected = as_list_or_none(plan.get("toolCalls"))
    if content is not None and (content or expected is None) and not matches(content, answer.text.strip()):
        wanted = "the text" if plan.get("type") == "exact" else "a match of"
        return f"expected {wanted} {_quoted(content)}, got {_quoted(answer.text)}"
    if expected is None:
        return None
    return _calls_failure(as_objects(expected), answer.calls, matches)


def verdict_of(text: str) -> bool | None:
    """Return whether a judge's answer is `pass`; None if it is neither `pass` nor `fail`."""
    word = text.strip().strip("\"'`*.!").strip().casefold()
    return {"pass": True, "fail": False}.get(word)


def _calls_failure(
    expected: Sequence[JsonObject], calls: Sequence[ToolCall], matches: Callable[[object, object], bool]
) -> str | None:
    left = list(calls)
    for one in expected:
        found = next((call for call in left if _is_call(one, call, matches)), None)
        if found is None:
            return f"expected the tool call {_shown(one)}, got {_list_of(calls)}"
        left.remove(found)
    if left:
        return f"expected no other tool call, got {_list_of(left)}"
    return None


def _is_call(expected: JsonObject, call: ToolCall, matches: Callable[[object, object], bool]) -> bool:
    if expected.get("name") != call.name:
        return False
    arguments = as_object_or_none(expected.get("arguments"))
    return arguments is None or _fits(arguments, arguments_of(call), matches)


def _fits(expected: JsonObject, actual: JsonObject, matches: Callable[[object, object], bool]) -> bool:
    """Return whether arguments are as expected: equal ones have no others, matched ones may have."""
    if matches is _equal and set(expected) != set(actual):
        return False
    for name, value in expected.items():
        inner = as_object_or_none(value)
        if name not in actual:
            return False
        if inner is not None:
            if not _fits(inner, as_object(actual[name]), matches):
                return False
        elif not matches(value, actual[name]):
            return False
    return True


def _equal(expected: object, actual: object) -> bool:
    if isinstance(expected, str) and isinstance(actual, str):
        return " ".join(expected.split()).casefold() == " ".join(actual.split()).casefold()
    return _same(expected, actual)


def _matched(expected: object, actual: object) -> bool:
    if not isinstance(expected, str):
        return _same(expected, actual)
    text = actual if isinstance(actual, str) else json.dumps(actual, ensure_ascii=False)
    return compile_literal(expected).found_anywhere(text)


def _same(expected: object, actual: object) -> bool:
    """Return whether two JSON values are equal; `true` is not 1, and 1.0 is."""
    return json.dumps(_plain(expected), sort_keys=True) == json.dumps(_plain(actual), sort_keys=True)


def _plain(value: object) -> object:
    if isinstance(value, float) and value.is_integer():
        return int(value)
    items, fields = as_list_or_none(value), as_object_or_none(value)
    if items is not None:
        return [_plain(item) for item in items]
    return value if fields is None else {name: _plain(inner) for name, inner in fields.items()}


def arguments_of(call: ToolCall) -> JsonObject:
    """Return the arguments of a tool call; empty if the model wrote no valid JSON object."""
    try:
        return as_object(read_json(call.arguments or "{}"))
    except ValueError:
        return {}


def shown_call(call: ToolCall) -> JsonObject:
    """Return a tool call as the messages of an eval have it (Vapi's `ChatEvalAssistantMessageMockToolCall`)."""
    return {"name": call.name, "arguments": arguments_of(call)}


def _list_of(calls: Sequence[ToolCall]) -> str:
    return ", ".join(_shown(shown_call(call)) for call in calls) or "none"


def _shown(call: JsonObject) -> str:
    arguments = as_object_or_none(call.get("arguments"))
    text = "" if arguments is None else json.dumps(arguments, ensure_ascii=False)
    return f"{call.get('name')}({text if len(text) <= _QUOTED_CHARS else text[:_QUOTED_CHARS] + '…'})"


def _quoted(text: str) -> str:
    text = text.strip()
    return json.dumps(text if len(text) <= _QUOTED_CHARS else text[:_QUOTED_CHARS] + "…", ensure_ascii=False)
