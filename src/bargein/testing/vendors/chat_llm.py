"""Fakes of the vendors whose models speak OpenAI's chat completions, each with its own path and errors."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from typing_extensions import override

from bargein.testing.http_peer import Exchange
from bargein.testing.vendors.scripted_llm import KEY, ModelScript, ScriptedLlm, halves

ErrorShape = Literal["openai", "flat", "detail", "base_resp", "object", "ollama"]
"""`{"error": {"message", "type", "code"}}`; `{"code", "error"}`; `{"detail"}`; MiniMax's `base_resp`;
`{"object": "error", "message"}`; `{"error": …}` as text."""

_CODES = {400: "invalid_request_error", 401: "invalid_api_key", 404: "model_not_found", 429: "rate_limit_exceeded"}
_MINIMAX_CODES = {401: 1004, 402: 1008, 429: 1002, 400: 2013}


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatVendor:
    """A vendor's differences.

    Attributes:
        path: of its base URL.
        error: the shape of its errors.
        thoughts: the field of a delta that its thoughts are in; empty: they are in the text, as `<think>`.
        error_beside: the field beside `choices` in which a stream reports an error; empty: an event of its own.
        content_lists: whether the text of a delta is a list of parts.
    """

    path: str = "/v1"
    error: ErrorShape = "openai"
    thoughts: str = "reasoning_content"
    error_beside: str = ""
    content_lists: bool = False


VENDORS: Mapping[str, ChatVendor] = {
    "openai": ChatVendor(),
    "custom-llm": ChatVendor(thoughts=""),
    "groq": ChatVendor(path="/openai/v1", thoughts="reasoning", error_beside="x_groq"),
    "cerebras": ChatVendor(thoughts="reasoning", error="object"),
    "deep-seek": ChatVendor(path=""),
    "deepinfra": ChatVendor(path="/v1/openai", error="detail"),
    "openrouter": ChatVendor(path="/api/v1", thoughts="reasoning"),
    "perplexity-ai": ChatVendor(path="", thoughts=""),
    "together-ai": ChatVendor(thoughts="reasoning"),
    "xai": ChatVendor(error="flat"),
    "minimax": ChatVendor(thoughts="reasoning_details", error="base_resp"),
    "anyscale": ChatVendor(thoughts=""),
    "inflection-ai": ChatVendor(path="/external/api/inference/openai/v1", error="detail", thoughts=""),
}
"""By Vapi's `provider`."""


class ChatLlm(ScriptedLlm):
    """A fake of such a vendor.

    Args:
        vendor: its differences.
        script: the behaviour.
    """

    def __init__(self, vendor: ChatVendor, script: ModelScript | None = None) -> None:
        super().__init__(script)
        self.vendor = vendor
        self._thinking = False

    @property
    @override
    def url(self) -> str:
        return self.origin + self.vendor.path

    @override
    def refusal_of(self, exchange: Exchange) -> int:
        if exchange.path != f"{self.vendor.path}/chat/completions":
            return 404
        return 0 if exchange.headers.get("authorization") == f"Bearer {KEY}" else 401

    @override
    def error_body(self, status: int, message: str) -> bytes:
        shapes: dict[ErrorShape, dict[str, Any]] = {
            "openai": {"error": {"message": message, "type": "error", "param": None, "code": _CODES.get(status)}},
            "flat": {"code": "The request failed", "error": message},
            "detail": {"detail": {"error": message}},
            "base_resp": {"base_resp": {"status_code": _MINIMAX_CODES.get(status, 1000), "status_msg": message}},
            "object": {"object": "error", "message": message, "code": _CODES.get(status), "status_code": status},
            "ollama": {"error": message},
        }
        return json.dumps(shapes[self.vendor.error]).encode()

    @override
    def begin(self) -> bytes:
        self._thinking = False
        return _chunk({"role": "assistant", "content": ""})

    @override
    def text(self, token: str) -> bytes:
        begin = _chunk({"content": "</think>\n\n"}) if self._thinking else b""
        self._thinking = False
        return begin + _chunk({"content": [{"type": "text", "text": token}] if self.vendor.content_lists else token})

    @override
    def thought(self, text: str) -> bytes:
        name = self.vendor.thoughts
        if name == "reasoning_details":
            return _chunk({"content": "", name: [{"type": "reasoning.text", "index": 0, "text": text}]})
        if name:
            return _chunk({"content": None, name: text})
        begin = "" if self._thinking else "<think>"
        self._thinking = True
        return _chunk({"content": begin + text})

    @override
    def call(self, number: int, name: str, arguments: str) -> Sequence[bytes]:
        head = {"index": number, "id": f"call_{number + 1}", "type": "function"}
        first, second = halves(arguments)
        return (
            _chunk({"tool_calls": [{**head, "function": {"name": name, "arguments": ""}}]}),
            _chunk({"tool_calls": [{"index": number, "function": {"arguments": first}}]}),
            _chunk({"tool_calls": [{"index": number, "function": {"arguments": second}}]}),
        )

    @override
    def finish(self, reason: Literal["stop", "calls", "length", "blocked"]) -> bytes:
        names = {"stop": "stop", "calls": "tool_calls", "length": "length", "blocked": "content_filter"}
        return _chunk({}, names[reason]) + b"data: [DONE]\n\n"

    @override
    def error_event(self, status: int, message: str) -> bytes:
        if self.vendor.error_beside:
            return _event({"choices": [], self.vendor.error_beside: {"error": message}})
        body = json.loads(self.error_body(status, message))
        if isinstance(body.get("error"), dict):
            body["error"]["code"] = status
        return _event(body)


def _event(value: object) -> bytes:
    return b"data: " + json.dumps(value).encode() + b"\n\n"


def _chunk(delta: dict[str, Any], reason: str | None = None) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": reason}
    named = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1_700_000_000, "model": "m"}
    return _event({**named, "choices": [choice]})
