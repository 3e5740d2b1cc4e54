"""A fake of MiniMax's `POST /v1/t2a_v2`, by its API reference: server-sent events with hexadecimal audio.

Errors of the account come as JSON with status 200, as MiniMax sends them.
"""

import json
from urllib.parse import urlsplit

from typing_extensions import override

from bargein.testing.http_peer import Exchange
from bargein.testing.vendors.voice_http import HttpVoiceFake
from bargein.testing.vendors.voice_speech import Asked, Piece, RefusedError, text_field
from bargein.wire.base import JsonObject
from bargein.wire.json import as_object

_KNOWN = frozenset({"model", "text", "stream", "stream_options", "voice_setting", "audio_setting", "language_boost"})
_CODES = {401: 1004, 429: 1002}


class FakeMinimaxVoice(HttpVoiceFake):
    """MiniMax's speech as server-sent events."""

    content_type = "text/event-stream"

    @override
    def key_of(self, exchange: Exchange) -> str:
        return exchange.headers.get("authorization", "").removeprefix("Bearer ")

    @override
    def error_body(self, status: int, says: str) -> bytes:
        return json.dumps({"base_resp": {"status_code": _CODES.get(status, 1000), "status_msg": says}}).encode()

    @override
    def http_status(self, status: int) -> int:
        return 200 if status == 401 else status

    @override
    def read(self, exchange: Exchange) -> Asked:
        if exchange.method != "POST" or urlsplit(exchange.path).path != "/v1/t2a_v2":
            raise RefusedError(404, "Not Found")
        body = as_object(exchange.body)
        audio, voice = as_object(body.get("audio_setting")), as_object(body.get("voice_setting"))
        if unknown := body.keys() - _KNOWN:
            raise RefusedError(400, f"unknown field {min(unknown)}")
        if audio.get("format") != "pcm" or audio.get("channel") != 1 or body.get("stream") is not True:
            raise RefusedError(400, "this fake streams pcm of one channel alone")
        text_field(voice, "voice_id")
        text_field(body, "model")
        return Asked(text=text_field(body, "text"), rate_hz=int(str(audio["sample_rate"])), fields=body)

    @override
    def frame(self, asked: Asked, piece: Piece) -> bytes:
        return _event({"data": {"audio": piece.audio.hex(), "status": 1}, "trace_id": "t", "base_resp": _OK})

    @override
    def tail(self, asked: Asked) -> bytes:
        last = {"data": {"audio": "", "status": 2}, "extra_info": {"audio_length": 1}, "trace_id": "t"}
        return _event({**last, "base_resp": _OK})

    @override
    def broken_frame(self) -> bytes:
        return b"data: {broken\n\n"

    @override
    def error_frame(self, says: str) -> bytes:
        return _event({"trace_id": "t", "base_resp": {"status_code": 1000, "status_msg": says}})


_OK: JsonObject = {"status_code": 0, "status_msg": "success"}


def _event(data: JsonObject) -> bytes:
    return b"data: " + json.dumps(data).encode() + b"\n\n"
