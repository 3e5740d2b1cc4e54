"""The arguments and the result of a tool call, for every kind of tool."""

import json
from typing import Any, cast

from bargein.errors import BargeinError
from bargein.ports import ToolCall, ToolResult
from bargein.wire.base import JsonObject
from bargein.wire.json import read_json, repair_text

MAX_RESULT_CHARS = 100_000
"""A longer result is not given to a model: it would displace the conversation, and cost too much."""
_TOO_LONG = "The tool answered with {} characters; at most {} are read."


class ToolError(BargeinError):
    """A tool call failed. The model reads the text, so it holds no secret and no address."""


def arguments_of(call: ToolCall) -> JsonObject:
    """Return the model's arguments; an empty text counts as an empty object.

    Raises:
        ToolError: they are not a JSON object.
    """
    if not call.arguments.strip():
        return {}
    try:
        value = read_json(call.arguments)
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise ToolError("Not run: its arguments are not a JSON object.")
    return cast("JsonObject", value)


def as_text(value: object) -> str:
    """Return a result as text for the model: a string as it is, any other value as JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def parsed(text: str) -> object:
    """Return the value of a JSON text, or the text itself if it is not JSON."""
    try:
        return read_json(text)
    except ValueError:
        return text


def failed(text: str, **more: Any) -> ToolResult:
    """Return a result that says why the call failed."""
    return ToolResult(repair_text(text[:MAX_RESULT_CHARS]), failed=True, **more)


def done(value: object, **more: Any) -> ToolResult:
    """Return a result of text or JSON; a result that is too long is a failure."""
    text = as_text(value)
    if len(text) > MAX_RESULT_CHARS:
        return failed(_TOO_LONG.format(len(text), MAX_RESULT_CHARS))
    return ToolResult(repair_text(text), **more)
