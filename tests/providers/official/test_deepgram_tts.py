"""Deepgram's own client against our fake of its speech socket."""

import anyio
import pytest
from deepgram import AsyncDeepgramClient
from deepgram.core.api_error import ApiError
from deepgram.environment import DeepgramClientEnvironment
from deepgram.speak.v1.types import SpeakV1Text

from bargein.testing import speech
from bargein.testing.vendors.deepgram_tts import FakeDeepgramVoice
from bargein.testing.vendors.voice_speech import KEY, VendorVoiceScript

pytestmark = pytest.mark.anyio


def client_of(fake: FakeDeepgramVoice, key: str = KEY) -> AsyncDeepgramClient:
    sockets = fake.origin.replace("http", "ws")
    environment = DeepgramClientEnvironment(base=fake.origin, production=sockets, agent=sockets, agent_rest=fake.origin)
    return AsyncDeepgramClient(api_key=key, environment=environment)


async def test_it_reads_audio_until_it_is_flushed() -> None:
    audio = b""
    async with FakeDeepgramVoice() as fake:
        connecting = client_of(fake).speak.v1.connect(
            model="aura-2-thalia-en", encoding="linear16", sample_rate="16000"
        )
        async with connecting as socket:
            await socket.send_text(SpeakV1Text(text="Hello "))
            await socket.send_text(SpeakV1Text(text="there."))
            await socket.send_flush()
            async for message in socket:
                if isinstance(message, bytes):
                    audio += message
                elif message.type == "Flushed":
                    break
    assert audio == speech(600, 16_000)


async def test_it_clears() -> None:
    async with FakeDeepgramVoice(VendorVoiceScript(realtime=True)) as fake:
        connecting = client_of(fake).speak.v1.connect(
            model="aura-2-thalia-en", encoding="linear16", sample_rate="16000"
        )
        async with connecting as socket:
            await socket.send_text(SpeakV1Text(text="Hello there, how are you?"))
            await socket.send_flush()
            assert isinstance(await socket.recv(), bytes)
            await socket.send_clear()
            with anyio.fail_after(2):
                while getattr(await socket.recv(), "type", None) != "Cleared":
                    pass
            await socket.send_close()
    assert fake.made.ms < 600


async def test_it_is_refused() -> None:
    async with FakeDeepgramVoice() as fake:
        connecting = client_of(fake, "wrong").speak.v1.connect(
            model="aura-2-thalia-en", encoding="linear16", sample_rate="16000"
        )
        with pytest.raises(ApiError) as caught:
            async with connecting:
                pass
    assert caught.value.status_code == 401
