"""A fake of Soniox' streaming transcription, after its API reference and the types of its SDK 2.10."""

import json
from collections.abc import Mapping
from typing import Any

from typing_extensions import override

from bargein.testing.vendors.speech_peer import SpeechConnection, SpeechPeer


class FakeSoniox(SpeechPeer):
    """Soniox' /transcribe-websocket: the configuration first, then audio, `finalize` and `keepalive`."""

    @override
    def is_expected(self, path: str) -> bool:
        return path == "/transcribe-websocket"

    @override
    def authorized(self, headers: Mapping[str, str], query: Mapping[str, list[str]]) -> bool:
        return headers.get("authorization") == f"Bearer {self.key}"

    @override
    def refusal(self, status: int) -> bytes:
        words = {401: "Incorrect API key provided", 429: "Organization concurrent requests limit exceeded"}
        return json.dumps({"error_code": status, "error_message": words.get(status, "Internal error")}).encode()

    @override
    def take(self, connection: SpeechConnection, message: str | bytes) -> bytes | str | None:
        if isinstance(message, bytes):
            if not connection.messages:
                raise ValueError("audio came before the configuration")
            return message
        return "finalize" if self.keep(connection, message).get("type") == "finalize" else None

    @override
    def interim(self, connection: SpeechConnection, text: str) -> list[str]:
        return [self._tokens(connection, text, final=False)]

    @override
    def final(self, connection: SpeechConnection, text: str, *, asked: bool) -> list[str]:
        return [self._tokens(connection, text, final=True, end="<fin>" if asked else "<end>")]

    def _tokens(self, connection: SpeechConnection, text: str, *, final: bool, end: str = "") -> str:
        words = f" {text}".split(" ")[1:] if text else []
        spaced = [word if number == 0 and not connection.done else f" {word}" for number, word in enumerate(words)]
        confidence = self.script.confidence
        tokens: list[dict[str, Any]] = [{"text": word, "confidence": confidence, "is_final": final} for word in spaced]
        if end:
            tokens.append({"text": end, "is_final": True})
        processed = int(connection.received_ms)
        message = {"tokens": tokens, "final_audio_proc_ms": processed if final else 0, "total_audio_proc_ms": processed}
        return json.dumps(message, ensure_ascii=False)

    @override
    def error(self, words: str) -> str:
        return json.dumps({"tokens": [], "error_code": 400, "error_message": words})
