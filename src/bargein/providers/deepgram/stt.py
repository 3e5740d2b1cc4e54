"""Vapi's transcriber provider `deepgram`: Nova and older models on /v1/listen, Flux on /v2/listen.

From Deepgram's API reference and SDK 7.17 of 2026; not yet called for real.
"""

import math
from typing import Literal

from typing_extensions import override

from bargein.providers.deepgram.settings import DeepgramSettings
from bargein.providers.http import Addresses
from bargein.providers.interface import Resources
from bargein.providers.socket import SocketTarget
from bargein.providers.streaming_stt import Dialect, MessageReader, StreamingTranscriber, vendor_target
from bargein.providers.stt_account import VendorAccount, VendorReportError, transcriber_account
from bargein.providers.stt_messages import (
    first_object,
    flag,
    mean_confidence,
    seconds_as_ms,
    unit_or_none,
    vendor_object,
)
from bargein.providers.utterances import NOTHING, Heard
from bargein.wire.base import Number, WireModel
from bargein.wire.json import as_object, as_string

DEEPGRAM_URL = "https://api.deepgram.com"

DEFAULT_MODEL = "nova-2"
"""The model of an assistant that names none: the most languages, and the most common one in public configurations."""

DEFAULT_ENDPOINTING_MS = 10
"""Vapi's default of `endpointing`."""

DEFAULT_LEAST_CONFIDENCE = 0.4
"""Vapi's default of `confidenceThreshold`."""

DEFAULT_EOT_THRESHOLD = 0.7
"""Vapi's default of `eotThreshold`."""

_SHORT_ENDPOINTING_MS = 96
"""An endpointing of at most this ends a segment in a pause anyway, so asking for its words in a pause costs nothing."""

_FLUX = "flux"
_WITH_KEYTERMS = ("nova-3", _FLUX)
_CLOSEST = 0.001


class DeepgramTranscriberConfig(WireModel):
    """`assistant.transcriber` of provider `deepgram` (Vapi's `DeepgramTranscriber`)."""

    provider: Literal["deepgram"]
    model: str | None = None
    language: str | None = None
    languages: list[str] | None = None
    smart_format: bool | None = None
    mip_opt_out: bool | None = None
    numerals: bool | None = None
    profanity_filter: bool | None = None
    redaction: list[str] | None = None
    confidence_threshold: Number | None = None
    eot_threshold: Number | None = None
    eot_timeout_ms: Number | None = None
    keywords: list[str] | None = None
    keyterm: list[str] | None = None
    endpointing: Number | None = None


Query = list[tuple[str, str]]


def _common_query(config: DeepgramTranscriberConfig, model: str) -> Query:
    query = [("model", model), ("encoding", "linear16"), ("sample_rate", "16000")]
    given = {
        "numerals": config.numerals,
        "profanity_filter": config.profanity_filter,
        "mip_opt_out": config.mip_opt_out,
    }
    query += [(name, flag(value)) for name, value in given.items() if value is not None]
    query += [("redact", what) for what in config.redaction or ()]
    return query + _vocabulary(config, model)


def _vocabulary(config: DeepgramTranscriberConfig, model: str) -> Query:
    """Return `keyterm` and `keywords` as the model takes them: Nova-3 and Flux the first, others the second."""
    keyterms, keywords = config.keyterm or [], config.keywords or []
    if model.startswith(_WITH_KEYTERMS):
        named = [*keyterms, *(word.partition(":")[0] for word in keywords)]
        return [("keyterm", term) for term in dict.fromkeys(named)]
    return [("keywords", word) for word in [*keywords, *(word for term in keyterms for word in term.split())]]


class _DeepgramDialect(Dialect):
    """The part that both of Deepgram's interfaces share.

    Args:
        config: the assistant's transcriber.
        account: the account.
        base_url: of the API.
        addresses: resolves the host, if the credential names it.
    """

    lag_ms = 350
    finalize_timeout_ms = 700

    def __init__(
        self,
        config: DeepgramTranscriberConfig,
        account: VendorAccount,
        base_url: str,
        addresses: Addresses | None = None,
    ) -> None:
        super().__init__(account)
        self._addresses = addresses
        self._config = config
        self._model = config.model or DEFAULT_MODEL
        self._base_url = base_url
        threshold = config.confidence_threshold
        self.least_confidence = DEFAULT_LEAST_CONFIDENCE if threshold is None else float(threshold)

    def _target(self, path: str, query: Query) -> SocketTarget:
        headers = {"Authorization": f"Token {self.account.key}"}
        return vendor_target(self._base_url, path, query, headers, account=self.account, addresses=self._addresses)

    @override
    def last_message(self) -> str:
        return '{"type":"CloseStream"}'


class NovaDialect(_DeepgramDialect):
    """Deepgram's /v1/listen.

    A final result is a segment. `Finalize` is answered by a result with `from_finalize`, but not surely if little audio
    is left; then the position of the results says that all words have come.
    """

    keep_alive_s = 4.0

    def __init__(
        self,
        config: DeepgramTranscriberConfig,
        account: VendorAccount,
        base_url: str,
        addresses: Addresses | None = None,
    ) -> None:
        super().__init__(config, account, base_url, addresses)
        given = config.endpointing
        self._endpointing_ms = DEFAULT_ENDPOINTING_MS if given is None else int(given)
        self.finalizes_pauses = self._endpointing_ms <= _SHORT_ENDPOINTING_MS

    @override
    async def target(self) -> SocketTarget:
        config = self._config
        query = [
            *_common_query(config, self._model),
            ("channels", "1"),
            ("interim_results", "true"),
            ("punctuate", "true"),
            ("endpointing", str(self._endpointing_ms)),
        ]
        if config.smart_format is not None:
            query.append(("smart_format", flag(config.smart_format)))
        if config.language is not None:
            query.append(("language", config.language))
        return self._target("/v1/listen", query)

    @override
    def reader(self) -> MessageReader:
        return NovaReader()

    @override
    def finalize(self) -> str:
        return '{"type":"Finalize"}'

    @override
    def keep_alive(self) -> str:
        return '{"type":"KeepAlive"}'


