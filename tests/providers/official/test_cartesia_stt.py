"""Cartesia's own client against our fake of its transcription socket."""

import anyio
import pytest
from cartesia import AsyncCartesia

from bargein.testing.vendors.cartesia_stt import FakeInk
from tests.providers.official.speaking import KEY, SCRIPT, TEXT, pieces

pytestmark = pytest.mark.anyio


async def test_it_reads_transcripts_and_the_answer_to_finalize() -> None:
    final = ""
    async with FakeInk(SCRIPT) as fake, AsyncCartesia(api_key=KEY, base_url=fake.url) as client:
        connecting = client.stt.manual_finalize.websocket(
            model="ink-whisper", encoding="pcm_s16le", sample_rate=16000, language="en"
        )
        async with connecting as connection:
            for piece in pieces():
                await connection.send_raw(piece)
            await connection.send("finalize")
            with anyio.fail_after(5):
                async for event in connection:
                    if event.type == "transcript" and event.is_final:
                        final += event.text
                    if event.type == "flush_done":
                        break
    assert final == TEXT
