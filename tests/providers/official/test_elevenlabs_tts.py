"""ElevenLabs's own client against our fake of its speech with timestamps."""

import base64

import pytest
from elevenlabs.client import AsyncElevenLabs
from elevenlabs.core.api_error import ApiError
from elevenlabs.types import VoiceSettings

from bargein.testing import speech
from bargein.testing.vendors.elevenlabs_tts import FakeElevenLabsVoice
from bargein.testing.vendors.voice_speech import KEY, VendorVoiceScript

pytestmark = pytest.mark.anyio


async def test_it_reads_audio_and_alignment() -> None:
    async with FakeElevenLabsVoice() as fake:
        client = AsyncElevenLabs(api_key=KEY, base_url=fake.origin)
        chunks = [
            chunk
            async for chunk in client.text_to_speech.stream_with_timestamps(
                "EXAVITQu4vr4xnSDxMaL",
                text="Hello there.",
                model_id="eleven_turbo_v2",
                output_format="pcm_16000",
                voice_settings=VoiceSettings(stability=0.5, speed=1.1),
            )
        ]
    assert b"".join(base64.b64decode(chunk.audio_base_64) for chunk in chunks) == speech(600, 16_000)
    letters = [letter for chunk in chunks if chunk.alignment for letter in chunk.alignment.characters]
    assert "".join(letters) == "Hello there."
    assert chunks[1].alignment is not None
    assert chunks[1].alignment.character_start_times_seconds[0] == 0.3


async def test_it_is_refused_in_its_own_shape() -> None:
    async with FakeElevenLabsVoice(VendorVoiceScript(says="Invalid API key")) as fake:
        client = AsyncElevenLabs(api_key="wrong", base_url=fake.origin)
        with pytest.raises(ApiError) as caught:
            async for _ in client.text_to_speech.stream_with_timestamps("v", text="Hi.", output_format="pcm_16000"):
                pass
    assert caught.value.status_code == 401
    assert caught.value.body == {"detail": {"status": "invalid_api_key", "message": "Invalid API key"}}
