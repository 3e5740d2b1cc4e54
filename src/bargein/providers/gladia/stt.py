"""Vapi's transcriber provider `gladia`: a session is asked for by POST, and its URL is a socket.

From Gladia's API reference and SDK 2.2 of 2026, which have no message that asks for all words so far; not yet called
for real.
"""

import re
from typing import Any, Literal

import httpx
from typing_extensions import override

from bargein.http_client import read_url
from bargein.providers.gladia.settings import GladiaSettings
from bargein.providers.http import Addresses, StreamError, json_object
from bargein.providers.interface import Resources
from bargein.providers.socket import SocketTarget, http_url
from bargein.providers.streaming_stt import Dialect, MessageReader, StreamingTranscriber, vendor_target
from bargein.providers.stt_account import VendorAccount, VendorReportError, transcriber_account
from bargein.providers.stt_messages import unit_or_none, vendor_object
from bargein.providers.utterances import NOTHING, Heard
from bargein.providers.vendor_errors import MAX_ERROR_BYTES
from bargein.wire.base import JsonObject, Number, WireModel
from bargein.wire.json import as_list, as_object, as_string

GLADIA_URL = "https://api.gladia.io"

MODEL = "solaria-1"
"""The model of all assistants that name one of the interface before this one (`fast`, `accurate`) or none."""

DEFAULT_LEAST_CONFIDENCE = 0.4
"""Vapi's default of `confidenceThreshold`."""

_OLD_MODELS = (None, "fast", "accurate")
_SESSION_S = 5.0


class GladiaTranscriberConfig(WireModel):
    """`assistant.transcriber` of provider `gladia` (Vapi's `GladiaTranscriber`)."""

    provider: Literal["gladia"]
    model: str | None = None
    language_behaviour: str | None = None
    language: str | None = None
    languages: list[str] | None = None
    transcription_hint: str | None = None
    audio_enhancer: bool | None = None
    confidence_threshold: Number | None = None
    endpointing: Number | None = None
    speech_threshold: Number | None = None
    custom_vocabulary_enabled: bool | None = None
    custom_vocabulary_config: JsonObject | None = None
    region: str | None = None
    receive_partial_transcripts: bool | None = None


def _languages(config: GladiaTranscriberConfig) -> dict[str, Any]:
    named = config.languages or ([config.language] if config.language else [])
    return {"languages": named, "code_switching": config.language_behaviour == "automatic multiple languages"}


def _vocabulary(config: GladiaTranscriberConfig) -> dict[str, Any] | None:
    """Return the configuration of the vocabulary: the owner's, and the words of `transcriptionHint`."""
    given = config.custom_vocabulary_config or {}
    enabled = config.custom_vocabulary_enabled is not False
    words: list[object] = as_list(given.get("vocabulary")) if enabled else []
    hint = [word.strip() for word in re.split(r"[,;\n]", config.transcription_hint or "") if word.strip()]
    if not words and not hint:
        return None
    vocabulary: dict[str, Any] = {"vocabulary": [*words, *hint]}
    if given.get("defaultIntensity") is not None:
        vocabulary["default_intensity"] = given["defaultIntensity"]
    return vocabulary


def session_body(config: GladiaTranscriberConfig) -> dict[str, Any]:
    """Return the body of the request for a session."""
    body: dict[str, Any] = {
        "encoding": "wav/pcm",
        "bit_depth": 16,
        "sample_rate": 16_000,
        "channels": 1,
        "model": MODEL if config.model in _OLD_MODELS else config.model,
        "language_config": _languages(config),
        "messages_config": {
            "receive_partial_transcripts": config.receive_partial_transcripts is not False,
            "receive_final_transcripts": True,
            "receive_acknowledgments": False,
            "receive_lifecycle_events": False,
            "receive_errors": True,
        },
    }
    if config.endpointing is not None:
        body["endpointing"] = config.endpointing
    processing = {"audio_enhancer": config.audio_enhancer, "speech_threshold": config.speech_threshold}
    if given := {name: value for name, value in processing.items() if value is not None}:
        body["pre_processing"] = given
    if (vocabulary := _vocabulary(config)) is not None:
        body["realtime_processing"] = {"custom_vocabulary": True, "custom_vocabulary_config": vocabulary}
    return body


