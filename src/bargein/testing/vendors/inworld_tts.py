"""A fake of Inworld's `POST /tts/v1/voice:stream`, by its API reference: one JSON object a line."""

import base64
import json
from typing import TYPE_CHECKING

from typing_extensions import override

from bargein.audio.wav import wav_header
from bargein.testing.http_peer import Exchange
from bargein.testing.vendors.voice_http import HttpVoiceFake
from bargein.testing.vendors.voice_speech import Asked, Piece, RefusedError, text_field
from bargein.wire.json import as_object

if TYPE_CHECKING:
    from bargein.wire.base import JsonObject

_KNOWN = frozenset({"text", "voiceId", "modelId", "audioConfig", "temperature", "language", "timestampType"})


class FakeInworldVoice(HttpVoiceFake):
    """Inworld's speech, each chunk with a WAV header of its own, as LINEAR16 has."""

    content_type = "application/json"

    @override
    def key_of(self, exchange: Exchange) -> str:
        return exchange.headers.get("authorization", "").removeprefix("Basic ")

    @override
    def error_body(self, status: int, says: str) -> bytes:
        return json.dumps({"error": {"code": status, "message": says, "details": []}}).encode()

    @override
    def read(self, exchange: Exchange) -> Asked:
        if (exchange.method, exchange.path) != ("POST", "/tts/v1/voice:stream"):
            raise RefusedError(404, "Not Found")
        body = as_object(exchange.body)
        audio = as_object(body.get("audioConfig"))
        if unknown := body.keys() - _KNOWN:
            raise RefusedError(400, f"unknown field {min(unknown)}")
        if audio.get("audioEncoding") != "LINEAR16":
            raise RefusedError(400, "this fake has LINEAR16 alone")
        text_field(body, "voiceId")
        text_field(body, "modelId")
        return Asked(text=text_field(body, "text"), rate_hz=int(str(audio["sampleRateHertz"])), fields=body)

    @override
    def frame(self, asked: Asked, piece: Piece) -> bytes:
        audio = wav_header(asked.rate_hz, len(piece.audio)) + piece.audio
        result: JsonObject = {"audioContent": base64.b64encode(audio).decode()}
        if piece.word is not None and asked.fields.get("timestampType") == "WORD":
            word = piece.word
            result["timestampInfo"] = {
                "wordAlignment": {
                    "words": [word.text],
                    "wordStartTimeSeconds": [word.start_ms / 1000],
                    "wordEndTimeSeconds": [word.end_ms / 1000],
                }
            }
        return json.dumps({"result": result}).encode() + b"\n"
