"""OpenAI's own client against our fake of its transcription sessions."""

import base64
import math

import anyio
import openai
import pytest

from bargein.testing.vendors.openai_stt import FakeRealtime
from tests.providers.official.speaking import KEY, SCRIPT, TEXT, pieces

pytestmark = pytest.mark.anyio


async def test_it_configures_a_session_and_reads_the_transcript() -> None:
    async with (
        FakeRealtime(SCRIPT) as fake,
        openai.AsyncOpenAI(api_key=KEY, base_url=fake.url, max_retries=0) as client,
        client.realtime.connect(extra_query={"intent": "transcription"}) as connection,
    ):
        await connection.session.update(
            session={
                "type": "transcription",
                "audio": {
                    "input": {
                        "format": {"type": "audio/pcm", "rate": 24000},
                        "transcription": {"model": "gpt-4o-transcribe", "language": "en"},
                        "turn_detection": None,
                    }
                },
                "include": ["item.input_audio_transcription.logprobs"],
            }
        )
        for piece in pieces(24_000):
            await connection.input_audio_buffer.append(audio=base64.b64encode(piece).decode())
        await connection.input_audio_buffer.commit()
        kinds: list[str] = []
        with anyio.fail_after(5):
            async for event in connection:
                kinds.append(event.type)
                if event.type == "conversation.item.input_audio_transcription.completed":
                    break
    assert event.type == "conversation.item.input_audio_transcription.completed"
    assert event.transcript == TEXT
    assert event.logprobs is not None
    assert math.exp(event.logprobs[0].logprob) == pytest.approx(0.9)
    assert kinds[:2] == ["session.created", "session.updated"]
