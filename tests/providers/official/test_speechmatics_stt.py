"""Speechmatics' own client against our fake of its real-time API."""

from typing import Any

import anyio
import pytest
from speechmatics.rt import AsyncClient, AudioEncoding, AudioFormat, ServerMessageType, TranscriptionConfig

from bargein.testing.vendors.speechmatics_stt import FakeSpeechmatics
from tests.providers.official.speaking import KEY, SCRIPT, pieces

pytestmark = pytest.mark.anyio


async def test_it_reads_transcripts_and_forces_the_end_of_an_utterance() -> None:
    ended = anyio.Event()
    finals: list[str] = []
    partials: list[str] = []

    def on_final(message: dict[str, Any]) -> None:
        finals.append(message["metadata"]["transcript"])

    async with (
        FakeSpeechmatics(SCRIPT) as fake,
        AsyncClient(api_key=KEY, url=f"{fake.url.replace('http', 'ws')}/v2") as client,
    ):
        client.on(ServerMessageType.ADD_TRANSCRIPT, on_final)
        client.on(
            ServerMessageType.ADD_PARTIAL_TRANSCRIPT,
            lambda message: partials.append(message["metadata"]["transcript"]),
        )
        client.on(ServerMessageType.END_OF_UTTERANCE, lambda _: ended.set())
        await client.start_session(
            transcription_config=TranscriptionConfig(language="en", enable_partials=True, max_delay=3.0),
            audio_format=AudioFormat(encoding=AudioEncoding.PCM_S16LE, sample_rate=16000),
        )
        for piece in pieces():
            await client.send_audio(piece)
        await client.force_end_of_utterance(timestamp=None)
        with anyio.fail_after(5):
            await ended.wait()
    assert finals == ["I would like to book a table ", ". "]
    assert partials[-1] == "I would like to book a table. "
