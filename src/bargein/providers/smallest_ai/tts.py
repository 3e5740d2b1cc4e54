"""Vapi's voice provider `smallest-ai`: Smallest AI's server-sent events (`POST /waves/v1/tts/live`), base64 audio.

From Smallest AI's API reference and the types of its Python SDK 5.14; not yet called for real. The stream gives no word
times. Vapi's only model, `lightning`, means `lightning_v3.1`: Smallest AI has retired the earlier ones.
"""

from typing import ClassVar, Literal

from typing_extensions import override

from bargein.providers.http_tts import Frame, FramedVoice
from bargein.providers.interface import Resources, account_of
from bargein.providers.smallest_ai.settings import SmallestAiSettings
from bargein.providers.voice_audio import audio_of_base64, nearest_rate
from bargein.providers.voice_errors import VoiceErrors
from bargein.wire.base import JsonObject, Number, WireModel
from bargein.wire.json import as_object

FAILED = "pipeline-error-smallest-ai-voice-failed"

_BASE_URL = "https://api.smallest.ai"
_MODELS = {"lightning": "lightning_v3.1"}
_DEFAULT_MODEL = "lightning"
_RATES_HZ = (8000, 16_000, 24_000, 44_100)


class SmallestAiVoiceConfig(WireModel):
    """`assistant.voice` of provider `smallest-ai` (Vapi's `SmallestAIVoice`)."""

    provider: Literal["smallest-ai"]
    voice_id: str
    model: str | None = None
    speed: Number | None = None

    def to_body(self, text: str, rate_hz: int) -> JsonObject:
        """Return the body of the request for a text."""
        model = self.model or _DEFAULT_MODEL
        body: JsonObject = {
            "text": text,
            "voice_id": self.voice_id,
            "model": _MODELS.get(model, model),
            "sample_rate": rate_hz,
            "output_format": "pcm",
        }
        if self.speed is not None:
            body["speed"] = self.speed
        return body


class SmallestAiVoice(FramedVoice):
    """A voice at Smallest AI, for one call."""

    sse: ClassVar[bool] = True

    @override
    def read_frame(self, frame: JsonObject, data: bytes) -> Frame:
        if frame.get("error") is not None or frame.get("status") == "error":
            raise self._errors.refused_frame(data)
        audio = frame.get("audio", as_object(frame.get("data")).get("audio"))
        return Frame(audio_of_base64(audio), last=frame.get("done") is True)


def create_voice(config: SmallestAiVoiceConfig, resources: Resources, sample_rate_hz: int) -> SmallestAiVoice:
    """Make the voice of one call.

    Raises:
        ProviderError: there is no key.
    """
    settings = resources.settings.section(SmallestAiSettings)
    account = account_of(resources, "voice", "smallest-ai", settings.api_key, "SMALLEST_API_KEY")
    rate_hz = nearest_rate(sample_rate_hz, _RATES_HZ)
    return SmallestAiVoice(
        resources.client,
        VoiceErrors.of_account(account, "SMALLEST_API_KEY", FAILED),
        url=f"{settings.base_url or _BASE_URL}/waves/v1/tts/live",
        headers={"Authorization": f"Bearer {account.key}"},
        body=lambda text: config.to_body(text, rate_hz),
        rate_hz=rate_hz,
    )
