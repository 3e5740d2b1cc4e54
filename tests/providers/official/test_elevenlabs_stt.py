"""ElevenLabs' own client against our fake of Scribe in real time."""

import base64
from typing import Any

import anyio
import pytest
from elevenlabs.realtime.connection import RealtimeEvents
from elevenlabs.realtime.scribe import AudioFormat, CommitStrategy, ScribeRealtime

from bargein.testing.vendors.elevenlabs_stt import FakeScribe
from tests.providers.official.speaking import KEY, SCRIPT, TEXT, pieces

pytestmark = pytest.mark.anyio


async def test_it_reads_transcripts_and_commits() -> None:
    committed = anyio.Event()
    partials: list[str] = []
    finals: list[str] = []

    def on_final(event: dict[str, Any]) -> None:
        finals.append(event["text"])
        committed.set()

    async with FakeScribe(SCRIPT) as fake:
        client = ScribeRealtime(KEY, base_url=fake.url.replace("http", "ws"))
        connection = await client.connect(
            {
                "model_id": "scribe_v2_realtime",
                "audio_format": AudioFormat.PCM_16000,
                "sample_rate": 16000,
                "commit_strategy": CommitStrategy.MANUAL,
            }
        )
        connection.on(RealtimeEvents.PARTIAL_TRANSCRIPT, lambda event: partials.append(event["text"]))
        connection.on(RealtimeEvents.COMMITTED_TRANSCRIPT, on_final)
        for piece in pieces():
            await connection.send({"audio_base_64": base64.b64encode(piece).decode()})
        await connection.commit()
        with anyio.fail_after(5):
            await committed.wait()
        await connection.close()
    assert finals == [TEXT]
    assert partials[-1] == TEXT
