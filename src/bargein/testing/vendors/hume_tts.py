"""A fake of Hume's `POST /v0/tts/stream/json`, by the types of its Python SDK 0.14: one JSON object a line."""

import base64
import json
from typing import TYPE_CHECKING

from typing_extensions import override

from bargein.testing.http_peer import Exchange
from bargein.testing.vendors.voice_http import HttpVoiceFake
from bargein.testing.vendors.voice_speech import Asked, Piece, RefusedError, text_field
from bargein.wire.json import as_object, as_objects

if TYPE_CHECKING:
    from bargein.wire.base import JsonObject

_RATE_HZ = 48_000
_KNOWN = frozenset({
    "context", "format", "include_timestamp_types", "num_generations", "split_utterances", "strip_headers",
    "temperature", "utterances", "version", "instant_mode",
})  # fmt: skip
_IDS = {"request_id": "r-1", "generation_id": "g-1", "snippet_id": "s-1"}


class FakeHumeVoice(HttpVoiceFake):
    """Hume's speech at 48 kHz; word times come with version 2 alone."""

    content_type = "application/json"

    @override
    def key_of(self, exchange: Exchange) -> str:
        return exchange.headers.get("x-hume-api-key", "")

    @override
    def error_body(self, status: int, says: str) -> bytes:
        return json.dumps({"code": f"E{status}", "error": "error", "message": says}).encode()

    @override
    def read(self, exchange: Exchange) -> Asked:
        if (exchange.method, exchange.path) != ("POST", "/v0/tts/stream/json"):
            raise RefusedError(404, "Not Found")
        body = as_object(exchange.body)
        if unknown := body.keys() - _KNOWN:
            raise RefusedError(422, f"unknown field {min(unknown)}")
        if body.get("format") != {"type": "pcm"} or not body.get("strip_headers"):
            raise RefusedError(422, "this fake has pcm without headers alone")
        if body.get("include_timestamp_types") and body.get("version") != "2":
            raise RefusedError(422, "timestamps are of version 2")
        (utterance,) = as_objects(body.get("utterances"))
        if body.get("instant_mode") and not utterance.get("voice"):
            raise RefusedError(422, "instant_mode requires a voice")
        return Asked(text=text_field(utterance, "text", 422), rate_hz=_RATE_HZ, fields=body)

    @override
    def frame(self, asked: Asked, piece: Piece) -> bytes:
        audio = base64.b64encode(piece.audio).decode()
        frames: list[JsonObject] = [
            {
                "type": "audio",
                "audio": audio,
                "audio_format": "pcm",
                "chunk_index": 0,
                "is_last_chunk": False,
                "text": asked.text,
                "utterance_index": 0,
                **_IDS,
            }
        ]
        if piece.word is not None and asked.fields.get("include_timestamp_types"):
            word = piece.word
            time = {"begin": word.start_ms, "end": word.end_ms}
            frames.append({"type": "timestamp", "timestamp": {"type": "word", "text": word.text, "time": time}, **_IDS})
        return b"".join(json.dumps(frame).encode() + b"\n" for frame in frames)

    @override
    def error_frame(self, says: str) -> bytes:
        return json.dumps({"type": "error", "message": says}).encode() + b"\n"
