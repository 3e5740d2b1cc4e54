"""OpenAI's own client against our fake of its speech."""

import openai
import pytest

from bargein.testing import speech
from bargein.testing.vendors.openai_tts import FakeOpenAiVoice
from bargein.testing.vendors.voice_speech import KEY, VendorVoiceScript

pytestmark = pytest.mark.anyio


def client_of(fake: FakeOpenAiVoice, key: str = KEY) -> openai.AsyncOpenAI:
    return openai.AsyncOpenAI(api_key=key, base_url=f"{fake.origin}/v1", max_retries=0)


async def test_it_reads_audio() -> None:
    audio = b""
    async with FakeOpenAiVoice() as fake, client_of(fake) as client:
        speaking = client.audio.speech.with_streaming_response.create(
            model="gpt-4o-mini-tts", voice="alloy", input="Hello there.", response_format="pcm", instructions="Calmly."
        )
        async with speaking as response:
            async for piece in response.iter_bytes():
                audio += piece
    assert audio == speech(600, 24_000)


async def test_it_is_refused_in_its_own_shape() -> None:
    async with FakeOpenAiVoice(VendorVoiceScript(says="Incorrect key")) as fake, client_of(fake, "wrong") as client:
        with pytest.raises(openai.AuthenticationError, match="Incorrect key"):
            await client.audio.speech.create(model="tts-1", voice="alloy", input="Hi.", response_format="pcm")


async def test_too_many_requests_are_an_error_of_its_own() -> None:
    script = VendorVoiceScript(status=429, retry_after="7")
    async with FakeOpenAiVoice(script) as fake, client_of(fake) as client:
        with pytest.raises(openai.RateLimitError) as caught:
            await client.audio.speech.create(model="tts-1", voice="alloy", input="Hi.", response_format="pcm")
    assert caught.value.response.headers["retry-after"] == "7"
