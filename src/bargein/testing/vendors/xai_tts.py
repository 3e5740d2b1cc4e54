"""A fake of xAI's `/v1/tts` socket, by its API reference and public clients: text and audio as deltas."""

import base64
import json
from collections.abc import Sequence

from typing_extensions import override

from bargein.testing.vendors.voice_socket import SocketTalk, SocketVoiceFake
from bargein.testing.vendors.voice_speech import Asked, Piece
from bargein.wire.base import JsonObject

_KNOWN = frozenset({"voice", "language", "codec", "sample_rate", "speed", "with_timestamps"})


class FakeXaiVoice(SocketVoiceFake):
    """xAI's speech, with the times of its characters."""

    path = "/v1/tts"

    @override
    def key_of(self, query: dict[str, str], headers: dict[str, str]) -> str:
        offered = query.keys() <= _KNOWN and query.get("codec") == "pcm" and query.get("voice")
        return headers.get("authorization", "").removeprefix("Bearer ") if offered else ""

    @override
    def error_body(self, status: int, says: str) -> bytes:
        return json.dumps({"code": str(status), "error": says}).encode()

    @override
    async def handle(self, talk: SocketTalk, message: JsonObject) -> None:
        match message.get("type"):
            case "text.delta":
                talk.state["text"] = str(talk.state.get("text", "")) + str(message["delta"])
            case "text.done":
                text = str(talk.state.pop("text", ""))
                talk.speak("all", Asked(text=text, rate_hz=int(talk.query["sample_rate"]), fields=dict(talk.query)))
            case "text.clear":
                talk.state.clear()
                talk.cancel()
                await talk.send({"type": "audio.clear"})
            case _:
                await talk.send({"type": "error", "message": "unknown event"})

    @override
    def frames(self, asked: Asked, piece: Piece) -> Sequence[str]:
        delta: JsonObject = {"type": "audio.delta", "delta": base64.b64encode(piece.audio).decode()}
        frames = [delta]
        if piece.word is not None and asked.fields.get("with_timestamps") == "true":
            word = piece.word
            step_s = (word.end_ms - word.start_ms) / 1000 / len(word.text)
            begin_s = word.start_ms / 1000
            letters = [*word.text, " "]
            times = [[begin_s + index * step_s, begin_s + (index + 1) * step_s] for index in range(len(letters))]
            for half in (slice(0, 2), slice(2, None)):  # a word is cut by two messages
                stamps = {"graph_chars": letters[half], "graph_times": times[half]}
                frames.append({"type": "audio.delta", "delta": "", "audio_timestamps": stamps})
        return [json.dumps(frame) for frame in frames]

    @override
    def tail(self, asked: Asked) -> Sequence[str]:
        return ('{"type": "audio.done", "trace_id": "t"}',)

    @override
    def error_frame(self, asked: Asked, says: str) -> str:
        return json.dumps({"type": "error", "message": says})
