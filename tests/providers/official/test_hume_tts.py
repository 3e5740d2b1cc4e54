"""Hume's own client against our fake of its streamed speech."""

import base64

import pytest
from hume import AsyncHumeClient
from hume.core.api_error import ApiError
from hume.tts import FormatPcm, PostedUtterance, PostedUtteranceVoiceWithId

from bargein.testing import speech
from bargein.testing.vendors.hume_tts import FakeHumeVoice
from bargein.testing.vendors.voice_speech import KEY, VendorVoiceScript

pytestmark = pytest.mark.anyio

UTTERANCE = PostedUtterance(text="Hello there.", voice=PostedUtteranceVoiceWithId(id="v-1", provider="HUME_AI"))


async def test_it_reads_audio_and_word_times() -> None:
    audio, words = b"", list[tuple[str, int]]()
    async with FakeHumeVoice() as fake:
        client = AsyncHumeClient(api_key=KEY, base_url=fake.origin)
        async for event in client.tts.synthesize_json_streaming(
            utterances=[UTTERANCE],
            version="2",
            format=FormatPcm(),
            strip_headers=True,
            instant_mode=True,
            include_timestamp_types=["word"],
        ):
            if event.type == "audio":
                audio += base64.b64decode(event.audio)
            else:
                words.append((event.timestamp.text, event.timestamp.time.begin))
    assert audio == speech(600, 48_000)
    assert words == [("Hello", 0), ("there.", 300)]


async def test_it_is_refused() -> None:
    async with FakeHumeVoice(VendorVoiceScript(says="no such key")) as fake:
        client = AsyncHumeClient(api_key="wrong", base_url=fake.origin)
        with pytest.raises(ApiError) as caught:
            async for _ in client.tts.synthesize_json_streaming(
                utterances=[UTTERANCE], format=FormatPcm(), strip_headers=True
            ):
                pass
    assert caught.value.status_code == 401
