"""A fake of OpenAI's `POST /v1/audio/speech`, by its API reference and the types of its Python SDK 3.57."""

import json

from typing_extensions import override

from bargein.testing.http_peer import Exchange
from bargein.testing.vendors.voice_http import HttpVoiceFake
from bargein.testing.vendors.voice_speech import Asked, RefusedError, text_field
from bargein.wire.json import as_object

_KNOWN = frozenset({"model", "input", "voice", "instructions", "response_format", "speed", "stream_format"})
_RATE_HZ = 24_000


class FakeOpenAiVoice(HttpVoiceFake):
    """OpenAI's speech as raw audio at 24 kHz; other formats are refused."""

    content_type = "audio/pcm"

    @override
    def key_of(self, exchange: Exchange) -> str:
        return exchange.headers.get("authorization", "").removeprefix("Bearer ")

    @override
    def error_body(self, status: int, says: str) -> bytes:
        error = {"message": says, "type": "invalid_request_error", "param": None, "code": None}
        return json.dumps({"error": error}).encode()

    @override
    def read(self, exchange: Exchange) -> Asked:
        if (exchange.method, exchange.path) != ("POST", "/v1/audio/speech"):
            raise RefusedError(404, "Invalid URL")
        body = as_object(exchange.body)
        if unknown := body.keys() - _KNOWN:
            raise RefusedError(400, f"Unknown parameter: {min(unknown)}")
        if body.get("response_format") != "pcm":
            raise RefusedError(400, "this fake has pcm alone")
        text_field(body, "model")
        text_field(body, "voice")
        return Asked(text=text_field(body, "input"), rate_hz=_RATE_HZ, fields=body)
