"""A fake of WellSaid's `POST /v1/tts/stream`, by its API reference and public clients: streamed MP3 at 24 kHz."""

import io
import json

import numpy as np
import soundfile
from typing_extensions import override

from bargein.testing.fake_voice import WORD_MS, speech
from bargein.testing.http_peer import Exchange
from bargein.testing.vendors.voice_http import HttpVoiceFake
from bargein.testing.vendors.voice_speech import Asked, Piece, RefusedError, VendorVoiceScript, text_field
from bargein.wire.json import as_object

_KNOWN = frozenset({"text", "speaker_id", "model", "library_ids"})
_RATE_HZ = 24_000


class FakeWellSaidVoice(HttpVoiceFake):
    """WellSaid's speech as MP3."""

    content_type = "audio/mpeg"

    def __init__(self, script: VendorVoiceScript | None = None) -> None:
        super().__init__(script)
        self._spoken: dict[int, tuple[Asked, _Parts]] = {}  # holds the request, so that its id is of no other

    @override
    def key_of(self, exchange: Exchange) -> str:
        return exchange.headers.get("x-api-key", "")

    @override
    def error_body(self, status: int, says: str) -> bytes:
        return json.dumps({"message": says}).encode()

    @override
    def read(self, exchange: Exchange) -> Asked:
        if (exchange.method, exchange.path) != ("POST", "/v1/tts/stream"):
            raise RefusedError(404, "Not Found")
        body = as_object(exchange.body)
        if unknown := body.keys() - _KNOWN:
            raise RefusedError(400, f"unknown field {min(unknown)}")
        if not isinstance(body.get("speaker_id"), int):
            raise RefusedError(400, "speaker_id is required")
        return Asked(text=text_field(body, "text"), rate_hz=_RATE_HZ, fields=body)

    @override
    def frame(self, asked: Asked, piece: Piece) -> bytes:
        return self._parts(asked).part(len(piece.audio))

    @override
    def tail(self, asked: Asked) -> bytes:
        return self._parts(asked).part(None)

    def _parts(self, asked: Asked) -> "_Parts":
        times = 2 if self.script.trouble == "double" else 0 if self.script.trouble == "empty" else 1
        words = len(asked.text.split()) * times
        if id(asked) not in self._spoken:
            self._spoken[id(asked)] = asked, _Parts(speech(words * WORD_MS, _RATE_HZ))
        return self._spoken[id(asked)][1]


class _Parts:
    """An MP3, in parts that stand for as much audio."""

    def __init__(self, audio: bytes) -> None:
        self._total = len(audio)
        self._mp3 = _encode(audio) if audio else b""
        self._made = self._sent = 0

    def part(self, audio_bytes: int | None) -> bytes:
        """Return the part for so much audio; None: the rest."""
        self._made = self._total if audio_bytes is None else self._made + audio_bytes
        end = len(self._mp3) * self._made // max(1, self._total)
        part, self._sent = self._mp3[self._sent : end], end
        return part


def _encode(audio: bytes) -> bytes:
    out = io.BytesIO()
    samples = np.frombuffer(audio, "<i2")
    soundfile.write(out, samples, _RATE_HZ, format="MP3", subtype="MPEG_LAYER_III")
    return out.getvalue()
