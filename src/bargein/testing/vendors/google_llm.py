"""A fake of Gemini's `streamGenerateContent`, from the types of Google's client library."""

import base64
import json
import re
from collections.abc import Sequence
from itertools import pairwise
from typing import Any, Literal

from typing_extensions import override

from bargein.testing.http_peer import Exchange
from bargein.testing.vendors.scripted_llm import KEY, ScriptedLlm, signature_of
from bargein.wire.json import as_object, as_objects

_PATH = re.compile(r"/v1(?:beta)?/models/([^/:]+):streamGenerateContent\?alt=sse")
_STATUSES = {
    400: "INVALID_ARGUMENT", 401: "UNAUTHENTICATED", 403: "PERMISSION_DENIED", 404: "NOT_FOUND",
    429: "RESOURCE_EXHAUSTED", 500: "INTERNAL", 503: "UNAVAILABLE",
}  # fmt: skip
_REASONS = {"stop": "STOP", "calls": "STOP", "length": "MAX_TOKENS", "blocked": "SAFETY"}


class GoogleLlm(ScriptedLlm):
    """A fake of Google's Gemini API. As Gemini 3, it refuses a call of the last turn without its signature."""

    @property
    @override
    def url(self) -> str:
        return self.origin

    @override
    def refusal_of(self, exchange: Exchange) -> int:
        found = _PATH.fullmatch(exchange.path)
        if found is None:
            return 404
        if exchange.headers.get("x-goog-api-key") != KEY:
            return 401
        signed = found[1].startswith("gemini-3")
        return 400 if conversation_problem(exchange.body, signed=signed) is not None else 0

    @override
    def error_body(self, status: int, message: str) -> bytes:
        return json.dumps({"error": {"code": status, "message": message, "status": _STATUSES.get(status)}}).encode()

    @override
    def begin(self) -> bytes:
        return b""

    @override
    def text(self, token: str) -> bytes:
        return _chunk([{"text": token}])

    @override
    def thought(self, text: str) -> bytes:
        return _chunk([{"text": text, "thought": True}])

    @override
    def call(self, number: int, name: str, arguments: str) -> Sequence[bytes]:
        part: dict[str, Any] = {"functionCall": {"name": name, "args": json.loads(arguments)}}
        if number == 0:
            part["thoughtSignature"] = base64.b64encode(signature_of(name + arguments).encode()).decode()
        return (_chunk([part]),)

    @override
    def finish(self, reason: Literal["stop", "calls", "length", "blocked"]) -> bytes:
        return _chunk([{"text": ""}] if reason != "blocked" else [], _REASONS[reason])

    @override
    def error_event(self, status: int, message: str) -> bytes:
        return b"data: " + self.error_body(status, message) + b"\r\n\r\n"


def conversation_problem(body: object, *, signed: bool) -> str | None:
    """Return why Gemini's API would refuse a conversation; None: it would not."""
    contents = as_objects(as_object(body).get("contents"))
    if not contents or contents[0].get("role", "user") != "user" or contents[-1].get("role", "user") != "user":
        return "the first and the last content must be a user's"
    for before, content in pairwise(contents):
        called = [part for part in as_objects(before.get("parts")) if "functionCall" in part]
        answered = [part for part in as_objects(content.get("parts")) if "functionResponse" in part]
        if len(called) != len(answered):
            return "each functionCall needs its functionResponse in the next content"
        if signed and called and not called[0].get("thoughtSignature"):
            return "a functionCall is missing its thought_signature"
    return None


def _chunk(parts: list[dict[str, Any]], reason: str | None = None) -> bytes:
    candidate: dict[str, Any] = {"index": 0}
    if parts:
        candidate["content"] = {"role": "model", "parts": parts}
    if reason is not None:
        candidate["finishReason"] = reason
    usage = {"promptTokenCount": 10, "totalTokenCount": 12}
    chunk = {"candidates": [candidate], "usageMetadata": usage, "modelVersion": "gemini", "responseId": "r1"}
    return b"data: " + json.dumps(chunk).encode() + b"\r\n\r\n"
