"""A fake of OpenAI's transcription sessions (Realtime API), after its API reference and the types of its SDK 3.57."""

import base64
import json
import math
from collections.abc import Mapping
from typing import Any

from typing_extensions import override

from bargein.testing.vendors.speech_peer import SpeechConnection, SpeechPeer

_ITEM = "conversation.item.input_audio_transcription."


class FakeRealtime(SpeechPeer):
    """OpenAI's /v1/realtime?intent=transcription without turn detection: what is committed is transcribed."""

    rate_hz = 24_000

    @property
    @override
    def url(self) -> str:
        return f"{super().url}/v1"

    @override
    def is_expected(self, path: str) -> bool:
        return path == "/v1/realtime"

    @override
    def authorized(self, headers: Mapping[str, str], query: Mapping[str, list[str]]) -> bool:
        return headers.get("authorization") == f"Bearer {self.key}" and query.get("intent") == ["transcription"]

    @override
    def refusal(self, status: int) -> bytes:
        words = {401: "Incorrect API key provided", 429: "Rate limit reached"}
        error = {"message": words.get(status, "The server had an error"), "type": "error", "code": "refused"}
        return json.dumps({"error": error}).encode()

    @override
    def opening(self, connection: SpeechConnection) -> list[str]:
        return [json.dumps({"type": "session.created", "event_id": "e0", "session": {"type": "transcription"}})]

    @override
    def take(self, connection: SpeechConnection, message: str | bytes) -> bytes | str | None:
        parsed = json.loads(message)
        if parsed["type"] == "input_audio_buffer.append":
            return base64.b64decode(parsed["audio"], validate=True)
        connection.messages.append(parsed)
        return "finalize" if parsed["type"] == "input_audio_buffer.commit" else None

    @override
    def replies(self, connection: SpeechConnection, message: dict[str, Any]) -> list[str]:
        if message["type"] != "session.update":
            return []
        return [json.dumps({"type": "session.updated", "event_id": "e1", "session": message["session"]})]

    @override
    def interim(self, connection: SpeechConnection, text: str) -> list[str]:
        return []

    @override
    def final(self, connection: SpeechConnection, text: str, *, asked: bool) -> list[str]:
        item = f"item_{connection.turn}"
        connection.turn += 1
        deltas: list[dict[str, object]] = (
            [{"type": f"{_ITEM}delta", "item_id": item, "content_index": 0, "delta": text}] if text else []
        )
        completed: dict[str, object] = {
            "type": f"{_ITEM}completed",
            "item_id": item,
            "content_index": 0,
            "transcript": text,
            "logprobs": [
                {"token": word, "logprob": math.log(self.script.confidence), "bytes": []} for word in text.split()
            ],
        }
        committed: dict[str, object] = {"type": "input_audio_buffer.committed", "item_id": item}
        events: list[dict[str, object]] = [committed, *deltas, completed]
        return [json.dumps({"event_id": "e", **event}, ensure_ascii=False) for event in events]

    @override
    def error(self, words: str) -> str:
        error = {"type": "server_error", "code": None, "message": words}
        return json.dumps({"type": "error", "event_id": "e", "error": error})
