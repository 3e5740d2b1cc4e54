"""Cartesia's own client against our fake of its speech socket."""

from typing import Any

import anyio
import pytest
from cartesia import AsyncCartesia

from bargein.testing import speech
from bargein.testing.vendors.cartesia_tts import FakeCartesiaVoice
from bargein.testing.vendors.voice_speech import KEY, VendorVoiceScript

pytestmark = pytest.mark.anyio

OUTPUT: Any = {"container": "raw", "encoding": "pcm_s16le", "sample_rate": 16_000}
REQUEST: dict[str, Any] = {
    "model_id": "sonic-3",
    "voice": {"mode": "id", "id": "v-1"},
    "output_format": OUTPUT,
    "add_timestamps": True,
}


async def test_it_reads_audio_and_word_times() -> None:
    audio, words = b"", list[str]()
    async with FakeCartesiaVoice() as fake:
        client = AsyncCartesia(api_key=KEY, base_url=fake.origin, websocket_base_url=fake.origin.replace("http", "ws"))
        async with client.tts.websocket_connect() as socket:
            context = socket.context()
            await context.send(transcript="Hello there.", continue_=False, **REQUEST)
            async for event in context.receive():
                if event.type == "chunk":
                    audio += event.audio or b""
                elif event.type == "timestamps" and event.word_timestamps is not None:
                    words += event.word_timestamps.words
                elif event.type == "done":
                    break
    assert audio == speech(600, 16_000)
    assert words == ["Hello", "there."]


async def test_it_cancels_a_context() -> None:
    async with FakeCartesiaVoice(VendorVoiceScript(realtime=True)) as fake:
        client = AsyncCartesia(api_key=KEY, base_url=fake.origin, websocket_base_url=fake.origin.replace("http", "ws"))
        async with client.tts.websocket_connect() as socket:
            context = socket.context()
            await context.send(transcript="Hello there, how are you?", continue_=False, **REQUEST)
            async for _ in context.receive():
                break
            await context.cancel()
            with anyio.fail_after(2):
                await fake.made.cut.wait()
    assert fake.made.ms < 600
