"""A fake of Smallest AI's `POST /waves/v1/tts/live`, by the types of its Python SDK 5.14: server-sent events."""

import base64
import json

from typing_extensions import override

from bargein.testing.http_peer import Exchange
from bargein.testing.vendors.voice_http import HttpVoiceFake
from bargein.testing.vendors.voice_speech import Asked, Piece, RefusedError, text_field
from bargein.wire.json import as_object

_KNOWN = frozenset({
    "text", "voice_id", "model", "sample_rate", "speed", "language", "output_format", "pronunciation_dicts",
    "word_timestamps", "session_id", "request_id", "number_pronunciation_language",
})  # fmt: skip
_MODELS = frozenset({"lightning_v3.1", "lightning_v3.1_pro"})


class FakeSmallestAiVoice(HttpVoiceFake):
    """Smallest AI's speech as server-sent events."""

    content_type = "text/event-stream"

    @override
    def key_of(self, exchange: Exchange) -> str:
        return exchange.headers.get("authorization", "").removeprefix("Bearer ")

    @override
    def error_body(self, status: int, says: str) -> bytes:
        return json.dumps({"error": says, "status": "error"}).encode()

    @override
    def read(self, exchange: Exchange) -> Asked:
        if (exchange.method, exchange.path) != ("POST", "/waves/v1/tts/live"):
            raise RefusedError(404, "Not Found")
        body = as_object(exchange.body)
        if unknown := body.keys() - _KNOWN:
            raise RefusedError(400, f"unknown field {min(unknown)}")
        if body.get("model") not in _MODELS or body.get("output_format") != "pcm":
            raise RefusedError(400, "the model or the format is not offered")
        text_field(body, "voice_id")
        return Asked(text=text_field(body, "text"), rate_hz=int(str(body["sample_rate"])), fields=body)

    @override
    def frame(self, asked: Asked, piece: Piece) -> bytes:
        data = json.dumps({"audio": base64.b64encode(piece.audio).decode()}).encode()
        return b"event: audio\ndata: " + data + b"\n\n"

    @override
    def tail(self, asked: Asked) -> bytes:
        return b'data: {"done": true}\n\n'

    @override
    def broken_frame(self) -> bytes:
        return b"event: audio\ndata: {broken\n\n"

    @override
    def error_frame(self, says: str) -> bytes:
        return b"event: error\ndata: " + json.dumps({"error": says}).encode() + b"\n\n"
