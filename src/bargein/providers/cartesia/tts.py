"""Vapi's voice provider `cartesia`: Cartesia's WebSocket, with a context for each sentence and the times of its words.

From Cartesia's API reference and the types of its Python SDK 4.2 (API version 2026-03-01); not yet called for real.
"""

import json
from collections.abc import Sequence
from typing import Literal

from typing_extensions import override

from bargein.providers.cartesia.settings import CartesiaSettings
from bargein.providers.http import endpoint as make_endpoint
from bargein.providers.http import json_object
from bargein.providers.interface import Account, Resources, account_of
from bargein.providers.socket import SocketTarget, http_url
from bargein.providers.socket_tts import IGNORED, SocketEvent, SocketKind, SocketVoice
from bargein.providers.voice_audio import audio_of_base64, nearest_rate, timings_of_lists
from bargein.providers.voice_errors import VoiceErrors
from bargein.wire.base import Integer, JsonObject, Number, WireModel
from bargein.wire.json import as_object, as_string, read_json

FAILED = "pipeline-error-cartesia-voice-failed"

_BASE_URL = "https://api.cartesia.ai"
_VERSION = "2026-03-01"
_DEFAULT_MODEL = "sonic-3"
_RATES_HZ = (8000, 16_000, 22_050, 24_000, 44_100, 48_000)
_KIND = SocketKind(contexts=True, parallel=True)
_REASONS = {
    402: "pipeline-error-cartesia-requested-payment",
    500: "pipeline-error-cartesia-500-server-error",
    502: "pipeline-error-cartesia-502-server-error",
    503: "pipeline-error-cartesia-503-server-error",
    522: "pipeline-error-cartesia-522-server-error",
}


class ExperimentalControls(WireModel):
    """The controls of the models before sonic-3 (Vapi's `CartesiaExperimentalControls`)."""

    speed: str | Number | None = None
    emotion: str | list[str] | None = None


class ExperimentalGeneration(WireModel):
    """The experimental part of a generation config (Vapi's `CartesiaGenerationConfigExperimental`)."""

    accent_localization: Integer | None = None


class GenerationConfig(WireModel):
    """The controls of sonic-3 (Vapi's `CartesiaGenerationConfig`)."""

    speed: Number | None = None
    volume: Number | None = None
    experimental: ExperimentalGeneration | None = None


class CartesiaVoiceConfig(WireModel):
    """`assistant.voice` of provider `cartesia` (Vapi's `CartesiaVoice`)."""

    provider: Literal["cartesia"]
    voice_id: str
    model: str | None = None
    language: str | None = None
    experimental_controls: ExperimentalControls | None = None
    generation_config: GenerationConfig | None = None
    pronunciation_dict_id: str | None = None

    def to_request(self, context: str, text: str, rate_hz: int) -> JsonObject:
        """Return the request for a text, as one context of its own."""
        voice: JsonObject = {"mode": "id", "id": self.voice_id}
        if self.experimental_controls is not None and (controls := _controls(self.experimental_controls)):
            voice["__experimental_controls"] = controls
        request: JsonObject = {
            "context_id": context,
            "model_id": self.model or _DEFAULT_MODEL,
            "transcript": text,
            "continue": False,
            "voice": voice,
            "output_format": {"container": "raw", "encoding": "pcm_s16le", "sample_rate": rate_hz},
            "add_timestamps": True,
            "use_normalized_timestamps": False,
        }
        if self.language:
            request["language"] = self.language
        if self.generation_config is not None and (generation := _generation(self.generation_config)):
            request["generation_config"] = generation
        if self.pronunciation_dict_id:
            request["pronunciation_dict_id"] = self.pronunciation_dict_id
        return request


def _controls(given: ExperimentalControls) -> JsonObject:
    controls: JsonObject = {} if given.speed is None else {"speed": given.speed}
    if given.emotion:
        controls["emotion"] = [given.emotion] if isinstance(given.emotion, str) else given.emotion
    return controls


def _generation(given: GenerationConfig) -> JsonObject:
    fields = {"speed": given.speed, "volume": given.volume}
    generation: JsonObject = {name: value for name, value in fields.items() if value is not None}
    if given.experimental is not None and given.experimental.accent_localization is not None:
        generation["experimental"] = {"accent_localization": given.experimental.accent_localization}
    return generation


class CartesiaVoice(SocketVoice):
    """A voice at Cartesia, for one call.

    Args:
        config: the voice.
        target: the server, with the key in its headers.
        account: the account, for the errors.
        resources: the inputs of the factory.
        rate_hz: the rate of the call's audio.
    """

    marks = frozenset({"break", "spell"})

    def __init__(
        self, config: CartesiaVoiceConfig, target: SocketTarget, account: Account, resources: Resources, rate_hz: int
    ) -> None:
        errors = VoiceErrors.of_account(
            account, "CARTESIA_API_KEY", FAILED, reasons=_REASONS, reason_of=_reason_of_status
        )
        super().__init__(target, _KIND, rate_hz=nearest_rate(rate_hz, _RATES_HZ), errors=errors, clock=resources.clock)
        self._config = config

    @override
    def start_messages(self, context: str, text: str) -> Sequence[str]:
        return (json.dumps(self._config.to_request(context, text, self._rate_hz)),)

    @override
    def cancel_message(self, context: str) -> str:
        return json.dumps({"context_id": context, "cancel": True})

    @override
    def read_message(self, message: str | bytes) -> SocketEvent:
        event = json_object(message)
        context = as_string(event.get("context_id"))
        match event.get("type"):
            case "chunk":
                return SocketEvent(context=context, audio=audio_of_base64(event.get("data")))
            case "timestamps":
                words = as_object(event.get("word_timestamps"))
                timings = timings_of_lists(words.get("words"), words.get("start"), words.get("end"), per_ms=0.001)
                return SocketEvent(context=context, timings=timings)
            case "done":
                return SocketEvent(context=context, done=True)
            case "error":
                return SocketEvent(context=context, failed=True)
            case _:
                return IGNORED


def _reason_of_status(body: bytes) -> str | None:
    try:
        status: object = as_object(read_json(body)).get("status_code")
    except ValueError:
        return None
    return _REASONS.get(status) if isinstance(status, int) else None


def create_voice(config: CartesiaVoiceConfig, resources: Resources, sample_rate_hz: int) -> CartesiaVoice:
    """Make the voice of one call; `apiUrl` of the credential names a Cartesia of the owner's.

    Raises:
        ProviderError: there is no key, or `apiUrl` is no URL.
    """
    settings = resources.settings.section(CartesiaSettings)
    account = account_of(resources, "voice", "cartesia", settings.api_key, "CARTESIA_API_KEY")
    own = account.api_url
    base_url = http_url(own or settings.base_url or _BASE_URL)
    headers = {"X-API-Key": account.key, "Cartesia-Version": _VERSION}
    checked = make_endpoint(f"{base_url}/tts/websocket", headers, ended_reason=FAILED)
    target = SocketTarget(checked, resources.addresses if own else None)
    return CartesiaVoice(config, target, account, resources, sample_rate_hz)
