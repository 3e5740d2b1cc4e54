"""Vapi's voice provider `inworld`: Inworld's streamed speech with the times of its words.

From Inworld's API reference of 2026 and public clients; not yet called for real.
"""

from typing import Literal

from typing_extensions import override

from bargein.providers.http_tts import Frame, FramedVoice
from bargein.providers.interface import Resources, account_of
from bargein.providers.inworld.settings import InworldSettings
from bargein.providers.voice_audio import audio_of_base64, nearest_rate, timings_of_lists, without_wav_header
from bargein.providers.voice_errors import VoiceErrors
from bargein.wire.base import JsonObject, Number, WireModel
from bargein.wire.json import as_object

FAILED = "pipeline-error-inworld-voice-failed"

_BASE_URL = "https://api.inworld.ai"
_DEFAULT_MODEL = "inworld-tts-1"
_RATES_HZ = (8000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000)


class InworldVoiceConfig(WireModel):
    """`assistant.voice` of provider `inworld` (Vapi's `InworldVoice`)."""

    provider: Literal["inworld"]
    voice_id: str
    model: str | None = None
    language_code: str | None = None
    temperature: Number | None = None
    speaking_rate: Number | None = None

    def to_body(self, text: str, rate_hz: int) -> JsonObject:
        """Return the body of the request for a text."""
        audio: JsonObject = {"audioEncoding": "LINEAR16", "sampleRateHertz": rate_hz}
        if self.speaking_rate is not None:
            audio["speakingRate"] = self.speaking_rate
        body: JsonObject = {
            "text": text,
            "voiceId": self.voice_id,
            "modelId": self.model or _DEFAULT_MODEL,
            "audioConfig": audio,
            "timestampType": "WORD",
        }
        if self.temperature is not None:
            body["temperature"] = self.temperature
        if self.language_code:
            body["language"] = self.language_code
        return body


class InworldVoice(FramedVoice):
    """A voice at Inworld, for one call."""

    marks = frozenset({"break"})

    @override
    def read_frame(self, frame: JsonObject, data: bytes) -> Frame:
        if frame.get("error") is not None:
            raise self._errors.refused_frame(data)
        result = as_object(frame.get("result"))
        words = as_object(as_object(result.get("timestampInfo")).get("wordAlignment"))
        starts, ends = words.get("wordStartTimeSeconds"), words.get("wordEndTimeSeconds")
        return Frame(
            without_wav_header(audio_of_base64(result.get("audioContent"))),  # each chunk of LINEAR16 may have one
            timings_of_lists(words.get("words"), starts, ends, per_ms=0.001),
        )


def create_voice(config: InworldVoiceConfig, resources: Resources, sample_rate_hz: int) -> InworldVoice:
    """Make the voice of one call; the key is the Basic one that Inworld's portal shows.

    Raises:
        ProviderError: there is no key.
    """
    settings = resources.settings.section(InworldSettings)
    account = account_of(resources, "voice", "inworld", settings.api_key, "INWORLD_API_KEY")
    rate_hz = nearest_rate(sample_rate_hz, _RATES_HZ)
    return InworldVoice(
        resources.client,
        VoiceErrors.of_account(account, "INWORLD_API_KEY", FAILED),
        url=f"{settings.base_url or _BASE_URL}/tts/v1/voice:stream",
        headers={"Authorization": f"Basic {account.key}"},
        body=lambda text: config.to_body(text, rate_hz),
        rate_hz=rate_hz,
    )
