"""AssemblyAI's own client against our fake of its streaming."""

import anyio
import pytest
from assemblyai.streaming.v3 import AsyncStreamingClient, StreamingClientOptions, StreamingEvents, StreamingParameters
from assemblyai.streaming.v3.models import Encoding, SpeechModel

from bargein.testing.vendors.assembly_ai_stt import FakeAssemblyAi
from tests.providers.official.speaking import KEY, SCRIPT, TEXT, pieces

pytestmark = pytest.mark.anyio


async def test_it_reads_turns_and_forces_their_end() -> None:
    ended = anyio.Event()
    turns: list[tuple[str, bool, bool]] = []

    async def on_turn(_client: object, event: object) -> None:
        turns.append((event.transcript, event.end_of_turn, event.turn_is_formatted))  # type: ignore[attr-defined]
        if event.turn_is_formatted:  # type: ignore[attr-defined]
            ended.set()

    async with FakeAssemblyAi(SCRIPT) as fake:
        client = AsyncStreamingClient(StreamingClientOptions(api_host=fake.url.replace("http", "ws"), api_key=KEY))
        client.on(StreamingEvents.Turn, on_turn)
        parameters = StreamingParameters(
            sample_rate=16000,
            encoding=Encoding.pcm_s16le,
            speech_model=SpeechModel.universal_streaming_english,
            format_turns=True,
            keyterms_prompt=["Fitzroy"],
        )
        await client.connect(parameters)
        for piece in pieces():
            await client.stream(piece)
        await client.force_endpoint()
        with anyio.fail_after(5):
            await ended.wait()
        await client.disconnect()
    assert turns[-1] == (TEXT, True, True)
    assert turns[-2] == ("i would like to book a table", True, False)
    assert fake.connections[0].query["keyterms_prompt"] == ['["Fitzroy"]']
