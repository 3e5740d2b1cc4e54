"""Vapi's transcriber provider `openai`: a transcription session of the Realtime API.

From OpenAI's API reference and SDK 3.57 of 2026; not yet called for real.
"""

import base64
import json
import math
from typing import Literal

from typing_extensions import override

from bargein.providers.interface import Resources
from bargein.providers.openai.settings import OpenAiSettings
from bargein.providers.socket import SocketTarget
from bargein.providers.streaming_stt import Dialect, MessageReader, StreamingTranscriber, vendor_target
from bargein.providers.stt_account import VendorAccount, VendorReportError, transcriber_account
from bargein.providers.stt_messages import vendor_object
from bargein.providers.utterances import NOTHING, Heard
from bargein.wire.base import WireModel
from bargein.wire.json import as_object, as_objects, as_string

_OPENAI_URL = "https://api.openai.com/v1"

_ITEM = "conversation.item.input_audio_transcription."
_STATUSES = {
    "invalid_api_key": 401,
    "insufficient_quota": 429,
    "rate_limit_exceeded": 429,
    "invalid_request_error": 400,
    "server_error": 500,
}
_EMPTY = "input_audio_buffer_commit_empty"
_TRANSIENT = "session_expired"


class OpenAiTranscriberConfig(WireModel):
    """`assistant.transcriber` of provider `openai` (Vapi's `OpenAITranscriber`)."""

    provider: Literal["openai"]
    model: str
    language: str | None = None


class RealtimeDialect(Dialect):
    """OpenAI's /v1/realtime?intent=transcription.

    The audio is transcribed once it is committed, so there are no words before the end of an utterance.

    Args:
        config: the assistant's transcriber.
        account: the account.
        base_url: of the API.
    """

    rate_hz = 24_000  # no other rate is taken
    lag_ms = 1_660
    finalize_timeout_ms = 2_500
    least_finalize_ms = 100  # less is an error

    def __init__(self, config: OpenAiTranscriberConfig, account: VendorAccount, base_url: str) -> None:
        super().__init__(account)
        self._config = config
        self._base_url = base_url

    @override
    async def target(self) -> SocketTarget:
        headers = {"Authorization": f"Bearer {self.account.key}"}
        query = [("intent", "transcription")]
        return vendor_target(self._base_url, "/realtime", query, headers, account=self.account)

    @override
    def first_messages(self) -> tuple[str, ...]:
        transcription = {"model": self._config.model}
        if self._config.language is not None:
            transcription["language"] = self._config.language
        audio = {
            "format": {"type": "audio/pcm", "rate": self.rate_hz},
            "transcription": transcription,
            "turn_detection": None,
        }
        session = {
            "type": "transcription",
            "audio": {"input": audio},
            "include": ["item.input_audio_transcription.logprobs"],
        }
        return (json.dumps({"type": "session.update", "session": session}),)

    @override
    def reader(self) -> MessageReader:
        return RealtimeReader()

    @override
    def encode(self, audio: bytes) -> str:
        return f'{{"type":"input_audio_buffer.append","audio":"{base64.b64encode(audio).decode("ascii")}"}}'

    @override
    def finalize(self) -> str:
        return '{"type":"input_audio_buffer.commit"}'


class RealtimeReader:
    """The reader of the events of one session; the text of an item comes in pieces."""

    def __init__(self) -> None:
        self._item = ""
        self._text = ""

    def read(self, message: str | bytes) -> Heard:
        """Return what a message says.

        Raises:
            StreamError: it is not an event of OpenAI's.
            VendorReportError: it is an `error`, or a transcription failed.
        """
        event = vendor_object(message)
        kind = as_string(event.get("type")) or ""
        if kind == f"{_ITEM}delta":
            return self._add(as_string(event.get("item_id")) or "", as_string(event.get("delta")) or "")
        if kind == f"{_ITEM}completed":
            self._text = ""
            text = as_string(event.get("transcript")) or ""
            return Heard(segment=text, confidence=_confidence(event.get("logprobs")), answered=True)
        if kind in ("error", f"{_ITEM}failed"):
            return _read_error(as_object(event.get("error")))
        return NOTHING

    def _add(self, item: str, delta: str) -> Heard:
        self._text = self._text + delta if item == self._item else delta
        self._item = item
        return Heard(interim=self._text)


def _read_error(error: dict[str, object]) -> Heard:
    code = as_string(error.get("code")) or ""
    if code == _EMPTY:
        return Heard(answered=True)
    words = as_string(error.get("message")) or code
    status = _STATUSES.get(code) or _STATUSES.get(as_string(error.get("type")) or "")
    raise VendorReportError(words, status=status, transient=code == _TRANSIENT)


def _confidence(logprobs: object) -> float | None:
    """Return the geometric mean of the tokens' probabilities."""
    known = [value for token in as_objects(logprobs) if isinstance(value := token.get("logprob"), int | float)]
    return min(1.0, math.exp(sum(known) / len(known))) if known else None


def create_transcriber(config: OpenAiTranscriberConfig, resources: Resources) -> StreamingTranscriber:
    """Make the transcriber of one call.

    Raises:
        ProviderError: there is no key.
    """
    settings = resources.settings.section(OpenAiSettings)
    account = transcriber_account(
        resources, "openai", settings.api_key, "OPENAI_API_KEY", ended_reason="pipeline-error-openai-transcriber-failed"
    )
    dialect = RealtimeDialect(config, account, settings.audio_base_url or _OPENAI_URL)
    return StreamingTranscriber(dialect, resources.clock)
