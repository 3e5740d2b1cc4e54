"""Vapi's voice provider `openai`: OpenAI's `POST /audio/speech`, raw audio at 24 kHz.

From OpenAI's API reference and the types of its Python SDK 3.57; not yet called for real. The API gives no word times.
"""

from typing import Literal

from bargein.providers.http_tts import RawVoice
from bargein.providers.interface import Resources, account_of
from bargein.providers.openai.settings import OpenAiSettings
from bargein.providers.voice_errors import VoiceErrors
from bargein.wire.base import JsonObject, Number, WireModel

FAILED = "pipeline-error-openai-voice-failed"

_BASE_URL = "https://api.openai.com/v1"
_RATE_HZ = 24_000
_DEFAULT_MODEL = "gpt-4o-mini-tts"
_WITHOUT_INSTRUCTIONS = frozenset({"tts-1", "tts-1-hd"})


class OpenAiVoiceConfig(WireModel):
    """`assistant.voice` of provider `openai` (Vapi's `OpenAIVoice`)."""

    provider: Literal["openai"]
    voice_id: str
    model: str | None = None
    instructions: str | None = None
    speed: Number | None = None

    def to_body(self, text: str) -> JsonObject:
        """Return the body of the request for a text; models without instructions get none."""
        model = self.model or _DEFAULT_MODEL
        body: JsonObject = {"model": model, "input": text, "voice": self.voice_id, "response_format": "pcm"}
        if self.instructions and model not in _WITHOUT_INSTRUCTIONS:
            body["instructions"] = self.instructions
        if self.speed is not None:
            body["speed"] = self.speed
        return body


def create_voice(config: OpenAiVoiceConfig, resources: Resources, sample_rate_hz: int) -> RawVoice:
    """Make the voice of one call; its rate is 24 kHz, whatever that of the call is.

    Raises:
        ProviderError: there is no key.
    """
    del sample_rate_hz
    settings = resources.settings.section(OpenAiSettings)
    account = account_of(resources, "voice", "openai", settings.api_key, "OPENAI_API_KEY")
    return RawVoice(
        resources.client,
        VoiceErrors.of_account(account, "OPENAI_API_KEY", FAILED),
        url=f"{settings.audio_base_url or _BASE_URL}/audio/speech",
        headers={"Authorization": f"Bearer {account.key}"},
        body=config.to_body,
        rate_hz=_RATE_HZ,
    )
