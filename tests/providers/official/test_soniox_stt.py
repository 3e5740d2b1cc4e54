"""Soniox' own client against our fake of its streaming transcription."""

import anyio
import pytest
from soniox.realtime.async_stt import AsyncRealtimeSTTSession
from soniox.types.realtime import RealtimeSTTConfig

from bargein.testing.vendors.soniox_stt import FakeSoniox
from tests.providers.official.speaking import KEY, SCRIPT, TEXT, pieces

pytestmark = pytest.mark.anyio


async def test_it_reads_tokens_and_the_answer_to_finalize() -> None:
    final = ""
    config = RealtimeSTTConfig(
        model="stt-rt-v4",
        audio_format="pcm_s16le",
        sample_rate=16000,
        num_channels=1,
        language_hints=["en"],
        enable_endpoint_detection=True,
        max_endpoint_delay_ms=500,
    )
    async with FakeSoniox(SCRIPT) as fake:
        url = f"{fake.url.replace('http', 'ws')}/transcribe-websocket"
        async with AsyncRealtimeSTTSession(url, config, KEY) as session:
            for piece in pieces():
                await session.send_byte_chunk(piece)
            await session.finalize()
            with anyio.fail_after(5):
                async for event in session.receive_events():
                    final += "".join(token.text for token in event.tokens if token.is_final)
                    if final.endswith("<fin>"):
                        break
    assert final == f"{TEXT}<fin>"
