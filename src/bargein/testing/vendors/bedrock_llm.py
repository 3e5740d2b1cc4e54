"""A fake of Claude at Amazon Bedrock: signed requests, and answers in AWS's binary event stream."""

import base64
import json
import re
import struct
import zlib
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote, unquote

from typing_extensions import override

from bargein.testing.http_peer import Exchange
from bargein.testing.vendors.anthropic_llm import AnthropicLlm, conversation_problem

ACCESS_KEY_ID = "AKIAFAKE0123456789AB"
SECRET_ACCESS_KEY = "fake/secret+0123456789abcdefghijklmnopqr"  # noqa: S105 - of the fake

_PATH = re.compile(r"/model/([^/]+)/invoke-with-response-stream")
_CREDENTIAL = re.compile(
    r"AWS4-HMAC-SHA256 Credential=(?P<key>[^/]+)/\d{8}/(?P<region>[a-z0-9-]+)/bedrock/aws4_request, "
    r"SignedHeaders=(?P<headers>[a-z0-9;-]+), Signature=[0-9a-f]{64}"
)
_EXCEPTIONS = {
    400: "validationException", 403: "accessDeniedException", 429: "throttlingException",
    500: "internalServerException", 503: "serviceUnavailableException",
}  # fmt: skip


class BedrockLlm(AnthropicLlm):
    """A fake of Bedrock's runtime; it checks the form of a signature, not its value.

    Attributes:
        models: the ids of the models that were asked.
    """

    content_type = "application/vnd.amazon.eventstream"

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.models: list[str] = []

    @override
    def refusal_of(self, exchange: Exchange) -> int:
        found = _PATH.fullmatch(exchange.path)
        if found is None or quote(unquote(found[1]), safe="") != found[1]:
            return 404
        self.models.append(unquote(found[1]))
        signed = _CREDENTIAL.fullmatch(exchange.headers.get("authorization", ""))
        if signed is None or signed["key"] != ACCESS_KEY_ID or "x-amz-date" not in exchange.headers:
            return 403
        wrong = exchange.body.get("anthropic_version") != "bedrock-2023-05-31" or exchange.body.keys() & {
            "model",
            "stream",
        }
        return 400 if wrong or conversation_problem(exchange.body) is not None else 0

    @override
    def error_body(self, status: int, message: str) -> bytes:
        return json.dumps({"message": message}).encode()

    @override
    def error_event(self, status: int, message: str) -> bytes:
        name = _EXCEPTIONS.get(status, "modelStreamErrorException")
        return _message({":message-type": "exception", ":exception-type": name}, self.error_body(status, message))

    @override
    def broken_event(self) -> bytes:
        return _message({":message-type": "event", ":event-type": "chunk"}, b"{broken")

    @override
    def encode(self, events: Sequence[dict[str, Any]]) -> bytes:
        headers = {":message-type": "event", ":event-type": "chunk", ":content-type": "application/json"}
        return b"".join(
            _message(headers, json.dumps({"bytes": base64.b64encode(json.dumps(event).encode()).decode()}).encode())
            for event in events
        )


def _message(headers: dict[str, str], payload: bytes) -> bytes:
    encoded = b"".join(
        bytes([len(name)]) + name.encode() + b"\x07" + struct.pack(">H", len(value)) + value.encode()
        for name, value in headers.items()
    )
    prelude = struct.pack(">II", 16 + len(encoded) + len(payload), len(encoded))
    message = prelude + struct.pack(">I", zlib.crc32(prelude)) + encoded + payload
    return message + struct.pack(">I", zlib.crc32(message))
