"""Vapi's voice provider `wellsaid`: WellSaid's `POST /v1/tts/stream`, which streams MP3.

From WellSaid's API reference and public clients; not yet called for real. A plain request gets no word times. What
`enableSsml` is in WellSaid's API is not public, so it has no effect.
"""

from collections.abc import AsyncGenerator
from typing import Literal

import httpx
from typing_extensions import override

from bargein.ports import SpeechChunk
from bargein.providers.http_tts import PostedVoice
from bargein.providers.interface import Resources, account_of
from bargein.providers.voice_errors import VoiceErrors
from bargein.providers.wellsaid.mp3 import Mp3Decoder
from bargein.providers.wellsaid.settings import WellSaidSettings
from bargein.wire.base import JsonObject, WireModel

FAILED = "pipeline-error-wellsaid-voice-failed"

_BASE_URL = "https://api.wellsaidlabs.com"
_DEFAULT_MODEL = "caruso"


class WellSaidVoiceConfig(WireModel):
    """`assistant.voice` of provider `wellsaid` (Vapi's `WellSaidVoice`)."""

    provider: Literal["wellsaid"]
    voice_id: str
    model: str | None = None
    library_ids: list[str] | None = None

    def to_body(self, text: str) -> JsonObject:
        """Return the body of the request for a text; WellSaid's ids of speakers are numbers."""
        speaker: int | str = int(self.voice_id) if self.voice_id.isdecimal() else self.voice_id
        body: JsonObject = {"text": text, "speaker_id": speaker, "model": self.model or _DEFAULT_MODEL}
        if self.library_ids:
            body["library_ids"] = self.library_ids
        return body


class WellSaidVoice(PostedVoice):
    """A voice at WellSaid, for one call; its rate is that of the MP3 that WellSaid sends."""

    @override
    async def read_speech(self, response: httpx.Response, text: str) -> AsyncGenerator[SpeechChunk]:
        decoder = Mp3Decoder()
        async for data in response.aiter_bytes():
            pcm = await decoder.add(data)
            if pcm.size:
                yield SpeechChunk(pcm, decoder.rate_hz)
        pcm = await decoder.end()
        if pcm.size:
            yield SpeechChunk(pcm, decoder.rate_hz)


def create_voice(config: WellSaidVoiceConfig, resources: Resources, sample_rate_hz: int) -> WellSaidVoice:
    """Make the voice of one call.

    Raises:
        ProviderError: there is no key.
    """
    settings = resources.settings.section(WellSaidSettings)
    account = account_of(resources, "voice", "wellsaid", settings.api_key, "WELLSAID_API_KEY")
    return WellSaidVoice(
        resources.client,
        VoiceErrors.of_account(account, "WELLSAID_API_KEY", FAILED),
        url=f"{settings.base_url or _BASE_URL}/v1/tts/stream",
        headers={"X-Api-Key": account.key, "Accept": "audio/mpeg"},
        body=config.to_body,
        rate_hz=sample_rate_hz,
    )
