"""Casting: from an assistant to the providers of one call."""

from types import MappingProxyType
from typing import Any, Protocol, cast

import httpx

from bargein.call.plan.compile import compile_plan
from bargein.call.session import Providers
from bargein.clock import Clock
from bargein.ports import (
    EndOfTurnDetector,
    InterruptionClassifier,
    Model,
    ProviderError,
    Transcriber,
    Voice,
    VoiceDetector,
)
from bargein.providers.custom.llm import CustomLlm, CustomLlmConfig
from bargein.providers.custom.stt import CustomTranscriber, CustomTranscriberConfig
from bargein.providers.custom.tts import DEFAULT_CHUNK_TIMEOUT_S, CustomVoice, CustomVoiceConfig
from bargein.providers.openai import OpenAiConfig, OpenAiModel
from bargein.providers.openai.settings import OpenAiSettings
from bargein.server.agents.credentials import ProviderCredentials, api_key
from bargein.server.agents.egress import NO_AUTH, Egress, ProviderAuth
from bargein.server.agents.unsupported import (
    CANNOT_START,
    unsupported_model,
    unsupported_transcriber,
    unsupported_voice,
)
from bargein.settings import Settings
from bargein.turns import Plan
from bargein.wire import providers as wire
from bargein.wire.assistant import Assistant
from bargein.wire.base import JsonObject
from bargein.wire.plans import Server
from bargein.wire.redact import without_secrets


class EmbeddedProviders(Protocol):
    """The models inside the package."""

    @property
    def detector(self) -> VoiceDetector:
        """Hears voices."""
        ...

    @property
    def transcriber(self) -> Transcriber:
        """Understands words."""
        ...

    @property
    def voice(self) -> Voice:
        """Speaks."""
        ...

    @property
    def model(self) -> Model:
        """Answers."""
        ...

    @property
    def judge(self) -> InterruptionClassifier | None:
        """Tells voices that take the floor from those that do not; None: a voice's length decides."""
        ...

    @property
    def end_of_turn_detector(self) -> EndOfTurnDetector | None:
        """Tells the end of a turn from a pause in it; None: the words decide."""
        ...


