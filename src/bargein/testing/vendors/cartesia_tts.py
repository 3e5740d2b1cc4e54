"""A fake of Cartesia's `/tts/websocket`, by the types of its Python SDK 4.2."""

import base64
import json
from collections.abc import Sequence

from typing_extensions import override

from bargein.testing.vendors.voice_socket import SocketTalk, SocketVoiceFake
from bargein.testing.vendors.voice_speech import Asked, Piece
from bargein.wire.base import JsonObject
from bargein.wire.json import as_object, as_string

_RATES_HZ = frozenset({8000, 16_000, 22_050, 24_000, 44_100, 48_000})
_REQUIRED = frozenset({"context_id", "model_id", "output_format", "transcript", "voice"})
_KNOWN = _REQUIRED | {
    "continue", "add_timestamps", "add_phoneme_timestamps", "use_normalized_timestamps", "flush", "generation_config",
    "language", "max_buffer_delay_ms", "pronunciation_dict_id", "speed",
}  # fmt: skip


class FakeCartesiaVoice(SocketVoiceFake):
    """Cartesia's speech by contexts, each of which may be cancelled."""

    path = "/tts/websocket"

    @override
    def key_of(self, query: dict[str, str], headers: dict[str, str]) -> str:
        if not (headers.get("cartesia-version") or query.get("cartesia_version")):
            return ""
        return headers.get("x-api-key") or headers.get("authorization", "").removeprefix("Bearer ")

    @override
    def error_body(self, status: int, says: str) -> bytes:
        return json.dumps({"title": "error", "message": says, "status_code": status}).encode()

    @override
    async def handle(self, talk: SocketTalk, message: JsonObject) -> None:
        context = as_string(message.get("context_id")) or ""
        if message.get("cancel") is True:
            talk.cancel(context)
            return
        problem = _problem(message)
        if problem is not None:
            await talk.send({"type": "error", "context_id": context, "done": True, "status_code": 400, **problem})
            return
        text = str(talk.state.pop(context, "")) + str(message["transcript"])
        if message.get("continue"):
            talk.state[context] = text
            return
        rate_hz = int(str(as_object(message["output_format"])["sample_rate"]))
        talk.speak(context, Asked(text=text, rate_hz=rate_hz, fields=message))

    @override
    def frames(self, asked: Asked, piece: Piece) -> Sequence[str]:
        shared = {"context_id": asked.fields["context_id"], "status_code": 206, "done": False}
        data = base64.b64encode(piece.audio).decode()
        frames: list[JsonObject] = [{"type": "chunk", "data": data, "step_time": 1.0, **shared}]
        if piece.word is not None and asked.fields.get("add_timestamps"):
            word = piece.word
            times = {"words": [word.text], "start": [word.start_ms / 1000], "end": [word.end_ms / 1000]}
            frames.append({"type": "timestamps", "word_timestamps": times, **shared})
        return [json.dumps(frame) for frame in frames]

    @override
    def tail(self, asked: Asked) -> Sequence[str]:
        done = {"type": "done", "context_id": asked.fields["context_id"], "status_code": 200, "done": True}
        return (json.dumps(done),)

    @override
    def error_frame(self, asked: Asked, says: str) -> str:
        context = asked.fields["context_id"]
        error = {
            "type": "error",
            "context_id": context,
            "done": True,
            "status_code": 500,
            "title": "e",
            "message": says,
        }
        return json.dumps(error)


def _problem(message: JsonObject) -> JsonObject | None:
    output = as_object(message.get("output_format"))
    if missing := _REQUIRED - message.keys():
        return {"title": "missing", "message": f"{min(missing)} is required"}
    if unknown := message.keys() - _KNOWN:
        return {"title": "unknown", "message": f"unknown field {min(unknown)}"}
    if (output.get("container"), output.get("encoding")) != ("raw", "pcm_s16le"):
        return {"title": "format", "message": "this fake has raw pcm_s16le alone"}
    if output.get("sample_rate") not in _RATES_HZ:
        return {"title": "rate", "message": "the sample rate is not offered"}
    return None
