"""Vapi's transcriber provider `google`: Gemini's `generateContent`, asked for each utterance.

Vapi's type names models that answer requests and have no live transcription, so there are no partials. From Google's
API reference of 2026; not yet called for real.
"""

import asyncio
import base64
from collections import deque
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import quote

import anyio
import httpx
import numpy as np
from typing_extensions import override

from bargein.audio.pcm import to_bytes
from bargein.audio.wav import wav_header
from bargein.ports import (
    TRANSCRIBER_RATE_HZ,
    Pcm16,
    Transcriber,
    TranscriberStream,
    TranscriptCallback,
)
from bargein.providers.google.contents import generation_config
from bargein.providers.google.settings import GoogleSettings
from bargein.providers.http import StreamError, json_object
from bargein.providers.interface import Resources
from bargein.providers.stt_account import VendorAccount, transcriber_account
from bargein.providers.stt_messages import first_object
from bargein.providers.vendor_errors import MAX_ERROR_BYTES
from bargein.wire.base import WireModel
from bargein.wire.json import as_object, as_objects, as_string

GOOGLE_URL = "https://generativelanguage.googleapis.com"

DEFAULT_MODEL = "gemini-2.5-flash"

_PER_MS = TRANSCRIBER_RATE_HZ // 1000
_PRE_ROLL_MS = 300
_LONGEST_MS = 60_000
_MOST_TOKENS = 1_000
_TIMEOUT_S = 10.0
_MAX_ANSWER_BYTES = 256 * 1024

_INSTRUCTIONS = (
    "Write down exactly what is said in the recording of a telephone call, with punctuation and nothing else. "
    "If nobody says a word, answer with nothing."
)


class GoogleTranscriberConfig(WireModel):
    """`assistant.transcriber` of provider `google` (Vapi's `GoogleTranscriber`)."""

    provider: Literal["google"]
    model: str | None = None
    language: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Server:
    """The model that is asked.

    Attributes:
        account: the account.
        url: of the request.
        model: its name.
        language: the language's name in English; None: any.
        client: the HTTP client for the vendor's host.
        timeout_s: the longest wait for an answer.
    """

    account: VendorAccount
    url: str
    model: str
    language: str | None
    client: httpx.AsyncClient
    timeout_s: float

    def body(self, audio: Pcm16) -> dict[str, Any]:
        """Return the body of a request."""
        samples = to_bytes(audio)
        data = base64.b64encode(wav_header(TRANSCRIBER_RATE_HZ, len(samples)) + samples).decode("ascii")
        language = "" if self.language is None else f" The language is {self.language}."
        return {
            "systemInstruction": {"parts": [{"text": _INSTRUCTIONS + language}]},
            "contents": [{"role": "user", "parts": [{"inlineData": {"mimeType": "audio/wav", "data": data}}]}],
            "generationConfig": generation_config(self.model, 0.0, _MOST_TOKENS),
        }

    async def transcribe(self, audio: Pcm16) -> str:
        """Return the words in some audio.

        Raises:
            ProviderError: there is no usable answer.
        """
        account = self.account
        try:
            with anyio.fail_after(self.timeout_s):
                response = await self.client.post(
                    self.url, json=self.body(audio), headers={"x-goog-api-key": account.key}, timeout=self.timeout_s
                )
            if response.is_success:
                return _text_of(json_object(response.content[:_MAX_ANSWER_BYTES]))
        except TimeoutError:
            raise account.failure(f"has not answered within {self.timeout_s:g} s") from None
        except httpx.HTTPError as error:
            raise account.failure(f"could not be reached ({type(error).__name__})") from error
        except StreamError:
            raise account.failure("has answered with something else than JSON") from None
        body = response.content[:MAX_ERROR_BYTES]
        raise account.refusal(response.status_code, body, response.headers.get("Retry-After", ""))


def _text_of(answer: dict[str, object]) -> str:
    parts = as_objects(as_object(first_object(answer.get("candidates")).get("content")).get("parts"))
    spoken = (as_string(part.get("text")) or "" for part in parts if part.get("thought") is not True)
    return " ".join("".join(spoken).split())


class GoogleTranscriber(Transcriber):
    """A transcriber that asks Gemini for the words of each utterance.

    Args:
        server: the model that is asked.
    """

    lag_ms: int = 2_000
    """A guess: no latency is published for requests with a few seconds of audio."""

    def __init__(self, server: _Server) -> None:
        self._server = server

    @override
    def open(self, on_transcript: TranscriptCallback) -> "GoogleStream":
        return GoogleStream(self._server, on_transcript)


class GoogleStream(TranscriberStream):
    """The transcription of one call: an utterance is sent when its voice has stopped."""

    def __init__(self, server: _Server, on_transcript: TranscriptCallback) -> None:
        self._server = server
        self._on_transcript = on_transcript
        self._chunks: deque[Pcm16] = deque()
        self._kept = 0
        self._speaking = False
        self._waiting: deque[Pcm16] = deque()
        self._wake = asyncio.Event()

    @override
    def feed(self, customer: Pcm16, assistant: Pcm16) -> None:
        self._chunks.append(customer)
        self._kept += customer.size
        longest = (_LONGEST_MS if self._speaking else 2 * _PRE_ROLL_MS) * _PER_MS
        while self._kept - self._chunks[0].size >= longest:
            self._kept -= self._chunks.popleft().size

    @override
    def voice_started(self, lead_ms: int) -> None:
        self._speaking = True
        kept = (max(0, lead_ms) + _PRE_ROLL_MS) * _PER_MS
        while self._chunks and self._kept - self._chunks[0].size >= kept:
            self._kept -= self._chunks.popleft().size

    @override
    def voice_paused(self) -> None:
        """Do nothing: a request for each pause would cost as much as one for the utterance."""

    @override
    def voice_resumed(self) -> None:
        """Do nothing."""

    @override
    def voice_stopped(self) -> None:
        audio = np.concatenate(self._chunks) if self._chunks else np.zeros(0, np.int16)
        self._speaking = False
        self._chunks.clear()
        self._kept = 0
        self._waiting.append(audio)
        self._wake.set()

    @override
    async def run(self) -> None:
        while True:
            while not self._waiting:
                self._wake.clear()
                await self._wake.wait()
            audio = self._waiting.popleft()
            text = await self._server.transcribe(audio) if audio.size else ""
            self._on_transcript(text, True)  # noqa: FBT003 - the port's callback takes it by position


def create_transcriber(config: GoogleTranscriberConfig, resources: Resources) -> GoogleTranscriber:
    """Make the transcriber of one call.

    Raises:
        ProviderError: there is no key.
    """
    settings = resources.settings.section(GoogleSettings)
    account = transcriber_account(
        resources,
        "google",
        settings.api_key,
        "GEMINI_API_KEY",
        ended_reason="pipeline-error-google-transcriber-failed",
    )
    model = config.model or DEFAULT_MODEL
    server = _Server(
        account=account,
        url=f"{settings.base_url or GOOGLE_URL}/v1beta/models/{quote(model, safe='')}:generateContent",
        model=model,
        language=None if config.language in (None, "Multilingual") else config.language,
        client=resources.client,
        timeout_s=_TIMEOUT_S,
    )
    return GoogleTranscriber(server)
