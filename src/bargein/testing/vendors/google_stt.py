"""A fake of Gemini's `generateContent` with audio, after Google's API reference of 2026."""

import base64
import json
from typing import Self

import anyio

from bargein.audio.pcm import from_bytes, level_dbfs
from bargein.audio.wav import HEADER_BYTES
from bargein.testing.http_peer import Exchange, HttpPeer
from bargein.testing.vendors.speech_peer import SpeechScript

_VOICE_DBFS = -50.0
"""The level of an utterance above which it has a voice."""

_WORDS = {
    400: ("INVALID_ARGUMENT", "API key not valid. Please pass a valid API key."),
    403: ("PERMISSION_DENIED", "Permission denied."),
    429: ("RESOURCE_EXHAUSTED", "You exceeded your current quota."),
}


class FakeGemini:
    """Gemini's `generateContent`: the n-th request is answered with the n-th utterance, if its audio has a voice.

    Args:
        script: `utterances`, `answer_after_ms`, `refuse`, `retry_after_s`, `hang` and `raw` (the body of all answers)
            count.
        key: the key that it takes.

    Attributes:
        audio: the audio of each request, in order.
    """

    def __init__(self, script: SpeechScript | None = None, *, key: str = "test-key") -> None:
        self.script = script or SpeechScript()
        self.key = key
        self.audio: list[bytes] = []
        self.peer = HttpPeer(self._answer)

    async def __aenter__(self) -> Self:
        await self.peer.__aenter__()
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.peer.__aexit__(*exc_info)

    @property
    def url(self) -> str:
        """The base URL, as the settings take it."""
        return self.peer.origin

    async def _answer(self, exchange: Exchange) -> None:
        script = self.script
        status = script.refuse.get(len(self.audio))
        if status is None and exchange.headers.get("x-goog-api-key") != self.key:
            status = 400  # what Google answers to a wrong key
        if status is not None:
            name, words = _WORDS.get(status, ("INTERNAL", "An internal error has occurred."))
            wait = {} if script.retry_after_s is None else {"Retry_After": str(script.retry_after_s)}
            body = json.dumps({"error": {"code": status, "message": words, "status": name}})
            await exchange.respond(status, body.encode(), content_type="application/json", **wait)
            return
        (part,) = exchange.body["contents"][0]["parts"]
        audio = base64.b64decode(part["inlineData"]["data"], validate=True)[HEADER_BYTES:]
        number = len(self.audio)
        self.audio.append(audio)
        await anyio.sleep(script.answer_after_ms / 1000)
        if script.hang:
            await anyio.sleep_forever()
        if script.raw:
            first = script.raw[0]
            await exchange.respond(200, first.encode() if isinstance(first, str) else first)
            return
        is_voiced = level_dbfs(from_bytes(audio)) > _VOICE_DBFS
        text = script.utterances[number % len(script.utterances)] if script.utterances and is_voiced else ""
        content = {"role": "model", "parts": [{"text": f"{text}\n"}] if text else []}
        answer = {"candidates": [{"content": content, "finishReason": "STOP"}], "modelVersion": "fake"}
        await exchange.respond(200, json.dumps(answer).encode(), content_type="application/json")
