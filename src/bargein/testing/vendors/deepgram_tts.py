"""A fake of Deepgram's `/v1/speak` socket, by its API reference and the types of its Python SDK 7.17 (`speak/v1`)."""

import json
import re
from collections.abc import Sequence

from typing_extensions import override

from bargein.testing.vendors.voice_socket import SocketTalk, SocketVoiceFake
from bargein.testing.vendors.voice_speech import Asked, Piece
from bargein.wire.base import JsonObject

_RATES_HZ = frozenset({"8000", "16000", "24000", "32000", "48000"})
_MODEL = re.compile(r"aura(-2)?-[a-z]+-[a-z]{2}")
_KNOWN = frozenset({"encoding", "mip_opt_out", "model", "sample_rate", "speed"})


class FakeDeepgramVoice(SocketVoiceFake):
    """Deepgram's speech: text is buffered until `Flush`, and `Clear` drops it."""

    path = "/v1/speak"

    @override
    def key_of(self, query: dict[str, str], headers: dict[str, str]) -> str:
        asks = query.keys() <= _KNOWN and _MODEL.fullmatch(query.get("model", "")) is not None
        offered = query.get("encoding") == "linear16" and query.get("sample_rate") in _RATES_HZ
        return headers.get("authorization", "").removeprefix("Token ") if asks and offered else ""

    @override
    def error_body(self, status: int, says: str) -> bytes:
        return json.dumps({"err_code": f"ERR_{status}", "err_msg": says, "request_id": "r-1"}).encode()

    @override
    async def handle(self, talk: SocketTalk, message: JsonObject) -> None:
        match message.get("type"):
            case "Speak":
                talk.state["text"] = str(talk.state.get("text", "")) + str(message["text"])
            case "Flush":
                text = str(talk.state.pop("text", ""))
                talk.speak("all", Asked(text=text, rate_hz=int(talk.query["sample_rate"]), fields=dict(talk.query)))
            case "Clear":
                talk.state.clear()
                talk.cancel()
                await talk.send({"type": "Cleared", "sequence_id": 0})
            case "Close":
                await talk.close()
            case _:
                await talk.send({"type": "Warning", "code": "UNPARSABLE", "description": "unknown message"})

    @override
    def frames(self, asked: Asked, piece: Piece) -> Sequence[bytes]:
        return (piece.audio,)

    @override
    def tail(self, asked: Asked) -> Sequence[str]:
        return (json.dumps({"type": "Flushed", "sequence_id": 0}),)

    @override
    def error_frame(self, asked: Asked, says: str) -> str:
        return json.dumps({"type": "Error", "err_code": "INTERNAL", "err_msg": says})
