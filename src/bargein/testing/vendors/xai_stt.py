"""A fake of xAI's streaming transcription, after its API reference of 2026."""

import json
from collections.abc import Mapping

from typing_extensions import override

from bargein.testing.vendors.speech_peer import SpeechConnection, SpeechPeer


class FakeXai(SpeechPeer):
    """xAI's /v1/stt: `transcript.created`, then audio, `transcript.partial`, `audio.done`."""

    @property
    @override
    def url(self) -> str:
        return f"{super().url}/v1"

    @override
    def is_expected(self, path: str) -> bool:
        return path == "/v1/stt"

    @override
    def authorized(self, headers: Mapping[str, str], query: Mapping[str, list[str]]) -> bool:
        return headers.get("authorization") == f"Bearer {self.key}"

    @override
    def refusal(self, status: int) -> bytes:
        words = {401: "Incorrect API key provided", 429: "Too many requests"}
        return json.dumps({"code": "refused", "error": words.get(status, "Internal error")}).encode()

    @override
    def opening(self, connection: SpeechConnection) -> list[str]:
        return [json.dumps({"type": "transcript.created", "id": "9c1e"})]

    @override
    def take(self, connection: SpeechConnection, message: str | bytes) -> bytes | str | None:
        if isinstance(message, bytes):
            return message
        self.keep(connection, message)
        return None

    @override
    def interim(self, connection: SpeechConnection, text: str) -> list[str]:
        return [self._partial(text, final=False)]

    @override
    def final(self, connection: SpeechConnection, text: str, *, asked: bool) -> list[str]:
        return [self._partial(text, final=True)]

    def _partial(self, text: str, *, final: bool) -> str:
        words = [{"text": word, "start": 0, "end": 1, "confidence": self.script.confidence} for word in text.split()]
        message = {"type": "transcript.partial", "text": text, "is_final": final, "speech_final": final, "words": words}
        return json.dumps(message, ensure_ascii=False)

    @override
    def error(self, words: str) -> str:
        return json.dumps({"type": "error", "message": words})
