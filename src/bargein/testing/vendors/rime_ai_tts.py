"""A fake of Rime's `/ws3` socket, by its API reference and public clients: JSON with contexts and times of words."""

import base64
import json
from collections.abc import Sequence

from typing_extensions import override

from bargein.testing.vendors.voice_socket import SocketTalk, SocketVoiceFake
from bargein.testing.vendors.voice_speech import Asked, Piece
from bargein.wire.base import JsonObject

_KNOWN = frozenset({
    "speaker", "modelId", "audioFormat", "samplingRate", "lang", "segment", "speedAlpha", "inlineSpeedAlpha",
    "pauseBetweenBrackets", "phonemizeBetweenBrackets", "reduceLatency",
})  # fmt: skip


class FakeRimeAiVoice(SocketVoiceFake):
    """Rime's speech: text is buffered until `flush`, and `clear` drops it and what is being made."""

    path = "/ws3"

    @override
    def key_of(self, query: dict[str, str], headers: dict[str, str]) -> str:
        offered = query.keys() <= _KNOWN and query.get("audioFormat") == "pcm" and query.get("speaker")
        return headers.get("authorization", "").removeprefix("Bearer ") if offered else ""

    @override
    def error_body(self, status: int, says: str) -> bytes:
        return json.dumps({"message": says}).encode()

    @override
    async def handle(self, talk: SocketTalk, message: JsonObject) -> None:
        match message.get("operation"):
            case None:
                talk.state["text"] = str(talk.state.get("text", "")) + str(message["text"])
                talk.state["context"] = message.get("contextId")
            case "flush":
                fields = {**talk.query, "context": talk.state.pop("context", None)}
                rate_hz = int(talk.query["samplingRate"])
                talk.speak("all", Asked(text=str(talk.state.pop("text", "")), rate_hz=rate_hz, fields=fields))
            case "clear":
                talk.state.clear()
                talk.cancel()
            case _:
                await talk.send({"type": "error", "message": "unknown operation"})

    @override
    def frames(self, asked: Asked, piece: Piece) -> Sequence[str]:
        shared = {"contextId": asked.fields["context"]}
        frames: list[JsonObject] = [{"type": "chunk", "data": base64.b64encode(piece.audio).decode(), **shared}]
        if piece.word is not None:
            word = piece.word
            times = {"words": [word.text], "start": [word.start_ms / 1000], "end": [word.end_ms / 1000]}
            frames.append({"type": "timestamps", "word_timestamps": times, **shared})
        return [json.dumps(frame) for frame in frames]

    @override
    def tail(self, asked: Asked) -> Sequence[str]:
        return (json.dumps({"type": "done", "done": True, "contextId": asked.fields["context"]}),)

    @override
    def error_frame(self, asked: Asked, says: str) -> str:
        return json.dumps({"type": "error", "message": says, "contextId": asked.fields["context"]})
