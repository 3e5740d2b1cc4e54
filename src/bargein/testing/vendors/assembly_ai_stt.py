"""A fake of AssemblyAI's Universal Streaming, after its API reference and the types of its SDK 1.8."""

import json
from collections.abc import Mapping

from typing_extensions import override

from bargein.testing.vendors.speech_peer import SpeechConnection, SpeechPeer

_LEAST_BYTES, _MOST_BYTES = 1_600, 32_000
"""50 ms and a second."""


class FakeAssemblyAi(SpeechPeer):
    """AssemblyAI's /v3/ws: `Begin`, `Turn`, `ForceEndpoint`, `Terminate`. Audio comes in pieces of at least 50 ms."""

    @override
    def is_expected(self, path: str) -> bool:
        return path == "/v3/ws"

    @override
    def authorized(self, headers: Mapping[str, str], query: Mapping[str, list[str]]) -> bool:
        return headers.get("authorization") == self.key

    @override
    def refusal(self, status: int) -> bytes:
        words = {401: "Unauthorized Connection: Missing or invalid API key", 429: "Too many concurrent sessions"}
        return json.dumps({"error": words.get(status, "Internal server error")}).encode()

    @override
    def opening(self, connection: SpeechConnection) -> list[str]:
        return [json.dumps({"type": "Begin", "id": "0b1f", "expires_at": 1_800_000_000})]

    @override
    def take(self, connection: SpeechConnection, message: str | bytes) -> bytes | str | None:
        if isinstance(message, bytes):
            if not _LEAST_BYTES <= len(message) <= _MOST_BYTES:
                raise ValueError(f"the duration of a piece of audio is wrong: {len(message)} bytes")
            return message
        return "finalize" if self.keep(connection, message).get("type") == "ForceEndpoint" else None

    @override
    def interim(self, connection: SpeechConnection, text: str) -> list[str]:
        return [self._turn(connection, text, ended=False, formatted=False)]

    @override
    def final(self, connection: SpeechConnection, text: str, *, asked: bool) -> list[str]:
        if not text:
            return []
        messages = [self._turn(connection, text.lower().rstrip(".?!"), ended=True, formatted=False)]
        if connection.query.get("format_turns", [""])[0].lower() == "true":
            messages.append(self._turn(connection, text, ended=True, formatted=True))
        connection.turn += 1
        return messages

    def _turn(self, connection: SpeechConnection, text: str, *, ended: bool, formatted: bool) -> str:
        confidence = self.script.confidence
        words = [
            {"text": word, "start": 0, "end": 1, "confidence": confidence, "word_is_final": ended}
            for word in text.split()
        ]
        message = {
            "type": "Turn",
            "turn_order": connection.turn,
            "turn_is_formatted": formatted,
            "end_of_turn": ended,
            "transcript": text,
            "end_of_turn_confidence": self.script.end_of_turn,
            "words": words,
        }
        return json.dumps(message, ensure_ascii=False)

    @override
    def error(self, words: str) -> str:
        return json.dumps({"type": "Error", "error_code": 3005, "error": words})
