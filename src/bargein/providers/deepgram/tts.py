"""Vapi's voice provider `deepgram`: Aura over Deepgram's WebSocket (`/v1/speak`), which `Clear` interrupts.

From Deepgram's API reference and the types of its Python SDK 7.17; not yet called for real. The API gives no word
times. It allows 20 `Flush` messages in 60 s (developers.deepgram.com/docs/tts-ws-flush): a busier call gets another
socket.
"""

import json
from collections.abc import Sequence
from typing import Literal

from typing_extensions import override

from bargein.providers.deepgram.settings import DeepgramSettings
from bargein.providers.http import endpoint as make_endpoint
from bargein.providers.http import json_object
from bargein.providers.interface import Resources, account_of
from bargein.providers.socket import SocketTarget, http_url
from bargein.providers.socket_tts import IGNORED, SocketEvent, SocketKind, SocketVoice
from bargein.providers.voice_audio import nearest_rate
from bargein.providers.voice_errors import VoiceErrors
from bargein.wire.base import Bool, WireModel

FAILED = "pipeline-error-deepgram-voice-failed"

_BASE_URL = "https://api.deepgram.com"
_RATES_HZ = (8000, 16_000, 24_000, 32_000, 48_000)
_KIND = SocketKind(contexts=False, confirms_clear=True, most_uses=18)

_LANGUAGES = {
    "es": frozenset(
        [
            "agustina",
            "alvaro",
            "antonia",
            "aquila",
            "carina",
            "celeste",
            "diana",
            "estrella",
            "gloria",
            "javier",
            "luciano",
            "nestor",
            "olivia",
            "selena",
            "silvia",
            "sirio",
            "valerio",
        ]
    ),
    "de": frozenset({"aurelia", "elara", "fabian", "julius", "kara", "lara", "viktoria"}),
}
"""The voices of Aura 2 in Vapi's enum that do not speak English."""
_AURA_1_ONLY = frozenset({"angus", "helios", "perseus", "stella"})
"""The voices in Vapi's enum that Aura 2 does not have."""


class DeepgramVoiceConfig(WireModel):
    """`assistant.voice` of provider `deepgram` (Vapi's `DeepgramVoice`)."""

    provider: Literal["deepgram"]
    voice_id: str
    model: str | None = None
    mip_opt_out: Bool | None = None

    @property
    def deepgram_model(self) -> str:
        """The name that Deepgram has for the model and the voice: `aura-2-thalia-en`. A whole name is left as it is."""
        if self.voice_id.startswith("aura"):
            return self.voice_id
        model = self.model or ("aura" if self.voice_id in _AURA_1_ONLY else "aura-2")
        language = next((tag for tag, voices in _LANGUAGES.items() if self.voice_id in voices), "en")
        return f"{model}-{self.voice_id}-{language}"


class DeepgramVoice(SocketVoice):
    """A voice at Deepgram, for one call."""

    @override
    def start_messages(self, context: str, text: str) -> Sequence[str]:
        return json.dumps({"type": "Speak", "text": text}), '{"type":"Flush"}'

    @override
    def cancel_message(self, context: str) -> str:
        return '{"type":"Clear"}'

    @override
    def read_message(self, message: str | bytes) -> SocketEvent:
        if isinstance(message, bytes):
            return SocketEvent(audio=message)
        match json_object(message).get("type"):
            case "Flushed":
                return SocketEvent(done=True)
            case "Cleared":
                return SocketEvent(cleared=True)
            case "Error":
                return SocketEvent(failed=True)
            case _:
                return IGNORED


def create_voice(config: DeepgramVoiceConfig, resources: Resources, sample_rate_hz: int) -> DeepgramVoice:
    """Make the voice of one call; `apiUrl` of the credential names a Deepgram of the owner's.

    Raises:
        ProviderError: there is no key, or `apiUrl` is no URL.
    """
    settings = resources.settings.section(DeepgramSettings)
    account = account_of(resources, "voice", "deepgram", settings.api_key, "DEEPGRAM_API_KEY")
    rate_hz = nearest_rate(sample_rate_hz, _RATES_HZ)
    query = {"model": config.deepgram_model, "encoding": "linear16", "sample_rate": str(rate_hz)}
    if config.mip_opt_out:
        query["mip_opt_out"] = "true"
    own = account.api_url
    url = f"{http_url(own or settings.base_url or _BASE_URL)}/v1/speak"
    checked = make_endpoint(url, {"Authorization": f"Token {account.key}"}, ended_reason=FAILED, query=query)
    target = SocketTarget(checked, resources.addresses if own else None)
    errors = VoiceErrors.of_account(account, "DEEPGRAM_API_KEY", FAILED)
    return DeepgramVoice(target, _KIND, rate_hz=rate_hz, errors=errors, clock=resources.clock)
