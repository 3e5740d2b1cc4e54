"""A fake of Speechmatics' real-time API, after its API reference and the types of its SDK 1.2."""

import json
from collections.abc import Mapping
from typing import Any

from typing_extensions import override

from bargein.testing.vendors.speech_peer import SpeechConnection, SpeechPeer


class FakeSpeechmatics(SpeechPeer):
    """Speechmatics' /v2: `StartRecognition`, then audio, `ForceEndOfUtterance`, `EndOfStream`."""

    @override
    def is_expected(self, path: str) -> bool:
        return path.rstrip("/") == "/v2"

    @override
    def authorized(self, headers: Mapping[str, str], query: Mapping[str, list[str]]) -> bool:
        return headers.get("authorization") == f"Bearer {self.key}"

    @override
    def refusal(self, status: int) -> bytes:
        words = {401: "Unauthorized: the token is not valid", 429: "Concurrent Quota Exceeded"}
        return json.dumps({"code": status, "error": words.get(status, "Internal Error")}).encode()

    @override
    def take(self, connection: SpeechConnection, message: str | bytes) -> bytes | str | None:
        if isinstance(message, bytes):
            if not connection.messages:
                raise ValueError("audio came before StartRecognition")
            return message
        return "finalize" if self.keep(connection, message).get("message") == "ForceEndOfUtterance" else None

    @override
    def replies(self, connection: SpeechConnection, message: dict[str, Any]) -> list[str]:
        match message["message"]:
            case "StartRecognition":
                return [json.dumps({"message": "RecognitionStarted", "id": "807670e9"})]
            case "EndOfStream":
                return [json.dumps({"message": "EndOfTranscript"})]
            case _:
                return []

    @override
    def interim(self, connection: SpeechConnection, text: str) -> list[str]:
        return [self._transcript(connection, "AddPartialTranscript", text)]

    @override
    def final(self, connection: SpeechConnection, text: str, *, asked: bool) -> list[str]:
        messages: list[str] = []
        if text:
            # The punctuation at the end comes in a message of its own, as it does at times.
            words, mark = (text[:-1], text[-1]) if text[-1] in ".?!" else (text, "")
            messages.append(self._transcript(connection, "AddTranscript", words))
            if mark:
                messages.append(self._transcript(connection, "AddTranscript", mark))
        return [*messages, json.dumps({"message": "EndOfUtterance", "metadata": {"start_time": 0, "end_time": 1}})]

    def _transcript(self, connection: SpeechConnection, kind: str, text: str) -> str:
        results = [
            {
                "type": "word",
                "start_time": 0,
                "end_time": connection.received_ms / 1000,
                "alternatives": [{"content": word, "confidence": self.script.confidence, "language": "en"}],
            }
            for word in text.split()
        ]
        message = {
            "message": kind,
            "metadata": {"start_time": 0, "end_time": connection.received_ms / 1000, "transcript": f"{text} "},
            "results": results,
        }
        return json.dumps(message, ensure_ascii=False)

    @override
    def error(self, words: str) -> str:
        return json.dumps({"message": "Error", "type": "internal_error", "reason": words})