class NovaReader:
    """The reader of `Results` of /v1/listen."""

    def read(self, message: str | bytes) -> Heard:
        """Return what a message says.

        Raises:
            StreamError: it is not a message of Deepgram's.
            VendorReportError: it is an `Error`.
        """
        event = vendor_object(message)
        match event.get("type"):
            case "Results":
                return self._read_results(event)
            case "Error":
                raise VendorReportError(as_string(event.get("description")) or as_string(event.get("message")) or "")
            case _:
                return NOTHING

    def _read_results(self, event: dict[str, object]) -> Heard:
        best = first_object(as_object(event.get("channel")).get("alternatives"))
        text = as_string(best.get("transcript")) or ""
        confidence = unit_or_none(best.get("confidence")) if text else None
        end_ms = seconds_as_ms(event.get("start"), event.get("duration"))
        if event.get("is_final") is True:
            answered = event.get("from_finalize") is True
            return Heard(segment=text, confidence=confidence, answered=answered, covered_ms=end_ms)
        # An interim result without text does not say that there are no words: they may come a little later.
        return Heard(interim=text, confidence=confidence)


class FluxDialect(_DeepgramDialect):
    """Deepgram's /v2/listen.

    Flux ends no turn by its own confidence here (`eot_threshold=1.0`): `ForceEndTurn` ends it when the caller falls
    silent. Its confidence is told as evidence, moved so that it counts as 0.7 at the owner's `eotThreshold`.
    """

    least_message_ms = 80  # Deepgram's advice for this interface

    @override
    async def target(self) -> SocketTarget:
        config = self._config
        query = [*_common_query(config, self._model), ("eot_threshold", "1.0")]
        if config.eot_timeout_ms is not None:
            query.append(("eot_timeout_ms", str(int(config.eot_timeout_ms))))
        query += [("language_hint", tag) for tag in config.languages or ()]
        return self._target("/v2/listen", query)

    @override
    def reader(self) -> MessageReader:
        threshold = self._config.eot_threshold
        return FluxReader(DEFAULT_EOT_THRESHOLD if threshold is None else float(threshold))

    @override
    def finalize(self) -> str:
        return '{"type":"ForceEndTurn"}'


class FluxReader:
    """The reader of `TurnInfo` of /v2/listen, whose transcript is the whole turn's.

    Args:
        eot_threshold: the confidence that counts as the default threshold.
    """

    def __init__(self, eot_threshold: float) -> None:
        self._shift = _logit(DEFAULT_EOT_THRESHOLD) - _logit(eot_threshold)

    def read(self, message: str | bytes) -> Heard:
        """Return what a message says.

        Raises:
            StreamError: it is not a message of Deepgram's.
            VendorReportError: it is an `Error`.
        """
        event = vendor_object(message)
        match event.get("type"):
            case "TurnInfo":
                return self._read_turn(event)
            case "Error":
                raise VendorReportError(as_string(event.get("description")) or as_string(event.get("code")) or "")
            case _:
                return NOTHING

    def _read_turn(self, event: dict[str, object]) -> Heard:
        text = as_string(event.get("transcript")) or ""
        confidence = mean_confidence(event.get("words"))
        surely = unit_or_none(event.get("end_of_turn_confidence"))
        end_of_turn = None if surely is None else _unlogit(_logit(surely) + self._shift)
        end_ms = seconds_as_ms(event.get("audio_window_end"))
        if event.get("event") == "EndOfTurn":
            return Heard(
                segment=text,
                confidence=confidence,
                end_of_turn=end_of_turn,
                answered=True,
                covered_ms=end_ms,
            )
        return Heard(interim=text, confidence=confidence, end_of_turn=end_of_turn)


def _logit(probability: float) -> float:
    bounded = min(max(probability, _CLOSEST), 1 - _CLOSEST)
    return math.log(bounded / (1 - bounded))


def _unlogit(value: float) -> float:
    return 1 / (1 + math.exp(-value))


def create_transcriber(config: DeepgramTranscriberConfig, resources: Resources) -> StreamingTranscriber:
    """Make the transcriber of one call; `apiUrl` of the credential names a Deepgram of the owner's.

    Raises:
        ProviderError: there is no key.
    """
    settings = resources.settings.section(DeepgramSettings)
    account = transcriber_account(
        resources,
        "deepgram",
        settings.api_key,
        "DEEPGRAM_API_KEY",
        ended_reason="pipeline-error-deepgram-transcriber-failed",
    )
    dialect = FluxDialect if (config.model or DEFAULT_MODEL).startswith(_FLUX) else NovaDialect
    own = account.api_url
    base_url, addresses = own or settings.base_url or DEEPGRAM_URL, resources.addresses if own else None
    return StreamingTranscriber(dialect(config, account, base_url, addresses), resources.clock)
