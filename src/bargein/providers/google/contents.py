"""Requests of Gemini's `generateContent`: the conversation and the tools."""

import re
from collections.abc import Sequence
from typing import Any, Final

from bargein.ports import ChatMessage, ToolCall
from bargein.providers.conversation import split_instructions
from bargein.providers.vendor_state import state_of
from bargein.wire.base import JsonObject
from bargein.wire.json import as_object, as_object_or_none, as_string, read_json

STATE: Final = "google"
"""The name of the state that tool calls carry: Gemini's id and thought signature of a call."""

NO_SIGNATURE: Final = "skip_thought_signature_validator"
"""Stands for the signature of a call that has none (another vendor's model made it), by Google's page on thought
signatures. Gemini 3 answers 400 to a call of the current turn without any."""

_THINKS_AT_WILL = re.compile(r"gemini-2\.5-(flash|flash-lite)\b")
_THINKS_ALWAYS = re.compile(r"gemini-2\.5-pro\b")
_HAS_LEVELS = re.compile(r"gemini-([3-9]|\d\d)")

_LEAST_BUDGET = 128
_LOW_THOUGHT_TOKENS = 1024
"""The room beside `model.maxTokens` for the thoughts of a model that cannot do without: they count toward the limit."""


def generation_config(model: str, temperature: float, max_tokens: int) -> dict[str, Any]:
    """Return the options of a request.

    Gemini thinks by default, for seconds, and out of the limit of tokens. It is told not to where a model can do
    without, else to think as little as it can (Google's page on thinking).
    """
    config: dict[str, Any] = {"temperature": temperature, "maxOutputTokens": max_tokens}
    if _THINKS_AT_WILL.search(model):
        config["thinkingConfig"] = {"thinkingBudget": 0}
    elif _THINKS_ALWAYS.search(model):
        config["thinkingConfig"] = {"thinkingBudget": _LEAST_BUDGET}
        config["maxOutputTokens"] += _LEAST_BUDGET
    elif _HAS_LEVELS.search(model):
        config["thinkingConfig"] = {"thinkingLevel": "low"}
        config["maxOutputTokens"] += _LOW_THOUGHT_TOKENS
    return config


def request_body(
    model: str, config: dict[str, Any], messages: Sequence[ChatMessage], tools: Sequence[JsonObject]
) -> dict[str, Any]:
    """Return the body of a request.

    Args:
        model: name of the model.
        config: its options (`generation_config`).
        messages: the conversation.
        tools: as OpenAI declares functions.
    """
    instructions, rest = split_instructions(messages)
    contents = _contents(rest)
    if not _HAS_LEVELS.search(model):
        contents = [{**one, "parts": [_unsigned(part) for part in one["parts"]]} for one in contents]
    body: dict[str, Any] = {"contents": contents, "generationConfig": config}
    if instructions:
        body["systemInstruction"] = {"parts": [{"text": instructions}]}
    if tools:
        body["tools"] = [{"functionDeclarations": [_declaration(as_object(tool.get("function"))) for tool in tools]}]
    return body


def _declaration(function: JsonObject) -> dict[str, Any]:
    given: dict[str, Any] = {"name": function.get("name"), "description": function.get("description") or ""}
    parameters = as_object(function.get("parameters"))
    if as_object(parameters.get("properties")):  # an empty object is refused
        given["parametersJsonSchema"] = parameters
    return given


def _contents(messages: Sequence[ChatMessage]) -> list[dict[str, Any]]:
    """Return the messages as contents of user and model in turn; calls without results get one that says so."""
    contents: list[dict[str, Any]] = []
    open_calls: dict[str, ToolCall] = {}
    for message in messages:
        if message.role == "tool":
            call = open_calls.pop(message.tool_call_id or "", None)
            parts = [_text(message.content)] if call is None else [_result(call, message.content)]
            _add(contents, "user", [part for part in parts if part])
            continue
        if open_calls:
            _add(contents, "user", [_result(call, "There is no result.") for call in open_calls.values()])
            open_calls = {}
        role = "model" if message.role == "assistant" else "user"
        calls = [_call(call, first=not index) for index, call in enumerate(message.tool_calls)]
        _add(contents, role, [*([_text(message.content)] if message.content.strip() else []), *calls])
        open_calls = {call.id: call for call in message.tool_calls}
    if open_calls:
        _add(contents, "user", [_result(call, "There is no result.") for call in open_calls.values()])
    return contents


def _add(contents: list[dict[str, Any]], role: str, parts: list[dict[str, Any]]) -> None:
    if not parts:
        return
    if contents and contents[-1]["role"] == role:
        contents[-1]["parts"] += parts
    else:
        contents.append({"role": role, "parts": parts})


def _text(text: str) -> dict[str, Any]:
    return {"text": text} if text.strip() else {}


def _call(call: ToolCall, *, first: bool) -> dict[str, Any]:
    """Return a call; of several at once, Gemini signs the first one alone."""
    state = as_object(state_of(call, STATE))
    try:
        arguments = as_object(read_json(call.arguments))
    except ValueError:
        arguments = {}
    part: dict[str, Any] = {"functionCall": {"name": call.name, "args": arguments, **_own_id(state)}}
    signature = as_string(state.get("signature")) or (NO_SIGNATURE if first else None)
    return part if signature is None else {**part, "thoughtSignature": signature}


def _unsigned(part: dict[str, Any]) -> dict[str, Any]:
    """Return a part without the value that stands for a signature, which older models do not know."""
    return {name: value for name, value in part.items() if value != NO_SIGNATURE}


def _result(call: ToolCall, text: str) -> dict[str, Any]:
    try:
        response = as_object_or_none(read_json(text))
    except ValueError:
        response = None
    own_id = _own_id(as_object(state_of(call, STATE)))
    return {
        "functionResponse": {
            "name": call.name,
            "response": {"result": text} if response is None else response,
            **own_id,
        }
    }


def _own_id(state: JsonObject) -> dict[str, Any]:
    return {"id": state["id"]} if as_string(state.get("id")) else {}