class ProviderFactory:
    """Finds the providers of a call.

    Args:
        settings: for the keys of providers that this server has accounts with.
        clock: the one clock.
        client: the HTTP client that all calls share, for servers that the operator has named.
        embedded: the models inside the package.
        outside: the way to servers that assistants name.
    """

    def __init__(
        self,
        settings: Settings,
        clock: Clock,
        client: httpx.AsyncClient,
        embedded: EmbeddedProviders,
        egress: Egress,
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._client = client
        self._embedded = embedded
        self._egress = egress

    def providers(
        self,
        assistant: Assistant,
        call: JsonObject,
        rate_hz: int,
        keys: ProviderCredentials = MappingProxyType({}),
        auth: ProviderAuth = NO_AUTH,
    ) -> Providers:
        """The providers of a call whose audio has `rate_hz`.

        Args:
            assistant: the assistant.
            call: the call's JSON.
            rate_hz: of the audio in both directions.
            keys: the owner's credentials for the assistant's providers.
            auth: proves to servers that the assistant names who asks.

        Raises:
            ProviderError: the assistant wants one that this server does not have; the text says what to do.
        """
        context = _context(assistant, call)
        return Providers(
            detector=self._embedded.detector,
            transcriber=self._transcriber(assistant.transcriber, auth),
            model=self._model(assistant.model, context, keys),
            voice=self._voice(assistant.voice, context, rate_hz, auth),
            judge=self._embedded.judge,
            cancels_echo=self._settings.calls.cancels_echo(rate_hz),
            end_of_turn_detector=self._embedded.end_of_turn_detector,
        )

    def plan(self, assistant: Assistant) -> Plan:
        """The plan of a call, as the assistant and this server's settings have it.

        Raises:
            RulesError: the assistant's plans contradict themselves.
        """
        return compile_plan(assistant, drafts=self._settings.calls.early_replies)

    def model(self, assistant: Assistant, call: JsonObject, keys: ProviderCredentials) -> Model:
        """The model of a conversation in text alone; see `providers`.

        Raises:
            ProviderError: the assistant wants one that this server does not have; the text says what to do.
        """
        return self._model(assistant.model, _context(assistant, call), keys)

    def _transcriber(self, asked: wire.AssistantTranscriber | None, auth: ProviderAuth) -> Transcriber:
        match asked:
            case None | wire.EmbeddedTranscriber():
                return self._embedded.transcriber
            case wire.CustomTranscriber(server=server):
                config = CustomTranscriberConfig(
                    url=server.url or "", secret=server.secret, headers=_headers(server), **_timeout(server)
                )
                return CustomTranscriber(config, self._clock, self._egress.guard, auth.transcriber)
            case _:
                raise unsupported_transcriber(asked.provider)

    def _model(self, asked: wire.AssistantModel | None, context: JsonObject, keys: ProviderCredentials) -> Model:
        match asked:
            case None | wire.EmbeddedModel():
                return self._embedded.model
            case wire.CustomLlm():
                seconds = asked.timeout_seconds
                timeout: dict[str, Any] = {"timeout_s": float(seconds)} if seconds else {}
                config = CustomLlmConfig(
                    url=asked.url,
                    model=asked.model,
                    headers={name: str(value) for name, value in (asked.headers or {}).items()},
                    metadata_send_mode=asked.metadata_send_mode or "variable",
                    api_key=api_key(keys, "custom-llm"),
                    context=context,
                    **_sampling(asked),
                    **timeout,
                )
                return CustomLlm(config, self._egress.client)
            case wire.OpenAiModel():
                return self._openai(asked, api_key(keys, "openai"))
            case _:
                raise unsupported_model(asked.provider)

    def _openai(self, asked: wire.OpenAiModel, own_key: str | None) -> Model:
        settings = self._settings.section(OpenAiSettings)
        key = own_key or settings.api_key
        if key is None and settings.base_url is None:
            raise ProviderError(
                "model provider openai needs a key: add a credential or set OPENAI_API_KEY, "
                "or OPENAI_BASE_URL for a compatible server",
                ended_reason=CANNOT_START,
            )
        config = OpenAiConfig(
            model=asked.model,
            api_key=key,
            base_url=settings.base_url,
            **_sampling(asked),
        )
        return OpenAiModel(config, self._client)

    def _voice(self, asked: wire.AssistantVoice | None, context: JsonObject, rate_hz: int, auth: ProviderAuth) -> Voice:
        match asked:
            case None | wire.EmbeddedVoice():
                return self._embedded.voice
            case wire.CustomVoice(server=server):
                timeout = _timeout(server)
                if timeout:  # who is given two seconds to begin gets no ten for the rest
                    timeout["chunk_timeout_s"] = min(timeout["timeout_s"], DEFAULT_CHUNK_TIMEOUT_S)
                config = CustomVoiceConfig(
                    url=server.url or "",
                    sample_rate_hz=rate_hz,
                    secret=server.secret,
                    headers=_headers(server),
                    voice_id=asked.voice_id,
                    context={name: value for name, value in context.items() if name != "metadata"},
                    **timeout,
                )
                return CustomVoice(config, self._egress.client, self._clock, auth.voice)
            case _:
                raise unsupported_voice(asked.provider)


def _sampling(asked: wire.CustomLlm | wire.OpenAiModel) -> dict[str, Any]:
    given: dict[str, Any] = {}
    if asked.temperature is not None:
        given["temperature"] = float(asked.temperature)
    if asked.max_tokens is not None:
        given["max_tokens"] = int(asked.max_tokens)
    return given


def _timeout(server: Server) -> dict[str, Any]:
    return {} if server.timeout_seconds is None else {"timeout_s": float(server.timeout_seconds)}


def _headers(server: Server) -> dict[str, str]:
    return {name: str(value) for name, value in (server.headers or {}).items()}


_BESIDE_THE_CALL = ("assistant", "assistantOverrides", "phoneNumber", "monitor")
"""What of its record a provider is not told with a call. By `monitor` one can steer it: that is for its owner alone."""


def _context(assistant: Assistant, call: JsonObject) -> JsonObject:
    """What providers are told of the call: Vapi's fields, without secrets.

    A stored number stands beside the call: `phoneNumber` within it has another type in Vapi's contract.
    """
    metadata: object = assistant.metadata or call.get("metadata")
    told: JsonObject = {
        "call": without_secrets({n: v for n, v in call.items() if n not in _BESIDE_THE_CALL}),
        "metadata": metadata,
    }
    for name in ("customer", "phoneNumber"):
        value: object = call.get(name)
        if isinstance(value, dict):
            told[name] = without_secrets(cast("JsonObject", value))
    return {name: value for name, value in told.items() if value is not None}
