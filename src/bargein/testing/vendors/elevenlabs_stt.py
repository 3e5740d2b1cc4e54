"""A fake of ElevenLabs' Scribe in real time, after its API reference and the types of its SDK 2.78."""

import base64
import json
from collections.abc import Mapping

from typing_extensions import override

from bargein.testing.vendors.speech_peer import SpeechConnection, SpeechPeer


class FakeScribe(SpeechPeer):
    """ElevenLabs' /v1/speech-to-text/realtime."""

    @override
    def is_expected(self, path: str) -> bool:
        return path == "/v1/speech-to-text/realtime"

    @override
    def authorized(self, headers: Mapping[str, str], query: Mapping[str, list[str]]) -> bool:
        return headers.get("xi-api-key") == self.key

    @override
    def refusal(self, status: int) -> bytes:
        details = {
            401: ("invalid_api_key", "Invalid API key"),
            429: ("too_many_concurrent_requests", "Too many concurrent requests"),
        }
        name, words = details.get(status, ("internal_error", "Internal server error"))
        return json.dumps({"detail": {"status": name, "message": words}}).encode()

    @override
    def opening(self, connection: SpeechConnection) -> list[str]:
        return [json.dumps({"message_type": "session_started", "session_id": "0b0a", "config": {"sample_rate": 16000}})]

    @override
    def take(self, connection: SpeechConnection, message: str | bytes) -> bytes | str | None:
        parsed = json.loads(message)
        if parsed["message_type"] != "input_audio_chunk":
            raise ValueError(f"the message type is unknown: {parsed['message_type']}")
        if parsed["commit"]:
            connection.messages.append(parsed)
            return "finalize"
        return base64.b64decode(parsed["audio_base_64"], validate=True)

    @override
    def interim(self, connection: SpeechConnection, text: str) -> list[str]:
        return [json.dumps({"message_type": "partial_transcript", "text": text}, ensure_ascii=False)]

    @override
    def final(self, connection: SpeechConnection, text: str, *, asked: bool) -> list[str]:
        return [json.dumps({"message_type": "committed_transcript", "text": text}, ensure_ascii=False)]

    @override
    def error(self, words: str) -> str:
        return json.dumps({"message_type": "transcriber_error", "error": words})
