"""Vapi's voice provider `neuphonic`: Neuphonic's server-sent events, base64 audio.

From Neuphonic's API reference and its Python SDK 3.1; not yet called for real. The API gives no word times.
"""

from typing import ClassVar, Literal
from urllib.parse import quote

from typing_extensions import override

from bargein.providers.http_tts import Frame, FramedVoice
from bargein.providers.interface import Resources, account_of
from bargein.providers.neuphonic.settings import NeuphonicSettings
from bargein.providers.voice_audio import audio_of_base64, nearest_rate
from bargein.providers.voice_errors import VoiceErrors
from bargein.wire.base import JsonObject, Number, WireModel
from bargein.wire.json import as_object

FAILED = "pipeline-error-neuphonic-voice-failed"

_BASE_URL = "https://api.neuphonic.com"
_DEFAULT_MODEL = "neu_fast"
_RATES_HZ = (8000, 16_000, 22_050, 24_000)


class NeuphonicVoiceConfig(WireModel):
    """`assistant.voice` of provider `neuphonic` (Vapi's `NeuphonicVoice`)."""

    provider: Literal["neuphonic"]
    voice_id: str
    language: str = "en"
    model: str | None = None
    speed: Number | None = None

    def to_body(self, text: str, rate_hz: int) -> JsonObject:
        """Return the body of the request for a text."""
        body: JsonObject = {
            "text": text,
            "voice_id": self.voice_id,
            "lang_code": self.language,
            "model": self.model or _DEFAULT_MODEL,
            "encoding": "pcm_linear",
            "sampling_rate": rate_hz,
        }
        if self.speed is not None:
            body["speed"] = self.speed
        return body


class NeuphonicVoice(FramedVoice):
    """A voice at Neuphonic, for one call."""

    sse: ClassVar[bool] = True

    @override
    def read_frame(self, frame: JsonObject, data: bytes) -> Frame:
        if frame.get("errors") is not None or frame.get("error") is not None:
            raise self._errors.refused_frame(data)
        return Frame(audio_of_base64(as_object(frame.get("data")).get("audio")))


def create_voice(config: NeuphonicVoiceConfig, resources: Resources, sample_rate_hz: int) -> NeuphonicVoice:
    """Make the voice of one call.

    Raises:
        ProviderError: there is no key.
    """
    settings = resources.settings.section(NeuphonicSettings)
    account = account_of(resources, "voice", "neuphonic", settings.api_key, "NEUPHONIC_API_KEY")
    rate_hz = nearest_rate(sample_rate_hz, _RATES_HZ)
    return NeuphonicVoice(
        resources.client,
        VoiceErrors.of_account(account, "NEUPHONIC_API_KEY", FAILED),
        url=f"{settings.base_url or _BASE_URL}/sse/speak/{quote(config.language, safe='')}",
        headers={"X-API-KEY": account.key},
        body=lambda text: config.to_body(text, rate_hz),
        rate_hz=rate_hz,
    )
