"""A fake of Gladia's live transcription, after its API reference and the types of its SDK 2.2."""

import json
from collections.abc import Mapping
from typing import Any, Self

from typing_extensions import override

from bargein.testing.http_peer import Exchange, HttpPeer
from bargein.testing.vendors.speech_peer import SpeechConnection, SpeechPeer, SpeechScript

_TOKEN = "4a39145c"  # noqa: S105  # a fake's


class FakeGladia(SpeechPeer):
    """Gladia's POST /v2/live, and the socket of the session that it answers with.

    Attributes:
        sessions: the requests for a session, with their paths and bodies.
    """

    def __init__(self, script: SpeechScript | None = None, *, key: str = "test-key", record: bool = True) -> None:
        super().__init__(script, key=key, record=record)
        self.sessions: list[tuple[str, dict[str, Any]]] = []
        self._http = HttpPeer(self._open_session)

    @override
    async def __aenter__(self) -> Self:
        await super().__aenter__()
        await self._http.__aenter__()
        return self

    @override
    async def __aexit__(self, *exc_info: object) -> None:
        await self._http.__aexit__(*exc_info)
        await super().__aexit__(*exc_info)

    @property
    @override
    def url(self) -> str:
        return self._http.origin

    async def _open_session(self, exchange: Exchange) -> None:
        number = len(self.sessions)
        status = self.script.refuse.get(number)
        if status is None and exchange.headers.get("x-gladia-key") != self.key:
            status = 401
        if status is not None:
            self.attempts += 1
            wait = {} if self.script.retry_after_s is None else {"Retry_After": str(self.script.retry_after_s)}
            await exchange.respond(status, self.refusal(status), content_type="application/json", **wait)
            return
        self.sessions.append((exchange.path, exchange.body))
        url = f"ws://127.0.0.1:{self.port}/v2/live?token={_TOKEN}"
        body = json.dumps({"id": "45463597", "created_at": "2026-01-01T00:00:00Z", "url": url})
        await exchange.respond(201, body.encode(), content_type="application/json")

    @override
    def is_expected(self, path: str) -> bool:
        return path == "/v2/live"

    @override
    def authorized(self, headers: Mapping[str, str], query: Mapping[str, list[str]]) -> bool:
        return query.get("token") == [_TOKEN]

    @override
    def refusal(self, status: int) -> bytes:
        words = {401: "gladia key not found", 429: "Too many concurrent sessions"}
        body = {"statusCode": status, "message": words.get(status, "Internal server error"), "request_id": "G-4a39"}
        return json.dumps(body).encode()

    @override
    def take(self, connection: SpeechConnection, message: str | bytes) -> bytes | str | None:
        if isinstance(message, bytes):
            return message
        self.keep(connection, message)
        return None

    @override
    def interim(self, connection: SpeechConnection, text: str) -> list[str]:
        return [self._transcript(connection, text, final=False)]

    @override
    def final(self, connection: SpeechConnection, text: str, *, asked: bool) -> list[str]:
        message = self._transcript(connection, text, final=True)
        connection.turn += 1
        return [message]

    def _transcript(self, connection: SpeechConnection, text: str, *, final: bool) -> str:
        utterance: dict[str, object] = {
            "text": text,
            "start": 0,
            "end": connection.received_ms / 1000,
            "language": "en",
            "channel": 0,
            "confidence": self.script.confidence,
            "words": [],
        }
        data: dict[str, object] = {"id": f"00_{connection.turn:08d}", "is_final": final, "utterance": utterance}
        return json.dumps({"session_id": "45463597", "type": "transcript", "data": data}, ensure_ascii=False)

    @override
    def error(self, words: str) -> str:
        return json.dumps({"session_id": "45463597", "type": "error", "error": {"message": words}})
