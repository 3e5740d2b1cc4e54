"""How a tool call begins and ends for every kind of tool: its arguments, and what the model is told."""

import json
from typing import Any, cast

from bargein.errors import BargeinError
from bargein.ports import ToolCall, ToolResult
from bargein.wire.base import JsonObject

MOST_RESULT_CHARS = 100_000
"""A longer answer is not given to a model: it would drown the conversation, and cost a fortune."""
_TOO_LONG = "The tool answered with {} characters; at most {} are read."


class ToolError(BargeinError):
    """A tool call went wrong. Its text is told to the model, so it holds no secret and no address."""


def arguments_of(call: ToolCall) -> JsonObject:
    """The arguments as the model gave them; none at all is an empty object.

    Raises:
        ToolError: they are no JSON object.
    """
    if not call.arguments.strip():
        return {}
    try:
        value: object = json.loads(call.arguments)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise ToolError("Not run: its arguments are not a JSON object.")
    return cast("JsonObject", value)


def as_text(value: object) -> str:
    """A result as text for the model: text as it is, anything else as JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def parsed(text: str) -> object:
    """What a text holds, if it is JSON; else the text."""
    try:
        return cast("object", json.loads(text))
    except (ValueError, RecursionError):
        return text


def failed(text: str, **more: Any) -> ToolResult:
    """A result that says what went wrong."""
    return ToolResult(text[:MOST_RESULT_CHARS], failed=True, **more)


def done(value: object, **more: Any) -> ToolResult:
    """A result of text or JSON; one that is too long is a failure."""
    text = as_text(value)
    if len(text) > MOST_RESULT_CHARS:
        return failed(_TOO_LONG.format(len(text), MOST_RESULT_CHARS))
    return ToolResult(text, **more)
