"""Tool calls in OpenAI's chat completions: in the stream, and in the messages of the conversation."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, cast
from uuid import uuid4

from bargein.ports import ChatMessage, ToolCall
from bargein.providers.http import StreamError, required_object
from bargein.providers.vendor_state import state_of, state_text
from bargein.wire.base import JsonObject
from bargein.wire.json import as_object, read_json, repair_text, repaired

MOST_CALLS = 64
"""The most tool calls in one answer; more are an error of the model."""
MOST_ARGUMENT_CHARS = 256 * 1024
"""The most characters in the arguments of all calls of one answer."""
_MOST_NAME_CHARS = 256
_MOST_TRIES = 64


def chat_json(message: ChatMessage, state_owner: str = "") -> JsonObject:
    """Return a message as JSON of OpenAI's API.

    Args:
        message: the message.
        state_owner: the name of the state that its server gets back with tool calls (`CallCollector`); empty: none.
    """
    data: JsonObject = {"role": message.role, "content": message.content}
    if message.tool_calls:
        states = [as_object(state_of(call, state_owner)) for call in message.tool_calls]
        data["content"] = message.content or None
        data["tool_calls"] = [_call_json(call, state) for call, state in zip(message.tool_calls, states, strict=True)]
        for state in states:
            data |= as_object(state.get("message"))
    if message.tool_call_id is not None:
        data["tool_call_id"] = message.tool_call_id
    return data


def _call_json(call: ToolCall, state: JsonObject) -> JsonObject:
    return {
        "id": call.id,
        "type": "function",
        "function": {"name": call.name, "arguments": object_text(call.arguments)},
        **as_object(state.get("call")),
    }


def object_text(arguments: str) -> str:
    """Return the arguments of a call, or an empty object for broken ones.

    Servers refuse conversations with broken arguments, even their own.
    """
    return arguments if _is_object(arguments) else "{}"


def _is_object(text: str) -> bool:
    """Return True if the text is a JSON object."""
    try:
        return isinstance(read_json(text), dict)
    except ValueError:
        return False


@dataclass(slots=True)
class _Call:
    index: object
    id: str = ""
    name: str = ""
    pieces: list[str] = field(default_factory=list[str])  # joined at the end, because adding to a text copies it
    tries: int = 0
    extra: JsonObject = field(default_factory=dict[str, Any])

    @property
    def arguments(self) -> str:
        return "".join(self.pieces)

    def is_complete(self) -> bool:
        """Return True if the arguments are a JSON object; after `_MOST_TRIES` that they were not, they are not read."""
        if self.tries == _MOST_TRIES or not self.pieces or not self.pieces[-1].rstrip().endswith("}"):
            return False
        self.tries += 1
        return _is_object(self.arguments)


class CallCollector:
    """Assembles the tool calls of one answer from the pieces in its stream.

    OpenAI sends `index` with every piece, and id and name with the first. Compatible servers omit the index or the id,
    send every call whole, under one index, or arguments as an object: all of that is accepted.

    A call's `extra_content` (the thought signatures of Gemini's compatible API) is kept as the call's state.
    """

    def __init__(self) -> None:
        self._calls: list[_Call] = []
        self._chars = 0

    def push(self, pieces: object) -> bool:
        """Add the `tool_calls` of one delta; return True if they contained anything.

        Raises:
            StreamError: they do not follow OpenAI's protocol, or there are too many of them.
        """
        if not isinstance(pieces, Sequence) or isinstance(pieces, str):
            raise StreamError("an event's tool_calls are no list")
        has_content = False
        for piece in cast("Sequence[object]", pieces):
            has_content = self._push(required_object(piece)) or has_content
        return has_content

    def _push(self, piece: dict[str, object]) -> bool:
        call_id, function = piece.get("id") or "", required_object(piece.get("function") or {})
        name, arguments = function.get("name") or "", function.get("arguments") or ""
        if isinstance(arguments, dict):
            arguments = json.dumps(arguments, ensure_ascii=False)
        if not isinstance(call_id, str) or not isinstance(name, str) or not isinstance(arguments, str):
            raise StreamError("a tool call is not one of OpenAI's")
        call = self._find(piece.get("index"), call_id, is_whole=bool(name and arguments))
        call.extra |= as_object(piece.get("extra_content"))
        if not call.name:
            call.name = name[:_MOST_NAME_CHARS]
        elif name != call.name and not call.pieces:
            call.name = (call.name + name)[:_MOST_NAME_CHARS]
        if arguments:
            call.pieces.append(arguments)
        self._chars += len(arguments)
        if self._chars > MOST_ARGUMENT_CHARS:
            raise StreamError("the arguments of its tool calls are too long")
        return bool(name or arguments)

    def _find(self, index: object, call_id: str, *, is_whole: bool) -> _Call:
        """Return the call that a piece belongs to: the last one of its index, unless it has another id.

        Without ids, a piece with name and arguments begins another one where the last one's arguments are complete.
        """
        last = next((call for call in reversed(self._calls) if call.index == index), None)
        if last is not None:
            another = call_id != last.id if call_id and last.id else is_whole and last.is_complete()
            if not another:
                last.id = last.id or call_id
                return last
        if len(self._calls) == MOST_CALLS:
            raise StreamError("it calls too many tools at once")
        call = _Call(index, call_id)
        self._calls.append(call)
        return call

    @property
    def are_whole(self) -> bool:
        """True if the arguments of every call are a JSON object, as they are at the end of an answer."""
        return all(_is_object(call.arguments or "{}") for call in self._calls)

    def complete(self, state_owner: str = "", message_state: JsonObject | None = None) -> tuple[ToolCall, ...]:
        """Return all calls in the order of their begin. A missing id is generated; a call without a name is omitted.

        Args:
            state_owner: the name of the state; empty: none is kept.
            message_state: fields of the whole answer that the server wants back; they are kept with the first call.
        """
        found: list[ToolCall] = []
        for call in self._calls:
            if not call.name:
                continue
            state: JsonObject = {"call": {"extra_content": repaired(call.extra)}} if call.extra else {}
            if message_state and not found:
                state["message"] = message_state
            found.append(
                ToolCall(
                    repair_text(call.id) or new_call_id(),
                    repair_text(call.name),
                    repair_text(call.arguments),
                    state_text(state_owner, state) if state_owner else "",
                )
            )
        return tuple(found)


def new_call_id() -> str:
    """Return an id for a call that its server gave none."""
    return f"call_{uuid4().hex[:24]}"
