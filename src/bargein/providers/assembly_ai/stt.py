"""Vapi's transcriber provider `assembly-ai`: Universal Streaming (v3).

From AssemblyAI's API reference and SDK 1.8 of 2026; not yet called for real.
"""

import json
from typing import Literal
from urllib.parse import urlsplit

from typing_extensions import override

from bargein.providers.assembly_ai.settings import AssemblyAiSettings
from bargein.providers.http import Addresses
from bargein.providers.interface import Resources
from bargein.providers.socket import SocketTarget
from bargein.providers.streaming_stt import Dialect, MessageReader, StreamingTranscriber, vendor_target
from bargein.providers.stt_account import VendorAccount, VendorReportError, transcriber_account
from bargein.providers.stt_messages import flag, mean_confidence, unit_or_none, vendor_object
from bargein.providers.utterances import NOTHING, Heard
from bargein.wire.base import Number, WireModel
from bargein.wire.json import as_string

ASSEMBLY_AI_URL = "https://streaming.assemblyai.com"

_OWN_DOMAIN = ".assemblyai.com"
_VERSION = "2025-05-12"

DEFAULT_LEAST_CONFIDENCE = 0.4
"""Vapi's default of `confidenceThreshold`."""

_ENGLISH, _MULTILINGUAL = "universal-streaming-english", "universal-streaming-multilingual"

_STATUSES = {1008: 401, 4001: 401, 4002: 402, 4003: 403, 4029: 429}
"""The HTTP statuses that mean the same as codes with which a connection is closed."""


class AssemblyAiTranscriberConfig(WireModel):
    """`assistant.transcriber` of provider `assembly-ai` (Vapi's `AssemblyAITranscriber`)."""

    provider: Literal["assembly-ai"]
    language: str | None = None
    language_codes: list[str] | None = None
    speech_model: str | None = None
    mode: str | None = None
    prompt: str | None = None
    agent_context: str | None = None
    format_turns: bool | None = None
    confidence_threshold: Number | None = None
    end_of_turn_confidence_threshold: Number | None = None
    min_end_of_turn_silence_when_confident: Number | None = None
    max_turn_silence: Number | None = None
    end_utterance_silence_threshold: Number | None = None
    realtime_url: str | None = None
    word_boost: list[str] | None = None
    keyterms_prompt: list[str] | None = None
    disable_partial_transcripts: bool | None = None


def _query(config: AssemblyAiTranscriberConfig) -> list[tuple[str, str]]:
    multilingual = config.language == "multi"
    longest = config.max_turn_silence
    if longest is None:
        longest = config.end_utterance_silence_threshold  # the name of the same in the interface before this one
    numbers = {
        "end_of_turn_confidence_threshold": config.end_of_turn_confidence_threshold,
        "min_turn_silence": _whole(config.min_end_of_turn_silence_when_confident),
        "max_turn_silence": _whole(longest),
    }
    texts = {"mode": config.mode, "prompt": config.prompt, "agent_context": config.agent_context}
    lists = {
        "language_codes": config.language_codes,
        "keyterms_prompt": [*(config.keyterms_prompt or ()), *(config.word_boost or ())],
    }
    return [
        ("sample_rate", "16000"),
        ("encoding", "pcm_s16le"),
        ("speech_model", config.speech_model or (_MULTILINGUAL if multilingual else _ENGLISH)),
        ("format_turns", flag(_formats(config))),
        *((name, str(value)) for name, value in numbers.items() if value is not None),
        *((name, text) for name, text in texts.items() if text),
        *((name, json.dumps(values)) for name, values in lists.items() if values),
    ]


def _whole(value: float | None) -> int | None:
    return None if value is None else int(value)


def _formats(config: AssemblyAiTranscriberConfig) -> bool:
    """Return `formatTurns`, which is true by Vapi's default."""
    return config.format_turns is not False


