"""Fakes of Deepgram's live transcription: /v1/listen (`FakeDeepgram`) and /v2/listen (`FakeDeepgramFlux`).

After Deepgram's API reference and the types of its SDK 7.17.
"""

import json
from collections.abc import Mapping

from typing_extensions import override

from bargein.testing.vendors.speech_peer import SpeechConnection, SpeechPeer

_ERRORS = {
    401: ("INVALID_AUTH", "Invalid credentials."),
    429: ("TOO_MANY_REQUESTS", "Too many requests. Please try again later"),
    400: ("Bad Request", "Bad Request: failed to deserialize the query string"),
}


class FakeDeepgram(SpeechPeer):
    """Deepgram's /v1/listen: `Results`, `Finalize`, `KeepAlive`, `CloseStream`."""

    path = "/v1/listen"

    @override
    def is_expected(self, path: str) -> bool:
        return path == self.path

    @override
    def authorized(self, headers: Mapping[str, str], query: Mapping[str, list[str]]) -> bool:
        return headers.get("authorization") == f"Token {self.key}"

    @override
    def refusal(self, status: int) -> bytes:
        code, words = _ERRORS.get(status, ("INTERNAL_SERVER_ERROR", "Internal server error"))
        return json.dumps({"err_code": code, "err_msg": words, "request_id": "7f0a"}).encode()

    @override
    def take(self, connection: SpeechConnection, message: str | bytes) -> bytes | str | None:
        if isinstance(message, bytes):
            return message
        return "finalize" if self.keep(connection, message).get("type") == "Finalize" else None

    @override
    def interim(self, connection: SpeechConnection, text: str) -> list[str]:
        return [self._results(connection, text, final=False, asked=False)]

    @override
    def final(self, connection: SpeechConnection, text: str, *, asked: bool) -> list[str]:
        return [self._results(connection, text, final=True, asked=asked)]

    def _results(self, connection: SpeechConnection, text: str, *, final: bool, asked: bool) -> str:
        confidence = self.script.confidence if text else 0.0
        words = [{"word": word.lower().strip(".,?!"), "punctuated_word": word} for word in text.split()]
        message = {
            "type": "Results",
            "channel_index": [0, 1],
            "start": 0.0,
            "duration": connection.received_ms / 1000,
            "is_final": final,
            "speech_final": final and not asked,
            "from_finalize": asked,
            "channel": {"alternatives": [{"transcript": text, "confidence": confidence, "words": words}]},
            "metadata": {"request_id": "7f0a", "model_uuid": "c0d1", "model_info": {"name": "2-general-nova"}},
        }
        return json.dumps(message, ensure_ascii=False)

    @override
    def error(self, words: str) -> str:
        return json.dumps({"type": "Error", "variant": "SchemaError", "description": words})


class FakeDeepgramFlux(FakeDeepgram):
    """Deepgram's /v2/listen: `TurnInfo`, `ForceEndTurn`, `CloseStream`. Outside a turn `ForceEndTurn` is ignored."""

    path = "/v2/listen"

    @override
    def opening(self, connection: SpeechConnection) -> list[str]:
        return [json.dumps({"type": "Connected", "request_id": "7f0a", "sequence_id": 0})]

    @override
    def take(self, connection: SpeechConnection, message: str | bytes) -> bytes | str | None:
        if isinstance(message, bytes):
            return message
        return "finalize" if self.keep(connection, message).get("type") == "ForceEndTurn" else None

    @override
    def interim(self, connection: SpeechConnection, text: str) -> list[str]:
        begins = connection.turn not in connection.begun
        connection.begun.add(connection.turn)
        return [self._turn(connection, text, "StartOfTurn" if begins else "Update")]

    @override
    def final(self, connection: SpeechConnection, text: str, *, asked: bool) -> list[str]:
        if not text:
            return []
        message = self._turn(connection, text, "EndOfTurn", "manual" if asked else "timeout")
        connection.turn += 1
        return [message]

    def _turn(self, connection: SpeechConnection, text: str, event: str, trigger: str | None = None) -> str:
        message: dict[str, object] = {
            "type": "TurnInfo",
            "request_id": "7f0a",
            "sequence_id": connection.told + 1,
            "event": event,
            "turn_index": connection.turn,
            "audio_window_start": 0.0,
            "audio_window_end": connection.received_ms / 1000,
            "transcript": text,
            "words": [{"word": word, "confidence": self.script.confidence} for word in text.split()],
            "end_of_turn_confidence": self.script.end_of_turn,
        }
        if trigger is not None:
            message["trigger"] = trigger
        return json.dumps(message, ensure_ascii=False)

    @override
    def error(self, words: str) -> str:
        return json.dumps({"type": "Error", "sequence_id": 1, "code": "INTERNAL_SERVER_ERROR", "description": words})
