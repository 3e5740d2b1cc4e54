"""A fake of Azure Speech's recognition socket, after Microsoft's page on the protocol and its JavaScript SDK."""

import json
import struct
from collections.abc import Mapping
from typing import Any

from typing_extensions import override

from bargein.audio.wav import HEADER_BYTES
from bargein.testing.vendors.speech_peer import SpeechConnection, SpeechPeer

_PATH = "/speech/recognition/conversation/cognitiveservices/v1"
_TICKS_PER_MS = 10_000


class FakeAzure(SpeechPeer):
    """Azure's recognition in mode `conversation`.

    Attributes:
        turns: the request id of each turn, in order.
        turn_ms: the audio after which a turn ends, and the next message must begin another.
    """

    turn_ms: float = float("inf")

    @override
    def is_expected(self, path: str) -> bool:
        return path == _PATH

    @override
    def authorized(self, headers: Mapping[str, str], query: Mapping[str, list[str]]) -> bool:
        return headers.get("ocp-apim-subscription-key") == self.key

    @override
    def refusal(self, status: int) -> bytes:
        words = {401: "Access denied due to invalid subscription key or wrong API endpoint.", 429: "Too Many Requests"}
        return json.dumps({"error": {"code": str(status), "message": words.get(status, "Internal Error")}}).encode()

    @override
    def take(self, connection: SpeechConnection, message: str | bytes) -> bytes | str | None:
        if isinstance(message, str):
            head, _, body = message.partition("\r\n\r\n")
            connection.messages.append({"headers": _headers(head), "body": json.loads(body)})
            return None
        (length,) = struct.unpack(">H", message[:2])
        headers, audio = _headers(message[2 : 2 + length].decode("ascii")), message[2 + length :]
        context = next(each for each in reversed(connection.messages) if each["headers"]["path"] == "speech.context")
        if headers["path"] != "audio" or headers["x-requestid"] != context["headers"]["x-requestid"]:
            raise ValueError("audio is not of the turn that has begun")
        if "heard" not in context:
            context["heard"] = connection.received_ms
            if not audio.startswith(b"RIFF"):
                raise ValueError("the audio of a turn begins without a WAV header")
            return audio[HEADER_BYTES:]
        return audio

    @override
    def after_audio(self, connection: SpeechConnection) -> list[str]:
        context = connection.messages[-1]
        if context.get("ended") or connection.received_ms - context.get("heard", 0) < self.turn_ms:
            return []
        context["ended"] = True
        return [self._message(connection, "turn.end", {})]

    @override
    def replies(self, connection: SpeechConnection, message: dict[str, Any]) -> list[str]:
        if message["headers"]["path"] != "speech.context":
            return []
        return [self._message(connection, "turn.start", {"context": {"serviceTag": "1b0f"}})]

    @override
    def interim(self, connection: SpeechConnection, text: str) -> list[str]:
        return [self._message(connection, "speech.hypothesis", {"Text": text, **self._times(connection)})]

    @override
    def final(self, connection: SpeechConnection, text: str, *, asked: bool) -> list[str]:
        best = {"Confidence": self.script.confidence, "Lexical": text.lower(), "Display": text}
        phrase = {
            "RecognitionStatus": "Success",
            "NBest": [best],
            "DisplayText": text,
            **self._times(connection),
        }
        return [self._message(connection, "speech.phrase", phrase)]

    def _times(self, connection: SpeechConnection) -> dict[str, int]:
        return {"Offset": 0, "Duration": int(connection.received_ms * _TICKS_PER_MS)}

    def _message(self, connection: SpeechConnection, path: str, body: dict[str, Any]) -> str:
        request_id = connection.messages[-1]["headers"]["x-requestid"]
        text = json.dumps(body, ensure_ascii=False)
        return f"X-RequestId:{request_id}\r\nContent-Type:application/json; charset=utf-8\r\nPath:{path}\r\n\r\n{text}"

    @override
    def error(self, words: str) -> str:
        return words


def _headers(text: str) -> dict[str, str]:
    lines = (line.partition(":") for line in text.split("\r\n") if line)
    return {name.strip().lower(): value.strip() for name, _, value in lines}
