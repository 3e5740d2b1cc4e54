"""Vapi's voice provider `hume`: Hume's Octave as a stream of JSON, raw audio at 48 kHz.

From Hume's API reference and the types of its Python SDK 0.14; not yet called for real. Only Octave 2 gives word times.
"""

from typing import Literal

from typing_extensions import override

from bargein.providers.http_tts import Frame, FramedVoice
from bargein.providers.hume.settings import HumeSettings
from bargein.providers.interface import Resources, account_of
from bargein.providers.voice_audio import WordTiming, audio_of_base64
from bargein.providers.voice_errors import VoiceErrors
from bargein.wire.base import Bool, JsonObject, WireModel
from bargein.wire.json import as_object, as_string

FAILED = "pipeline-error-hume-voice-failed"

_BASE_URL = "https://api.hume.ai"
_RATE_HZ = 48_000
_OCTAVE_2 = "octave2"


class HumeVoiceConfig(WireModel):
    """`assistant.voice` of provider `hume` (Vapi's `HumeVoice`)."""

    provider: Literal["hume"]
    voice_id: str
    model: str | None = None
    is_custom_hume_voice: Bool | None = None
    description: str | None = None

    def to_body(self, text: str) -> JsonObject:
        """Return the body of the request for a text."""
        library = "CUSTOM_VOICE" if self.is_custom_hume_voice else "HUME_AI"
        utterance: JsonObject = {"text": text, "voice": {"id": self.voice_id, "provider": library}}
        if self.description:
            utterance["description"] = self.description
        body: JsonObject = {
            "utterances": [utterance],
            "format": {"type": "pcm"},
            "strip_headers": True,
            "instant_mode": True,
            "num_generations": 1,
        }
        if self.model is not None:
            body["version"] = "2" if self.model == _OCTAVE_2 else "1"
        if self.model == _OCTAVE_2:
            body["include_timestamp_types"] = ["word"]
        return body


class HumeVoice(FramedVoice):
    """A voice at Hume, for one call."""

    @override
    def read_frame(self, frame: JsonObject, data: bytes) -> Frame:
        match frame.get("type", "audio"):
            case "audio" if frame.get("error") is None:
                return Frame(audio_of_base64(frame.get("audio")))
            case "timestamp":
                timestamp = as_object(frame.get("timestamp"))
                time = as_object(timestamp.get("time"))
                begin, end = time.get("begin"), time.get("end")
                if timestamp.get("type") == "word" and isinstance(begin, int) and isinstance(end, int):
                    return Frame(timings=(WordTiming(as_string(timestamp.get("text")) or "", begin, end),))
                return Frame()
            case _:
                raise self._errors.refused_frame(data)


def create_voice(config: HumeVoiceConfig, resources: Resources, sample_rate_hz: int) -> HumeVoice:
    """Make the voice of one call; its rate is 48 kHz, whatever that of the call is.

    Raises:
        ProviderError: there is no key.
    """
    del sample_rate_hz
    settings = resources.settings.section(HumeSettings)
    account = account_of(resources, "voice", "hume", settings.api_key, "HUME_API_KEY")
    return HumeVoice(
        resources.client,
        VoiceErrors.of_account(account, "HUME_API_KEY", FAILED),
        url=f"{settings.base_url or _BASE_URL}/v0/tts/stream/json",
        headers={"X-Hume-Api-Key": account.key},
        body=config.to_body,
        rate_hz=_RATE_HZ,
    )
