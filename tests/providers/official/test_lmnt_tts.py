"""LMNT's own client against our fake of its speech."""

import lmnt
import pytest

from bargein.testing import speech
from bargein.testing.vendors.lmnt_tts import FakeLmntVoice
from bargein.testing.vendors.voice_speech import KEY, VendorVoiceScript

pytestmark = pytest.mark.anyio


async def test_it_reads_audio() -> None:
    async with FakeLmntVoice() as fake, lmnt.AsyncLmnt(api_key=KEY, base_url=fake.origin, max_retries=0) as client:
        answer = await client.speech.generate(text="Hello there.", voice="amy", format="pcm_s16le", sample_rate=16_000)
        audio = await answer.read()
    assert audio == speech(600, 16_000)


async def test_it_is_refused() -> None:
    script = VendorVoiceScript(says="no such key")
    async with (
        FakeLmntVoice(script) as fake,
        lmnt.AsyncLmnt(api_key="wrong", base_url=fake.origin, max_retries=0) as client,
    ):
        with pytest.raises(lmnt.AuthenticationError, match="no such key"):
            await client.speech.generate(text="Hi.", voice="amy", format="pcm_s16le", sample_rate=16_000)
