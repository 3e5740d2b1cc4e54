"""Vapi's voice provider `lmnt`: LMNT's `POST /v1/ai/speech/bytes`, raw audio.

From LMNT's API reference and the types of its Python SDK 2.13; not yet called for real. The stream gives no word times.
"""

from typing import Literal

from bargein.providers.http_tts import RawVoice
from bargein.providers.interface import Resources, account_of
from bargein.providers.lmnt.settings import LmntSettings
from bargein.providers.voice_audio import nearest_rate
from bargein.providers.voice_errors import VoiceErrors
from bargein.wire.base import JsonObject, Number, WireModel

FAILED = "pipeline-error-lmnt-voice-failed"

_BASE_URL = "https://api.lmnt.com"
_RATES_HZ = (8000, 16_000, 24_000)


class LmntVoiceConfig(WireModel):
    """`assistant.voice` of provider `lmnt` (Vapi's `LMNTVoice`); LMNT's newest model ignores `speed`."""

    provider: Literal["lmnt"]
    voice_id: str
    speed: Number | None = None
    language: str | None = None

    def to_body(self, text: str, rate_hz: int) -> JsonObject:
        """Return the body of the request for a text."""
        body: JsonObject = {"text": text, "voice": self.voice_id, "format": "pcm_s16le", "sample_rate": rate_hz}
        if self.language:
            body["language"] = self.language
        if self.speed is not None:
            body["speed"] = self.speed
        return body


def create_voice(config: LmntVoiceConfig, resources: Resources, sample_rate_hz: int) -> RawVoice:
    """Make the voice of one call.

    Raises:
        ProviderError: there is no key.
    """
    settings = resources.settings.section(LmntSettings)
    account = account_of(resources, "voice", "lmnt", settings.api_key, "LMNT_API_KEY")
    rate_hz = nearest_rate(sample_rate_hz, _RATES_HZ)
    return RawVoice(
        resources.client,
        VoiceErrors.of_account(account, "LMNT_API_KEY", FAILED),
        url=f"{settings.base_url or _BASE_URL}/v1/ai/speech/bytes",
        headers={"X-API-Key": account.key},
        body=lambda text: config.to_body(text, rate_hz),
        rate_hz=rate_hz,
    )
