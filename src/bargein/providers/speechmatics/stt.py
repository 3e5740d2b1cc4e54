"""Vapi's transcriber provider `speechmatics`: the real-time API.

From Speechmatics' API reference and SDK 1.2 of 2026; not yet called for real.
"""

import json
from typing import Any, Literal

from typing_extensions import override

from bargein.providers.interface import Resources
from bargein.providers.socket import SocketTarget
from bargein.providers.speechmatics.settings import SpeechmaticsSettings
from bargein.providers.streaming_stt import Dialect, MessageReader, StreamingTranscriber, vendor_target
from bargein.providers.stt_account import VendorAccount, VendorReportError, transcriber_account
from bargein.providers.stt_messages import first_object, mean_confidence, vendor_object
from bargein.providers.utterances import NOTHING, Heard
from bargein.wire.base import JsonObject, Number, WireModel
from bargein.wire.json import as_object, as_objects, as_string, as_strings

DEFAULT_MAX_DELAY_MS = 3_000
"""Vapi's default of `maxDelay`; an utterance is asked for when it ends, so a long one delays nothing."""

_LEAST_MAX_DELAY_S = 0.7
_STATUSES = {
    "not_authorised": 401,
    "not_allowed": 403,
    "insufficient_funds": 402,
    "quota_exceeded": 429,
    "invalid_message": 400,
    "invalid_model": 400,
    "invalid_language": 400,
    "invalid_config": 400,
    "invalid_audio_type": 400,
    "internal_error": 500,
    "job_error": 500,
}
_TRANSIENT = frozenset({"timelimit_exceeded", "idle_timeout", "session_timeout", "unknown_error"})


class SpeechmaticsTranscriberConfig(WireModel):
    """`assistant.transcriber` of provider `speechmatics` (Vapi's `SpeechmaticsTranscriber`)."""

    provider: Literal["speechmatics"]
    language: str | None = None
    operating_point: str | None = None
    region: Literal["eu", "us"] | None = None
    enable_diarization: bool | None = None
    max_delay: Number | None = None
    custom_vocabulary: list[JsonObject] | None = None
    numeral_style: str | None = None
    end_of_turn_sensitivity: Number | None = None
    remove_disfluencies: bool | None = None


class SpeechmaticsDialect(Dialect):
    """Speechmatics' /v2: transcripts are segments, and `ForceEndOfUtterance` is answered by `EndOfUtterance`.

    Args:
        config: the assistant's transcriber.
        account: the account.
        base_url: of the API; None: that of the assistant's region.
    """

    lag_ms = 740
    finalize_timeout_ms = 1_100
    waits = True

    def __init__(self, config: SpeechmaticsTranscriberConfig, account: VendorAccount, base_url: str | None) -> None:
        super().__init__(account)
        self._config = config
        self._base_url = base_url or f"https://{config.region or 'eu'}.rt.speechmatics.com"

    @override
    async def target(self) -> SocketTarget:
        headers = {"Authorization": f"Bearer {self.account.key}"}
        return vendor_target(self._base_url, "/v2", [], headers, account=self.account)

    @override
    def first_messages(self) -> tuple[str, ...]:
        start = {
            "message": "StartRecognition",
            "audio_format": {"type": "raw", "encoding": "pcm_s16le", "sample_rate": self.rate_hz},
            "transcription_config": self._transcription(),
        }
        return (json.dumps(start),)

    def _transcription(self) -> dict[str, Any]:
        config = self._config
        delay_ms = DEFAULT_MAX_DELAY_MS if config.max_delay is None else config.max_delay
        transcription: dict[str, Any] = {
            "enable_partials": True,
            "max_delay": max(_LEAST_MAX_DELAY_S, delay_ms / 1000),
            # In spoken style the words of a number are read out of the entity.
            "enable_entities": config.numeral_style == "spoken",
        }
        if config.language == "auto":
            # Only this model knows the language by itself.
            transcription |= {"language": "multi", "model": "melia-1"}
        else:
            transcription |= {
                "language": config.language or "en",
                "operating_point": config.operating_point or "enhanced",
            }
        if config.enable_diarization:
            transcription["diarization"] = "speaker"
        if config.custom_vocabulary:
            transcription["additional_vocab"] = [_entry(item) for item in config.custom_vocabulary]
        if config.remove_disfluencies:
            transcription["transcript_filtering_config"] = {"remove_disfluencies": True}
        if config.end_of_turn_sensitivity is not None:
            # A second at the least sensitivity, 0.2 s at the most: ours, as Vapi does not say.
            silence_s = round(1 - 0.8 * config.end_of_turn_sensitivity, 2)
            transcription["conversation_config"] = {"end_of_utterance_silence_trigger": silence_s}
        return transcription

    @override
    def reader(self) -> MessageReader:
        return TranscriptReader(spoken=self._config.numeral_style == "spoken")

    @override
    def finalize(self) -> str:
        return '{"message":"ForceEndOfUtterance"}'


def _entry(item: JsonObject) -> dict[str, Any]:
    sounds = as_strings(item.get("soundsLike"))
    content: dict[str, Any] = {"content": item.get("content")}
    return content | ({"sounds_like": sounds} if sounds else {})


class TranscriptReader:
    """The reader of Speechmatics' messages.

    Args:
        spoken: whether numbers are read as they were spoken.
    """

    def __init__(self, *, spoken: bool) -> None:
        self._spoken = spoken

    def read(self, message: str | bytes) -> Heard:
        """Return what a message says.

        Raises:
            StreamError: it is not a message of Speechmatics'.
            VendorReportError: it is an `Error`.
        """
        event = vendor_object(message)
        match event.get("message"):
            case "AddPartialTranscript":
                return Heard(interim=self._text(event), confidence=_confidence(event))
            case "AddTranscript":
                return Heard(segment=self._text(event), confidence=_confidence(event))
            case "EndOfUtterance":
                return Heard(answered=True)
            case "RecognitionStarted":
                return Heard(ready=True)
            case "Error":
                kind = as_string(event.get("type")) or ""
                words = as_string(event.get("reason")) or kind
                raise VendorReportError(words, status=_STATUSES.get(kind), transient=kind in _TRANSIENT)
            case _:
                return NOTHING

    def _text(self, event: dict[str, object]) -> str:
        if not self._spoken:
            return as_string(as_object(event.get("metadata")).get("transcript")) or ""
        text = ""
        for result in as_objects(event.get("results")):
            spoken = as_objects(result.get("spoken_form")) or [result]
            words = [as_string(first_object(each.get("alternatives")).get("content")) or "" for each in spoken]
            glued = result.get("attaches_to") == "previous" or not text
            text += ("" if glued else " ") + " ".join(words)
        return text


def _confidence(event: dict[str, object]) -> float | None:
    return mean_confidence([first_object(result.get("alternatives")) for result in as_objects(event.get("results"))])


def create_transcriber(config: SpeechmaticsTranscriberConfig, resources: Resources) -> StreamingTranscriber:
    """Make the transcriber of one call.

    Raises:
        ProviderError: there is no key.
    """
    settings = resources.settings.section(SpeechmaticsSettings)
    account = transcriber_account(
        resources,
        "speechmatics",
        settings.api_key,
        "SPEECHMATICS_API_KEY",
        ended_reason="pipeline-error-speechmatics-transcriber-failed",
    )
    return StreamingTranscriber(SpeechmaticsDialect(config, account, settings.base_url), resources.clock)
