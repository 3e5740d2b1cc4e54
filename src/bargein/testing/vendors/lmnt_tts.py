"""A fake of LMNT's `POST /v1/ai/speech/bytes`, by the types of its Python SDK 2.13."""

import json

from typing_extensions import override

from bargein.testing.http_peer import Exchange
from bargein.testing.vendors.voice_http import HttpVoiceFake
from bargein.testing.vendors.voice_speech import Asked, RefusedError, text_field
from bargein.wire.json import as_object

_KNOWN = frozenset({"text", "voice", "debug", "format", "language", "model", "sample_rate", "speed", "temperature",
                    "top_p"})  # fmt: skip


class FakeLmntVoice(HttpVoiceFake):
    """LMNT's speech as raw 16-bit audio."""

    content_type = "application/octet-stream"

    @override
    def key_of(self, exchange: Exchange) -> str:
        return exchange.headers.get("x-api-key", "")

    @override
    def error_body(self, status: int, says: str) -> bytes:
        return json.dumps({"error": says}).encode()

    @override
    def read(self, exchange: Exchange) -> Asked:
        if (exchange.method, exchange.path) != ("POST", "/v1/ai/speech/bytes"):
            raise RefusedError(404, "Not Found")
        body = as_object(exchange.body)
        if unknown := body.keys() - _KNOWN:
            raise RefusedError(400, f"unknown field {min(unknown)}")
        if body.get("format") != "pcm_s16le" or body.get("sample_rate", 24_000) not in {8000, 16_000, 24_000}:
            raise RefusedError(400, "the format is not offered")
        text_field(body, "voice")
        return Asked(text=text_field(body, "text"), rate_hz=int(str(body.get("sample_rate", 24_000))), fields=body)
