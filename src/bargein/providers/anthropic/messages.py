"""Requests of Anthropic's Messages API: the conversation, the tools, and Claude's thinking."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from bargein.ports import ChatMessage, ToolCall
from bargein.providers.conversation import split_instructions
from bargein.providers.model_server import DEFAULT_MAX_TOKENS
from bargein.providers.vendor_state import state_of
from bargein.wire.base import JsonObject, Number, WireModel
from bargein.wire.json import as_object, as_objects, read_json

STATE: Final = "anthropic"
"""The name of the state that tool calls carry: the thinking before them, which comes back with their results."""

_CACHE: Final[JsonObject] = {"type": "ephemeral"}
_NOT_IN_AN_ID = re.compile(r"[^a-zA-Z0-9_-]")
_NO_RESULT = "There is no result."
_NO_PARAMETERS: Final[JsonObject] = {"type": "object", "properties": {}}

_ADAPTIVE = re.compile(r"claude-(opus-4-[78]|[a-z]+-[5-9]|mythos-preview)")
"""Models that decide themselves how much they think, and refuse a budget (Anthropic's page on thinking)."""


class ThinkingConfig(WireModel):
    """`model.thinking` (Vapi's `AnthropicThinkingConfig`)."""

    type: Literal["enabled"]
    budget_tokens: Number


@dataclass(frozen=True, slots=True, kw_only=True)
class MessagesOptions:
    """The options of a request.

    Attributes:
        model: name of the model.
        max_tokens: `maxTokens`, the longest reply; thinking has its budget beside it.
        temperature: from 0 to 1; None: Anthropic's default. Its newer models refuse any.
        thinking_tokens: `thinking.budgetTokens`; None: Claude does not think unless its model always does.
        answer_schema: the schema of the arguments of `ANSWER_TOOL`, which Claude then has to call; None: it answers
            freely. Where it thinks, it cannot be made to call a tool, so `thinking_tokens` must be None.
    """

    model: str
    max_tokens: int = DEFAULT_MAX_TOKENS
    temperature: float | None = None
    thinking_tokens: int | None = None
    answer_schema: JsonObject | None = None


ANSWER_TOOL: Final = "answer"
"""The tool whose arguments are an answer that is held to a schema."""


def request_body(
    options: MessagesOptions, messages: Sequence[ChatMessage], tools: Sequence[JsonObject]
) -> dict[str, Any]:
    """Return the body of a request without `model` and `stream`, which Bedrock has elsewhere.

    The instructions and the conversation up to its end are marked for Anthropic's prompt cache.
    """
    instructions, rest = split_instructions(messages)
    turns = _turns(rest)
    body: dict[str, Any] = {"max_tokens": options.max_tokens, "messages": turns}
    if turns and turns[-1]["content"]:
        turns[-1]["content"][-1]["cache_control"] = _CACHE
    if instructions:
        body["system"] = [{"type": "text", "text": instructions, "cache_control": _CACHE}]
    if tools:
        body["tools"] = [_tool(tool) for tool in tools]
    if options.answer_schema is not None:
        body["tools"] = [
            {"name": ANSWER_TOOL, "description": "Give the answer.", "input_schema": options.answer_schema}
        ]
        body["tool_choice"] = {"type": "tool", "name": ANSWER_TOOL}
    thinks = options.thinking_tokens is not None and _may_think(turns)
    if options.thinking_tokens is not None and thinks:
        adaptive = _ADAPTIVE.search(options.model) is not None
        budget = {"type": "enabled", "budget_tokens": options.thinking_tokens}
        body["thinking"] = {"type": "adaptive"} if adaptive else budget
        body["max_tokens"] += options.thinking_tokens  # thinking counts toward this limit
    else:
        _drop_thinking(turns)
    if options.temperature is not None and not thinks:  # thinking allows no other than Anthropic's own
        body["temperature"] = min(options.temperature, 1.0)
    return body


def _tool(tool: JsonObject) -> JsonObject:
    function = as_object(tool.get("function"))
    given = {"name": function.get("name"), "input_schema": as_object(function.get("parameters")) or _NO_PARAMETERS}
    return given | ({"description": function["description"]} if function.get("description") else {})


def _turns(messages: Sequence[ChatMessage]) -> list[dict[str, Any]]:
    """Return the messages as turns of user and assistant; each call of a tool is answered in the turn after it."""
    turns: list[dict[str, Any]] = []
    open_calls: list[str] = []
    for message in messages:
        role = "assistant" if message.role == "assistant" else "user"
        blocks = _blocks(message, open_calls)
        if not blocks:
            continue
        if turns and turns[-1]["role"] == role and not (role == "assistant" and open_calls):
            turns[-1]["content"] += blocks
        else:
            _answer(turns, open_calls, role)
            turns.append({"role": role, "content": blocks})
        open_calls += [block["id"] for block in blocks if block["type"] == "tool_use"]
    _answer(turns, open_calls, "assistant")
    for turn in turns:
        if turn["role"] == "user":
            results = [block for block in turn["content"] if block["type"] == "tool_result"]
            others = [block for block in turn["content"] if block["type"] != "tool_result"]
            turn["content"] = results + others  # the order that the API demands
    return turns


def _answer(turns: list[dict[str, Any]], open_calls: list[str], next_role: str) -> None:
    """Add a result to calls that have none once their turn is over."""
    if not open_calls or next_role == "user":
        return
    missing = [{"type": "tool_result", "tool_use_id": one, "content": _NO_RESULT} for one in open_calls]
    open_calls.clear()
    if turns[-1]["role"] == "user":
        turns[-1]["content"] += missing
    else:
        turns.append({"role": "user", "content": missing})


def _blocks(message: ChatMessage, open_calls: list[str]) -> list[dict[str, Any]]:
    text = [{"type": "text", "text": message.content}] if message.content.strip() else []
    if message.role == "assistant":
        thoughts = [as_object(block) for call in message.tool_calls for block in as_objects(state_of(call, STATE))]
        # the API refuses a final text with white space at its end
        said = [{"type": "text", "text": message.content.rstrip()}] if text else []
        return [*thoughts, *said, *(_call(call) for call in message.tool_calls)]
    if message.tool_call_id is None:
        return text
    call_id = _id(message.tool_call_id)
    if call_id not in open_calls:  # its call is no longer in the conversation
        return text
    open_calls.remove(call_id)
    return [{"type": "tool_result", "tool_use_id": call_id, "content": message.content or _NO_RESULT}]


def _call(call: ToolCall) -> dict[str, Any]:
    try:
        given = as_object(read_json(call.arguments))
    except ValueError:
        given = {}
    return {"type": "tool_use", "id": _id(call.id), "name": call.name, "input": given}


def _id(call_id: str) -> str:
    """Return an id that Anthropic accepts; those of other vendors may have other characters."""
    return _NOT_IN_AN_ID.sub("_", call_id)


def _may_think(turns: list[dict[str, Any]]) -> bool:
    """Return False if the last turn of Claude's called tools without its thinking, which the API then demands."""
    last = next((turn for turn in reversed(turns) if turn["role"] == "assistant"), None)
    if last is None or turns[-1]["content"][0]["type"] != "tool_result":
        return True
    return last["content"][0]["type"] in {"thinking", "redacted_thinking"}


def _drop_thinking(turns: list[dict[str, Any]]) -> None:
    for turn in turns:
        turn["content"] = [b for b in turn["content"] if b["type"] not in {"thinking", "redacted_thinking"}]


def input_text(pieces: Sequence[str]) -> str:
    """Return the arguments of a call from the pieces of its JSON; none at all are an empty object."""
    return "".join(pieces) or json.dumps({})
