"""Who answers in text: the assistant of a chat or session, and what its model is told of the conversation."""

from collections.abc import Sequence
from typing import Any, cast

from bargein.ports import ChatMessage, ToolCall
from bargein.server.agents.handoff import instructions_of
from bargein.wire.assistant import Assistant
from bargein.wire.base import JsonObject
from bargein.wire.chat import TextMessage

_ROLES: dict[str, Any] = {"developer": "system"}


def for_model(assistant: Assistant, messages: Sequence[JsonObject]) -> tuple[ChatMessage, ...]:
    """The conversation as the assistant's model gets it, its instructions first.

    Every model's server refuses a tool's result without the call that it answers, and a call without its result. Such
    are left out.
    """
    told = list(instructions_of(assistant))
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
                told.append(ChatMessage("tool", text, tool_call_id=call_id))
        elif text or calls:
            called.update(call.id for call in calls)
            told.append(ChatMessage(_ROLES.get(read.role, read.role), text, calls))
    return tuple(told)


def calls_json(calls: Sequence[ToolCall]) -> list[JsonObject]:
    """Tool calls as a chat's messages have them (Vapi's `ToolCall`)."""
    return [
        {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
        for call in calls
    ]


def _calls(message: JsonObject) -> list[ToolCall]:
    given: object = message.get("tool_calls")
    listed = cast("list[object]", given) if isinstance(given, list) else []
    found: list[ToolCall] = []
    for one in listed if message.get("role") == "assistant" else ():
        call = cast("JsonObject", one) if isinstance(one, dict) else JsonObject()
        function: object = call.get("function")
        named = cast("JsonObject", function) if isinstance(function, dict) else JsonObject()
        if isinstance(call.get("id"), str) and isinstance(named.get("name"), str):
            found.append(ToolCall(call["id"], named["name"], str(named.get("arguments") or "{}")))
    return found