class GladiaDialect(Dialect):
    """Gladia's /v2/live: a final transcript is a segment.

    Args:
        config: the assistant's transcriber.
        account: the account.
        base_url: of the API.
        client: the HTTP client for the vendor's host.
        addresses: resolves the host of a session, if it is another one than that of the API.
    """

    lag_ms = 1_490
    finalize_timeout_ms = 1_000  # the interim text is the answer: the final takes up to 1.5 s

    def __init__(
        self,
        config: GladiaTranscriberConfig,
        account: VendorAccount,
        base_url: str,
        *,
        client: httpx.AsyncClient,
        addresses: Addresses,
    ) -> None:
        super().__init__(account)
        self._config = config
        self._base_url = http_url(base_url)
        self._client = client
        self._addresses = addresses
        threshold = config.confidence_threshold
        self.least_confidence = DEFAULT_LEAST_CONFIDENCE if threshold is None else float(threshold)

    @override
    async def target(self) -> SocketTarget:
        url = await self._session_url()
        host, own = read_url(http_url(url)), read_url(self._base_url)
        same = host is not None and own is not None and host.host == own.host
        return vendor_target(url, "", [], {}, account=self.account, addresses=None if same else self._addresses)

    async def _session_url(self) -> str:
        """Ask for a session, and return the URL of its socket, which holds a token.

        Raises:
            ProviderError: there is none.
        """
        account, region = self.account, self._config.region
        try:
            response = await self._client.post(
                f"{self._base_url}/v2/live",
                params={} if region is None else {"region": region},
                json=session_body(self._config),
                headers={"X-Gladia-Key": account.key},
                timeout=_SESSION_S,
            )
            body = response.content[:MAX_ERROR_BYTES]
            url = as_string(json_object(body).get("url")) if response.is_success else None
        except httpx.HTTPError as error:
            raise account.failure(f"could not be reached ({type(error).__name__})") from error
        except StreamError:
            raise account.failure("has answered with something else than a session") from None
        if response.is_success and url is not None:
            return url
        raise account.refusal(response.status_code, body, response.headers.get("Retry-After", ""))

    @override
    def reader(self) -> MessageReader:
        return GladiaReader()

    @override
    def last_message(self) -> str:
        return '{"type":"stop_recording"}'


class GladiaReader:
    """The reader of Gladia's messages."""

    def read(self, message: str | bytes) -> Heard:
        """Return what a message says.

        Raises:
            StreamError: it is not a message of Gladia's.
            VendorReportError: it reports an error.
        """
        event = vendor_object(message)
        if event.get("type") == "transcript":
            data = as_object(event.get("data"))
            utterance = as_object(data.get("utterance"))
            text = as_string(utterance.get("text")) or ""
            confidence = unit_or_none(utterance.get("confidence"))
            if data.get("is_final") is True:
                return Heard(segment=text, confidence=confidence, answered=True)
            return Heard(interim=text, confidence=confidence)
        if event.get("type") == "error" or as_object(event.get("error")):
            error = as_object(event.get("error")) or as_object(event.get("data"))
            raise VendorReportError(as_string(error.get("message")) or as_string(event.get("message")) or "")
        return NOTHING


def create_transcriber(config: GladiaTranscriberConfig, resources: Resources) -> StreamingTranscriber:
    """Make the transcriber of one call.

    Raises:
        ProviderError: there is no key.
    """
    settings = resources.settings.section(GladiaSettings)
    account = transcriber_account(
        resources,
        "gladia",
        settings.api_key,
        "GLADIA_API_KEY",
        ended_reason="pipeline-error-gladia-transcriber-failed",
    )
    dialect = GladiaDialect(
        config,
        account,
        settings.base_url or GLADIA_URL,
        client=resources.client,
        addresses=resources.addresses,
    )
    return StreamingTranscriber(dialect, resources.clock)
