"""A fake of Neuphonic's `POST /sse/speak/{lang}`, by its Python SDK 3.1: server-sent events with base64 audio."""

import base64
import json

from typing_extensions import override

from bargein.testing.http_peer import Exchange
from bargein.testing.vendors.voice_http import HttpVoiceFake
from bargein.testing.vendors.voice_speech import Asked, Piece, RefusedError, text_field
from bargein.wire.json import as_object

_KNOWN = frozenset({"text", "voice_id", "lang_code", "model", "encoding", "sampling_rate", "speed", "temperature"})


class FakeNeuphonicVoice(HttpVoiceFake):
    """Neuphonic's speech as server-sent events."""

    content_type = "text/event-stream"

    @override
    def key_of(self, exchange: Exchange) -> str:
        return exchange.headers.get("x-api-key", "")

    @override
    def error_body(self, status: int, says: str) -> bytes:
        return json.dumps({"detail": says}).encode()

    @override
    def read(self, exchange: Exchange) -> Asked:
        body = as_object(exchange.body)
        if (exchange.method, exchange.path) != ("POST", f"/sse/speak/{body.get('lang_code')}"):
            raise RefusedError(404, "Not Found")
        if unknown := body.keys() - _KNOWN:
            raise RefusedError(422, f"unknown field {min(unknown)}")
        if body.get("encoding") != "pcm_linear":
            raise RefusedError(422, "this fake has pcm_linear alone")
        return Asked(text=text_field(body, "text", 422), rate_hz=int(str(body["sampling_rate"])), fields=body)

    @override
    def frame(self, asked: Asked, piece: Piece) -> bytes:
        word = "" if piece.word is None else piece.word.text
        audio = base64.b64encode(piece.audio).decode()
        data = {"status_code": 200, "data": {"audio": audio, "text": word, "sampling_rate": asked.rate_hz}}
        return b"event: message\ndata: " + json.dumps(data).encode() + b"\n\n"

    @override
    def broken_frame(self) -> bytes:
        return b"event: message\ndata: {broken\n\n"

    @override
    def error_frame(self, says: str) -> bytes:
        data = {"status_code": 500, "data": None, "errors": [{"message": says}]}
        return b"event: error\ndata: " + json.dumps(data).encode() + b"\n\n"
