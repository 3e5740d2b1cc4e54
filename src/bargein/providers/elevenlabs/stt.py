"""Vapi's transcriber provider `11labs`: Scribe in real time.

From ElevenLabs' API reference and SDK 2.78 of 2026; not yet called for real.
"""

import base64
from typing import Literal

from typing_extensions import override

from bargein.providers.elevenlabs.settings import ElevenLabsSettings
from bargein.providers.elevenlabs.tts import HOSTS
from bargein.providers.interface import Resources
from bargein.providers.socket import SocketTarget
from bargein.providers.streaming_stt import Dialect, MessageReader, StreamingTranscriber, vendor_target
from bargein.providers.stt_account import VendorAccount, VendorReportError, transcriber_account
from bargein.providers.stt_messages import vendor_object
from bargein.providers.utterances import NOTHING, Heard
from bargein.wire.base import Number, WireModel
from bargein.wire.json import as_string

ELEVENLABS_URL = "https://api.elevenlabs.io"

REALTIME_MODEL = "scribe_v2_realtime"
"""The model of every assistant: Vapi's other names are of models that take whole files."""

_COMMIT = '{"message_type":"input_audio_chunk","audio_base_64":"","commit":true,"sample_rate":16000}'
_STATUSES = {"auth_error": 401, "quota_exceeded": 402, "rate_limited": 429, "invalid_request": 400, "input_error": 400}
_TRANSIENT = frozenset(
    {"session_time_limit_exceeded", "insufficient_audio_activity", "queue_overflow", "resource_exhausted"}
)
_ERRORS = frozenset({*_STATUSES, *_TRANSIENT, "error", "transcriber_error", "chunk_size_exceeded", "unaccepted_terms"})


class ElevenLabsTranscriberConfig(WireModel):
    """`assistant.transcriber` of provider `11labs` (Vapi's `ElevenLabsTranscriber`)."""

    provider: Literal["11labs"]
    model: str | None = None
    language: str | None = None
    silence_threshold_seconds: Number | None = None
    confidence_threshold: Number | None = None
    min_speech_duration_ms: Number | None = None
    min_silence_duration_ms: Number | None = None
    keyterms: list[str] | None = None


class ScribeDialect(Dialect):
    """ElevenLabs' /v1/speech-to-text/realtime.

    `commit` is answered by the committed transcript. An assistant that sets a field of ElevenLabs' own voice detection
    gets that: then it commits by itself, and its commits are the finals.

    Args:
        config: the assistant's transcriber.
        account: the account.
        base_url: of the API.
    """

    lag_ms = 410
    finalize_timeout_ms = 850
    least_finalize_ms = 300  # less closes the connection

    def __init__(self, config: ElevenLabsTranscriberConfig, account: VendorAccount, base_url: str) -> None:
        super().__init__(account)
        self._config = config
        self._base_url = base_url
        self._own_detection = [
            (name, f"{value:g}")
            for name, value in (
                ("vad_silence_threshold_secs", config.silence_threshold_seconds),
                ("vad_threshold", config.confidence_threshold),
                ("min_speech_duration_ms", config.min_speech_duration_ms),
                ("min_silence_duration_ms", config.min_silence_duration_ms),
            )
            if value is not None
        ]
        if config.silence_threshold_seconds is not None:
            self.finalize_timeout_ms += int(config.silence_threshold_seconds * 1000)

    @override
    async def target(self) -> SocketTarget:
        model = self._config.model
        query = [
            ("model_id", model if model is not None and model.endswith("realtime") else REALTIME_MODEL),
            ("audio_format", "pcm_16000"),
            ("commit_strategy", "vad" if self._own_detection else "manual"),
            *self._own_detection,
        ]
        if self._config.language is not None:
            query.append(("language_code", self._config.language))
        query += [("keyterms", term) for term in self._config.keyterms or () if term.strip()]
        headers = {"xi-api-key": self.account.key}
        return vendor_target(self._base_url, "/v1/speech-to-text/realtime", query, headers, account=self.account)

    @override
    def reader(self) -> MessageReader:
        return ScribeReader()

    @override
    def encode(self, audio: bytes) -> str:
        data = base64.b64encode(audio).decode("ascii")
        return f'{{"message_type":"input_audio_chunk","audio_base_64":"{data}","commit":false,"sample_rate":16000}}'

    @override
    def finalize(self) -> str | None:
        return None if self._own_detection else _COMMIT


class ScribeReader:
    """The reader of Scribe's messages."""

    def read(self, message: str | bytes) -> Heard:
        """Return what a message says.

        Raises:
            StreamError: it is not a message of ElevenLabs'.
            VendorReportError: it reports a failure.
        """
        event = vendor_object(message)
        kind = as_string(event.get("message_type"))
        text = as_string(event.get("text")) or ""
        match kind:
            case "partial_transcript":
                return Heard(interim=text)
            case "committed_transcript" | "final_transcript":
                return Heard(segment=text, answered=True)
            case "commit_throttled":
                return Heard(answered=True)
            case str() if kind in _ERRORS:
                words = as_string(event.get("error")) or as_string(event.get("message")) or kind
                raise VendorReportError(words, status=_STATUSES.get(kind), transient=kind in _TRANSIENT)
            case _:
                return NOTHING


def create_transcriber(config: ElevenLabsTranscriberConfig, resources: Resources) -> StreamingTranscriber:
    """Make the transcriber of one call.

    Raises:
        ProviderError: there is no key.
    """
    settings = resources.settings.section(ElevenLabsSettings)
    account = transcriber_account(
        resources,
        "11labs",
        settings.api_key,
        "ELEVENLABS_API_KEY",
        ended_reason="pipeline-error-eleven-labs-transcriber-failed",
    )
    host = account.api_url if account.api_url in HOSTS else ELEVENLABS_URL
    dialect = ScribeDialect(config, account, settings.base_url or host)
    return StreamingTranscriber(dialect, resources.clock)
