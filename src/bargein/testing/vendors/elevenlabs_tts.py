"""A fake of ElevenLabs's `POST /v1/text-to-speech/{voice_id}/stream/with-timestamps`.

By the types of ElevenLabs's Python SDK 2.78: `StreamingAudioChunkWithTimestampsResponse` and
`CharacterAlignmentResponseModel`, one JSON object a line.
"""

import base64
import json
import re
from typing import Literal
from urllib.parse import parse_qsl, urlsplit

from typing_extensions import override

from bargein.testing.http_peer import Exchange
from bargein.testing.vendors.voice_http import HttpVoiceFake
from bargein.testing.vendors.voice_speech import Asked, Piece, RefusedError, VendorVoiceScript, text_field
from bargein.wire.json import as_object

_PATH = re.compile(r"/v1/text-to-speech/([^/]+)/stream/with-timestamps")
_FORMATS = {f"pcm_{rate}": rate for rate in (8000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000)}
_KNOWN = frozenset(
    {
        "text", "model_id", "language_code", "voice_settings", "pronunciation_dictionary_locators", "seed",
        "previous_text", "next_text", "previous_request_ids", "next_request_ids", "use_pvc_as_ivc",
        "apply_text_normalization", "apply_language_text_normalization", "audio_effects",
    }
)  # fmt: skip
_CODES = {401: "invalid_api_key", 404: "voice_not_found", 429: "too_many_concurrent_requests"}


class FakeElevenLabsVoice(HttpVoiceFake):
    """ElevenLabs's streamed speech with the times of its characters.

    Args:
        script: the behaviour.
        times_from: whether the times of a chunk count from the beginning of the speech, or from the chunk.
        twice: send each alignment twice, the first time without its last character, as the flash models do.
    """

    content_type = "application/json"

    def __init__(
        self,
        script: VendorVoiceScript | None = None,
        *,
        times_from: Literal["speech", "chunk"] = "speech",
        twice: bool = False,
    ) -> None:
        super().__init__(script)
        self.times_from = times_from
        self.twice = twice

    @override
    def key_of(self, exchange: Exchange) -> str:
        return exchange.headers.get("xi-api-key", "")

    @override
    def error_body(self, status: int, says: str) -> bytes:
        detail = {"status": _CODES.get(status, "internal_error"), "message": says}
        return json.dumps({"detail": detail}).encode()

    @override
    def read(self, exchange: Exchange) -> Asked:
        parts = urlsplit(exchange.path)
        if exchange.method != "POST" or _PATH.fullmatch(parts.path) is None:
            raise RefusedError(404, "Not Found")
        query = dict(parse_qsl(parts.query))
        if (output := query.get("output_format", "mp3_44100_128")) not in _FORMATS:
            raise RefusedError(422, f"this fake has no {output}")
        body = as_object(exchange.body)
        if unknown := body.keys() - _KNOWN:
            raise RefusedError(422, f"unknown field {min(unknown)}")
        text = text_field(body, "text", 422)
        return Asked(text=text, rate_hz=_FORMATS[output], fields=body)

    @override
    def frame(self, asked: Asked, piece: Piece) -> bytes:
        audio = base64.b64encode(piece.audio).decode()
        if piece.word is None:
            return json.dumps({"audio_base64": audio, "alignment": None, "normalized_alignment": None}).encode() + b"\n"
        after = piece.word.at + len(piece.word.text)
        end = after + 1 if after < len(asked.text) else after
        letters = asked.text[piece.word.at : end]
        step_s = (piece.word.end_ms - piece.word.start_ms) / 1000 / len(letters)
        begin_s = 0.0 if self.times_from == "chunk" else piece.word.start_ms / 1000
        alignment = {
            "characters": list(letters),
            "character_start_times_seconds": [begin_s + index * step_s for index in range(len(letters))],
            "character_end_times_seconds": [begin_s + (index + 1) * step_s for index in range(len(letters))],
        }
        frames = [{"audio_base64": audio, "alignment": alignment, "normalized_alignment": alignment}]
        if self.twice:
            shorter = {name: values[:-1] for name, values in alignment.items()}
            frames.insert(0, {"audio_base64": "", "alignment": shorter, "normalized_alignment": shorter})
        return b"".join(json.dumps(frame).encode() + b"\n\n" for frame in frames)
