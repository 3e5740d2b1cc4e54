"""A fake of Cartesia's Ink, after its API reference and the types of its SDK 4.2."""

import json
from collections.abc import Mapping

from typing_extensions import override

from bargein.testing.vendors.speech_peer import SpeechConnection, SpeechPeer


class FakeInk(SpeechPeer):
    """Cartesia's /stt/websocket: `transcript`, `finalize`, `flush_done`, `close`."""

    @override
    def is_expected(self, path: str) -> bool:
        return path == "/stt/websocket"

    @override
    def authorized(self, headers: Mapping[str, str], query: Mapping[str, list[str]]) -> bool:
        known = headers.get("authorization") == f"Bearer {self.key}" or headers.get("x-api-key") == self.key
        return known and bool(headers.get("cartesia-version"))

    @override
    def refusal(self, status: int) -> bytes:
        words = {401: "The API key is invalid.", 429: "You have too many connections at once."}
        body = {"title": "Refused", "message": words.get(status, "Something broke."), "status_code": status}
        return json.dumps(body).encode()

    @override
    def take(self, connection: SpeechConnection, message: str | bytes) -> bytes | str | None:
        if isinstance(message, bytes):
            return message
        connection.messages.append({"command": message})
        return "finalize" if message == "finalize" else None

    @override
    def interim(self, connection: SpeechConnection, text: str) -> list[str]:
        return [self._transcript(connection, text, final=False)]

    @override
    def final(self, connection: SpeechConnection, text: str, *, asked: bool) -> list[str]:
        words = [self._transcript(connection, text, final=True)] if text else []
        flushed = [json.dumps({"type": "flush_done", "request_id": "7a1c"})] if asked else []
        return words + flushed

    def _transcript(self, connection: SpeechConnection, text: str, *, final: bool) -> str:
        message = {
            "type": "transcript",
            "request_id": "7a1c",
            "is_final": final,
            "text": f" {text}" if connection.done else text,
            "duration": connection.received_ms / 1000,
        }
        return json.dumps(message, ensure_ascii=False)

    @override
    def error(self, words: str) -> str:
        return json.dumps({"type": "error", "status_code": 500, "title": "Error", "message": words})
