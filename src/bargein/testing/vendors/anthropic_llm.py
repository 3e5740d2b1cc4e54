"""A fake of Anthropic's Messages API, from the types of Anthropic's client library."""

import json
from collections.abc import Sequence
from itertools import pairwise
from typing import Any, Literal

from typing_extensions import override

from bargein.testing.http_peer import Exchange
from bargein.testing.vendors.scripted_llm import KEY, ModelScript, ScriptedLlm, halves, signature_of
from bargein.wire.base import JsonObject
from bargein.wire.json import as_object, as_objects

_TYPES = {
    400: "invalid_request_error", 401: "authentication_error", 402: "billing_error", 403: "permission_error",
    404: "not_found_error", 429: "rate_limit_error", 500: "api_error", 529: "overloaded_error",
}  # fmt: skip


_VERSIONS = ("2023-06-01", "2026-10-21")
"""The versions of the API; the later one has no `temperature`."""


class MessageEvents:
    """The events of an answer, in their order; each piece opens and closes the parts around it."""

    def __init__(self) -> None:
        self._index = -1
        self._open = ""
        self._thought = ""

    def begin(self) -> list[dict[str, Any]]:
        """Return the first events."""
        message: JsonObject = {
            "id": "msg_1", "type": "message", "role": "assistant", "model": "claude", "content": [],
            "stop_reason": None, "stop_sequence": None, "usage": {"input_tokens": 10, "output_tokens": 1},
        }  # fmt: skip
        return [{"type": "message_start", "message": message}, {"type": "ping"}]

    def text(self, token: str) -> list[dict[str, Any]]:
        """Return the events of a piece of text."""
        events = [] if self._open == "text" else self._start("text", {"type": "text", "text": ""})
        return [*events, self._delta({"type": "text_delta", "text": token})]

    def thought(self, text: str) -> list[dict[str, Any]]:
        """Return the events of a piece of thinking."""
        block = {"type": "thinking", "thinking": "", "signature": ""}
        events = [] if self._open == "thinking" else self._start("thinking", block)
        self._thought += text
        return [*events, self._delta({"type": "thinking_delta", "thinking": text})]

    def call(self, number: int, name: str, arguments: str) -> list[dict[str, Any]]:
        """Return the events of a tool call."""
        block: JsonObject = {"type": "tool_use", "id": f"toolu_{number + 1}", "name": name, "input": {}}
        events = self._start(f"call {number}", block)
        pieces = ["", *halves(arguments)]
        return events + [self._delta({"type": "input_json_delta", "partial_json": piece}) for piece in pieces]

    def finish(self, reason: str) -> list[dict[str, Any]]:
        """Return the last events."""
        delta = {"stop_reason": reason, "stop_sequence": None}
        return [
            *self._stop(),
            {"type": "message_delta", "delta": delta, "usage": {"output_tokens": 9}},
            {"type": "message_stop"},
        ]

    def _start(self, kind: str, block: dict[str, Any]) -> list[dict[str, Any]]:
        events = self._stop()
        self._index += 1
        self._open = kind
        return [*events, {"type": "content_block_start", "index": self._index, "content_block": block}]

    def _delta(self, delta: dict[str, Any]) -> dict[str, Any]:
        return {"type": "content_block_delta", "index": self._index, "delta": delta}

    def _stop(self) -> list[dict[str, Any]]:
        if not self._open:
            return []
        signed = self._open == "thinking"
        signature = self._delta({"type": "signature_delta", "signature": signature_of(self._thought)})
        self._open = ""
        return [*([signature] if signed else []), {"type": "content_block_stop", "index": self._index}]


REASONS = {"stop": "end_turn", "calls": "tool_use", "length": "max_tokens", "blocked": "refusal"}
"""The `stop_reason` of each end."""


class AnthropicLlm(ScriptedLlm):
    """A fake of Anthropic's API.

    Args:
        script: the behaviour.
    """

    def __init__(self, script: ModelScript | None = None) -> None:
        super().__init__(script)
        self._events = MessageEvents()

    @property
    @override
    def url(self) -> str:
        return self.origin

    @override
    def refusal_of(self, exchange: Exchange) -> int:
        if exchange.path.partition("?")[0] != "/v1/messages":
            return 404
        if KEY not in {
            exchange.headers.get("x-api-key"),
            exchange.headers.get("authorization", "").removeprefix("Bearer "),
        }:
            return 401
        version = exchange.headers.get("anthropic-version")
        wrong = version not in _VERSIONS or (version != _VERSIONS[0] and "temperature" in exchange.body)
        return 400 if wrong or conversation_problem(exchange.body) is not None else 0

    @override
    def error_body(self, status: int, message: str) -> bytes:
        error = {"type": _TYPES.get(status, "api_error"), "message": message}
        return json.dumps({"type": "error", "error": error, "request_id": "req_1"}).encode()

    @override
    def begin(self) -> bytes:
        self._events = MessageEvents()
        return self.encode(self._events.begin())

    @override
    def text(self, token: str) -> bytes:
        return self.encode(self._events.text(token))

    @override
    def thought(self, text: str) -> bytes:
        return self.encode(self._events.thought(text))

    @override
    def call(self, number: int, name: str, arguments: str) -> Sequence[bytes]:
        return [self.encode([event]) for event in self._events.call(number, name, arguments)]

    @override
    def finish(self, reason: Literal["stop", "calls", "length", "blocked"]) -> bytes:
        return self.encode(self._events.finish(REASONS[reason]))

    @override
    def error_event(self, status: int, message: str) -> bytes:
        return self.encode([json.loads(self.error_body(status, message))])

    def encode(self, events: Sequence[dict[str, Any]]) -> bytes:
        """Return events as server-sent events."""
        return b"".join(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode() for event in events)


def conversation_problem(body: object) -> str | None:
    """Return why Anthropic's API would refuse a conversation; None: it would not."""
    given = as_object(body)
    turns = as_objects(given.get("messages"))
    if not turns or turns[0]["role"] != "user" or turns[-1]["role"] != "user":
        return "the first and the last message must be a user's"
    if any(not turn["content"] for turn in turns):
        return "a message is empty"
    for before, turn in pairwise(turns):
        if before["role"] == turn["role"]:
            return "roles must alternate"
        called = sorted(str(block["id"]) for block in _of_type(before, "tool_use"))
        answered = sorted(str(block["tool_use_id"]) for block in _of_type(turn, "tool_result"))
        if called != answered:
            return "each tool_use needs its tool_result in the next message"
        thinks = given.get("thinking") is not None and turn is turns[-1]
        if called and thinks and before["content"][0]["type"] not in {"thinking", "redacted_thinking"}:
            return "a message with tool_use must begin with its thinking"
    return None


def _of_type(turn: JsonObject, kind: str) -> list[JsonObject]:
    return [block for block in as_objects(turn.get("content")) if block.get("type") == kind]
