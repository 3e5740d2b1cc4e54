"""Vapi's transcriber provider `azure`: Azure Speech's WebSocket.

Messages have headers of their own: `Path`, `X-RequestId`, `X-Timestamp`. Audio is binary: two bytes with the length of
the headers, the headers, the audio; the first of a turn begins with a WAV header. From Microsoft's page on the protocol
and the source of its JavaScript SDK 1.4x; not yet called for real.
"""

import json
import struct
import uuid
from collections.abc import Callable
from typing import Any, Literal

from typing_extensions import override

from bargein.audio.wav import wav_header
from bargein.clock import Clock, iso_from_epoch_ms
from bargein.providers.azure.account import speech_account
from bargein.providers.azure.settings import AzureSettings
from bargein.providers.http import StreamError, json_object
from bargein.providers.interface import Resources
from bargein.providers.socket import SocketTarget
from bargein.providers.streaming_stt import Dialect, MessageReader, StreamingTranscriber, vendor_target
from bargein.providers.stt_account import VendorAccount, VendorReportError
from bargein.providers.stt_messages import first_object, unit_or_none
from bargein.providers.utterances import NOTHING, Heard
from bargein.wire.base import Number, WireModel
from bargein.wire.json import as_string

DEFAULT_LANGUAGE = "en-US"
DEFAULT_SILENCE_MS = 200
"""The silence that ends a phrase where the assistant names none. Azure's own is longer (about half a second), and it
cannot be asked for its words."""

_PATH = "/speech/recognition/conversation/cognitiveservices/v1"
_CRLF = "\r\n"
_CONFIG = {"context": {"system": {"name": "bargein", "version": "1", "build": "Python", "lang": "Python"}}}


class AzureTranscriberConfig(WireModel):
    """`assistant.transcriber` of provider `azure` (Vapi's `AzureSpeechTranscriber`)."""

    provider: Literal["azure"]
    language: str | None = None
    segmentation_strategy: str | None = None
    segmentation_silence_timeout_ms: Number | None = None
    segmentation_maximum_time_ms: Number | None = None


def _segmentation(config: AzureTranscriberConfig) -> dict[str, Any]:
    if config.segmentation_strategy == "Semantic":
        return {"mode": "Semantic"}
    silence_ms = config.segmentation_silence_timeout_ms
    longest_ms = config.segmentation_maximum_time_ms
    custom: dict[str, Any] = {
        "mode": "Custom",
        "segmentationSilenceTimeoutMs": DEFAULT_SILENCE_MS if silence_ms is None else int(silence_ms),
    }
    return custom if longest_ms is None else custom | {"segmentationForcedTimeoutMs": int(longest_ms)}


class AzureDialect(Dialect):
    """Azure Speech in mode `conversation`: a phrase is a segment.

    A turn of the protocol (not the caller's) lasts until Azure ends it, mostly after ten minutes; then another begins.

    Args:
        config: the assistant's transcriber.
        account: the account.
        base_url: of the region.
        clock: dates the messages.
    """

    lag_ms = 1_800
    finalize_timeout_ms = 1_000  # the interim text is the answer: the final takes up to 1.8 s

    def __init__(self, config: AzureTranscriberConfig, account: VendorAccount, base_url: str, clock: Clock) -> None:
        super().__init__(account)
        self._config = config
        self._base_url = base_url
        self._clock = clock
        self._request_id = ""
        self._audio_headers = b""
        self._has_begun = False

    @override
    async def target(self) -> SocketTarget:
        query = [("language", self._config.language or DEFAULT_LANGUAGE), ("format", "detailed")]
        headers = {"Ocp-Apim-Subscription-Key": self.account.key, "X-ConnectionId": uuid.uuid4().hex.upper()}
        return vendor_target(self._base_url, _PATH, query, headers, account=self.account)

    @override
    def first_messages(self) -> tuple[str, ...]:
        context = self.begin_turn()
        return (self._text("speech.config", _CONFIG), context)

    def begin_turn(self) -> str:
        """Begin a turn; return the message that does."""
        self._request_id = uuid.uuid4().hex.upper()
        self._has_begun = False
        headers = self._headers("audio", "audio/x-wav").encode("ascii")
        self._audio_headers = struct.pack(">H", len(headers)) + headers
        phrases = {"mode": "Conversation", "conversation": {"segmentation": _segmentation(self._config)}}
        return self._text("speech.context", {"phraseDetection": phrases})

    @override
    def encode(self, audio: bytes) -> bytes:
        if self._has_begun:
            return self._audio_headers + audio
        self._has_begun = True
        return self._audio_headers + wav_header(self.rate_hz) + audio

    @override
    def reader(self) -> MessageReader:
        return PhraseReader(self.begin_turn)

    def _text(self, path: str, body: dict[str, Any]) -> str:
        return f"{self._headers(path, 'application/json; charset=utf-8')}{_CRLF}{json.dumps(body)}"

    def _headers(self, path: str, content_type: str) -> str:
        return (
            f"Path: {path}{_CRLF}X-RequestId: {self._request_id}{_CRLF}"
            f"X-Timestamp: {iso_from_epoch_ms(self._clock.epoch_ms())}{_CRLF}Content-Type: {content_type}{_CRLF}"
        )


class PhraseReader:
    """The reader of Azure's messages.

    Args:
        begin_turn: begins another turn of the protocol, and returns the message that does.
    """

    def __init__(self, begin_turn: Callable[[], str]) -> None:
        self._begin_turn = begin_turn

    def read(self, message: str | bytes) -> Heard:
        """Return what a message says.

        Raises:
            StreamError: it is not a message of Azure's.
            VendorReportError: a phrase could not be recognized because of an error.
        """
        if isinstance(message, bytes):
            raise StreamError("it is binary")
        head, blank, body = message.partition(_CRLF * 2)
        headers = dict(_header(line) for line in head.split(_CRLF))
        path = headers.get("path", "").lower()
        if not path or not blank:
            raise StreamError("it has no path")
        match path:
            case "speech.hypothesis":
                return Heard(interim=as_string(json_object(body).get("Text")) or "")
            case "speech.phrase":
                return _read_phrase(json_object(body))
            case "turn.end":
                return Heard(reply=self._begin_turn())
            case _:
                return NOTHING


def _header(line: str) -> tuple[str, str]:
    name, _, value = line.partition(":")
    return name.strip().lower(), value.strip()


def _read_phrase(phrase: dict[str, object]) -> Heard:
    status = as_string(phrase.get("RecognitionStatus")) or ""
    if status == "Error":
        raise VendorReportError("a phrase ended with the status Error", status=500, transient=True)
    if status not in ("Success", "NoMatch"):
        return NOTHING  # silence without words, and the end of the audio
    best = first_object(phrase.get("NBest"))
    text = as_string(best.get("Display")) or as_string(phrase.get("DisplayText")) or ""
    confidence = unit_or_none(best.get("Confidence")) if text else None
    return Heard(segment=text, confidence=confidence, answered=True)


def create_transcriber(config: AzureTranscriberConfig, resources: Resources) -> StreamingTranscriber:
    """Make the transcriber of one call.

    Raises:
        ProviderError: there is no key or no region.
    """
    owner, region = speech_account(resources, "transcriber", "azure")
    account = VendorAccount(
        provider="azure",
        key=owner.key,
        key_variable="AZURE_SPEECH_KEY",
        ended_reason="pipeline-error-azure-speech-transcriber-failed",
    )
    base_url = resources.settings.section(AzureSettings).base_url or f"https://{region}.stt.speech.microsoft.com"
    return StreamingTranscriber(AzureDialect(config, account, base_url, resources.clock), resources.clock)
