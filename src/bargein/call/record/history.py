"""Conversion of the engine's history: to a model's messages, OpenAI's JSON, Vapi's messages and text."""

import json
from collections.abc import Sequence
from typing import Any

from bargein.ports import ChatMessage, ToolCall
from bargein.turns.commands import Remember
from bargein.wire import client_messages as wire
from bargein.wire.base import JsonObject

STILL_RUNNING = "The tool is still running. Its result will stand here; do not call it again."
"""Result that a model gets for a tool that still runs when the caller must be answered meanwhile."""


def model_messages(history: Sequence[Remember]) -> tuple[ChatMessage, ...]:
    """Return the conversation as a model's messages.

    The text of a reply that was heard and the tools that it called are one message of the assistant, and each tool call
    is followed by its result. An interrupted reply thus has the words that were heard and the tools that were run.
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
            calls = tuple(
                ToolCall(called.id, called.name, called.arguments, called.vendor_state) for called in entry.tool_calls
            )
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
    """Return the conversation as OpenAI's chat API has it (`messagesOpenAIFormatted`), without pending results."""
    formatted: list[JsonObject] = []
    for message in model_messages(history):
        entry: JsonObject = {"role": message.role, "content": message.content}
        if message.tool_calls:
            entry["tool_calls"] = [call_json(call) for call in message.tool_calls]
        if message.tool_call_id is not None:
            if message.content is STILL_RUNNING:
                continue
            entry["tool_call_id"] = message.tool_call_id
        formatted.append(entry)
    return formatted


def transcript_of(history: Sequence[Remember]) -> str:
    """Return the conversation as text, a line for each message (`{{transcript}}`)."""
    who = {"assistant": "AI", "user": "User"}
    return "\n".join(f"{who[m.role]}: {m.text}" for m in history if m.role in who and m.text)


def call_json(call: ToolCall) -> JsonObject:
    """Return a tool call as OpenAI has it (Vapi's `ToolCall`)."""
    return {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}


def history_messages(history: tuple[Remember, ...], epoch_ms: int) -> list[wire.HistoryMessage]:
    """Return the history as Vapi's `messages`: absolute times in milliseconds, and seconds from the call's start."""
    messages: list[wire.HistoryMessage] = []
    names = {called.id: called.name for entry in history for called in entry.tool_calls}
    for entry in history:
        times: dict[str, Any] = {"time": epoch_ms + entry.start_ms, "seconds_from_start": entry.start_ms / 1000}
        spoken: dict[str, Any] = {"end_time": epoch_ms + entry.end_ms, "duration": entry.end_ms - entry.start_ms}
        match entry.role:
            case "user":
                messages.append(wire.UserMessage(message=entry.text, **times, **spoken))
            case "assistant" if entry.tool_calls:
                calls = [call_json(ToolCall(called.id, called.name, called.arguments)) for called in entry.tool_calls]
                messages.append(wire.ToolCallMessage(tool_calls=calls, **times))
            case "assistant":
                messages.append(wire.BotMessage(message=entry.text, source=entry.source, **times, **spoken))
            case "system":
                messages.append(wire.SystemMessage(message=entry.text, **times))
            case "tool" if entry.tool_call_id is not None:
                messages.append(_result_message(entry, names.get(entry.tool_call_id, ""), epoch_ms))
            case "tool":
                pass  # a tool message without a call has no item in Vapi's schema
    return messages


def _result_message(entry: Remember, name: str, epoch_ms: int) -> wire.ToolCallResultMessage:
    return wire.ToolCallResultMessage(
        tool_call_id=entry.tool_call_id or "",
        name=name,
        result=entry.text,
        # The result follows its call in the history, whenever it arrived.
        time=epoch_ms + entry.end_ms,
        seconds_from_start=entry.end_ms / 1000,
        metadata=None if entry.metadata is None else json.loads(entry.metadata),
    )
