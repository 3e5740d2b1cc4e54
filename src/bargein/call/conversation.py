"""The history as others want it: a model's messages, OpenAI's JSON."""

from collections.abc import Sequence

from bargein.ports import ChatMessage, ToolCall
from bargein.turns.commands import Remember
from bargein.wire.base import JsonObject

STILL_RUNNING = "The tool is still running. Its result will stand here; do not call it again."
"""What a model is told in place of a result that has not come, when the caller's words must be answered meanwhile."""


def for_model(history: Sequence[Remember]) -> tuple[ChatMessage, ...]:
    """The conversation as a model takes it.

    What was heard of a reply and the tools it called are one message of the assistant's; each call has its result
    right behind it. An interrupted reply thus stands there with the words that were heard and the tools that were run.
    """
    results = {entry.tool_call_id for entry in history if entry.tool_call_id is not None}
    messages: list[ChatMessage] = []
    pending: list[ChatMessage] = []
    previous: Remember | None = None
    for entry in history:
        if entry.tool_call_id is None:
            messages.extend(pending)
            pending.clear()
        if entry.tool_calls:
            calls = tuple(ToolCall(called.id, called.name, called.arguments) for called in entry.tool_calls)
            text = ""
            if previous is not None and previous.role == "assistant" and previous.turn_id == entry.turn_id:
                text = messages.pop().content
            messages.append(ChatMessage("assistant", text, calls))
            pending = [ChatMessage("tool", STILL_RUNNING, (), c.id) for c in calls if c.id not in results]
        else:
            messages.append(ChatMessage(entry.role, entry.text, (), entry.tool_call_id))
        previous = entry
    return (*messages, *pending)


def as_openai(history: Sequence[Remember]) -> list[JsonObject]:
    """The conversation as OpenAI's chat API has it (`messagesOpenAIFormatted`), with the results that have come."""
    formatted: list[JsonObject] = []
    for message in for_model(history):
        told: JsonObject = {"role": message.role, "content": message.content}
        if message.tool_calls:
            told["tool_calls"] = [call_json(call) for call in message.tool_calls]
        if message.tool_call_id is not None:
            if message.content is STILL_RUNNING:
                continue
            told["tool_call_id"] = message.tool_call_id
        formatted.append(told)
    return formatted


def transcript_of(history: Sequence[Remember]) -> str:
    """The conversation as text, a line for each thing that was said (`{{transcript}}`)."""
    who = {"assistant": "AI", "user": "User"}
    return "\n".join(f"{who[m.role]}: {m.text}" for m in history if m.role in who and m.text)


def call_json(call: ToolCall) -> JsonObject:
    """A tool call as OpenAI has it (Vapi's `ToolCall`)."""
    return {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