class UniversalDialect(Dialect):
    """AssemblyAI's /v3/ws: `Turn` has the whole text of the turn; `ForceEndpoint` ends it.

    Args:
        config: the assistant's transcriber.
        account: the account.
        base_url: of the API.
        addresses: resolves hosts that the assistant names.
    """

    lag_ms = 420
    finalize_timeout_ms = 850
    least_message_ms = 50
    keep_alive_s = 4.0

    def __init__(
        self, config: AssemblyAiTranscriberConfig, account: VendorAccount, base_url: str, addresses: Addresses
    ) -> None:
        super().__init__(account)
        self._config = config
        self._base_url = base_url
        self._addresses = addresses
        threshold = config.confidence_threshold
        self.least_confidence = DEFAULT_LEAST_CONFIDENCE if threshold is None else float(threshold)

    @override
    async def target(self) -> SocketTarget:
        headers = {"Authorization": self.account.key, "AssemblyAI-Version": _VERSION}
        query, named = _query(self._config), self._config.realtime_url
        if not named:
            return vendor_target(self._base_url, "/v3/ws", query, headers, account=self.account)
        if not _is_assembly_ai(named):
            del headers["Authorization"]  # the key is for AssemblyAI's own hosts
        return vendor_target(named, "", query, headers, account=self.account, addresses=self._addresses)

    @override
    def reader(self) -> MessageReader:
        return TurnReader(formats=_formats(self._config), partials=not self._config.disable_partial_transcripts)

    @override
    def finalize(self) -> str:
        return '{"type":"ForceEndpoint"}'

    @override
    def last_message(self) -> str:
        return '{"type":"Terminate"}'

    @override
    def closed(self, code: int | None, reason: str) -> VendorReportError | None:
        report = super().closed(code, reason)
        if report is None:
            return None
        status = _STATUSES.get(0 if code is None else code)
        return VendorReportError(report.words, status=status)


def _is_assembly_ai(url: str) -> bool:
    parts = urlsplit(url)
    return parts.scheme in ("wss", "https") and f".{parts.hostname or ''}".endswith(_OWN_DOMAIN)


class TurnReader:
    """The reader of `Turn`.

    The end of a turn comes twice if turns are formatted: the second time with punctuation.

    Args:
        formats: whether turns are formatted.
        partials: whether text before the end of a turn counts.
    """

    def __init__(self, *, formats: bool, partials: bool) -> None:
        self._formats = formats
        self._partials = partials
        self._ended = -1

    def read(self, message: str | bytes) -> Heard:
        """Return what a message says.

        Raises:
            StreamError: it is not a message of AssemblyAI's.
            VendorReportError: it is an `Error`.
        """
        event = vendor_object(message)
        if event.get("type") == "Turn":
            return self._read_turn(event)
        if (words := as_string(event.get("error"))) is not None:
            raise VendorReportError(words)
        return NOTHING

    def _read_turn(self, event: dict[str, object]) -> Heard:
        order = event.get("turn_order")
        number = order if isinstance(order, int) else self._ended + 1
        if number <= self._ended:
            return NOTHING
        text = as_string(event.get("transcript")) or ""
        confidence = mean_confidence(event.get("words"))
        end_of_turn = unit_or_none(event.get("end_of_turn_confidence"))
        ended = event.get("end_of_turn") is True
        if ended and (event.get("turn_is_formatted") is True or not self._formats):
            self._ended = number
            return Heard(segment=text, confidence=confidence, end_of_turn=end_of_turn, answered=True)
        if not self._partials:
            return NOTHING
        return Heard(interim=text, confidence=confidence, end_of_turn=end_of_turn)


def create_transcriber(config: AssemblyAiTranscriberConfig, resources: Resources) -> StreamingTranscriber:
    """Make the transcriber of one call.

    Raises:
        ProviderError: there is no key.
    """
    settings = resources.settings.section(AssemblyAiSettings)
    account = transcriber_account(
        resources,
        "assembly-ai",
        settings.api_key,
        "ASSEMBLYAI_API_KEY",
        ended_reason="pipeline-error-assembly-ai-transcriber-failed",
    )
    base_url = settings.base_url or ASSEMBLY_AI_URL
    return StreamingTranscriber(UniversalDialect(config, account, base_url, resources.addresses), resources.clock)
