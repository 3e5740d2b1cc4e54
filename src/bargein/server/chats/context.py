"""The conversation of a chat as its model gets it, and tool calls as a chat's messages have them."""

from collections.abc import Sequence
from typing import Any

from bargein.ports import ChatMessage, ToolCall
from bargein.wire.base import JsonObject
from bargein.wire.chat import TextMessage
from bargein.wire.json import as_object, as_objects, as_string

_ROLES: dict[str, Any] = {"developer": "system"}


def for_model(instructions: Sequence[ChatMessage], messages: Sequence[JsonObject]) -> tuple[ChatMessage, ...]:
    """Return the conversation for the assistant's model, after its instructions.

    Model servers refuse a tool result without the call that it answers, and a call without its result. Both are left
    out.
    """
    conversation = list(instructions)
    answered = {str(one.get("tool_call_id")) for one in messages if one.get("role") == "tool"}
    called: set[str] = set()
    for message in messages:
        read = TextMessage.from_json(message)
        text = read.text()
        calls = tuple(call for call in _calls(message) if call.id in answered)
        if read.role == "tool":
            call_id = str(message.get("tool_call_id"))
            if call_id in called:
                called.discard(call_id)
                conversation.append(ChatMessage("tool", text, tool_call_id=call_id))
        elif text or calls:
            called.update(call.id for call in calls)
            conversation.append(ChatMessage(_ROLES.get(read.role, read.role), text, calls))
    return tuple(conversation)


def calls_json(calls: Sequence[ToolCall]) -> list[JsonObject]:
    """Return tool calls as a chat's messages have them (Vapi's `ToolCall`)."""
    return [
        {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
        for call in calls
    ]


def _calls(message: JsonObject) -> list[ToolCall]:
    found: list[ToolCall] = []
    for call in as_objects(message.get("tool_calls")) if message.get("role") == "assistant" else ():
        function = as_object(call.get("function"))
        call_id, name = as_string(call.get("id")), as_string(function.get("name"))
        if call_id is not None and name is not None:
            found.append(ToolCall(call_id, name, str(function.get("arguments") or "{}")))
    return found
