"""Deepgram's own client against our fakes of its live transcription."""

import anyio
import pytest
from deepgram import AsyncDeepgramClient
from deepgram.core.api_error import ApiError
from deepgram.environment import DeepgramClientEnvironment
from deepgram.listen.v1.types import ListenV1Results
from deepgram.listen.v2.types import ListenV2ForceEndTurn, ListenV2TurnInfo

from bargein.testing.vendors.deepgram_stt import FakeDeepgram, FakeDeepgramFlux
from tests.providers.official.speaking import KEY, SCRIPT, TEXT, pieces

pytestmark = pytest.mark.anyio


def client_of(fake: FakeDeepgram, key: str = KEY) -> AsyncDeepgramClient:
    sockets = fake.url.replace("http", "ws")
    environment = DeepgramClientEnvironment(base=fake.url, production=sockets, agent=sockets, agent_rest=fake.url)
    return AsyncDeepgramClient(api_key=key, environment=environment)


async def test_it_reads_results_and_the_answer_to_finalize() -> None:
    async with FakeDeepgram(SCRIPT) as fake:
        connecting = client_of(fake).listen.v1.connect(model="nova-2", encoding="linear16", sample_rate="16000")
        async with connecting as socket:
            for piece in pieces():
                await socket.send_media(piece)
            await socket.send_finalize()
            with anyio.fail_after(5):
                async for message in socket:
                    assert isinstance(message, ListenV1Results)
                    if message.from_finalize:
                        break
    assert message.is_final
    assert message.channel.alternatives[0].transcript == TEXT
    assert message.channel.alternatives[0].confidence == 0.9


async def test_it_reads_turns_and_forces_their_end() -> None:
    async with FakeDeepgramFlux(SCRIPT) as fake:
        connecting = client_of(fake).listen.v2.connect(
            model="flux-general-en", encoding="linear16", sample_rate="16000"
        )
        events: list[str] = []
        async with connecting as socket:
            for piece in pieces():
                await socket.send_media(piece)
            await socket.send_force_end_turn(ListenV2ForceEndTurn(type="ForceEndTurn"))
            with anyio.fail_after(5):
                async for message in socket:
                    if isinstance(message, ListenV2TurnInfo):
                        events.append(message.event)
                        if message.event == "EndOfTurn":
                            break
    assert isinstance(message, ListenV2TurnInfo)
    assert (message.transcript, message.trigger) == (TEXT, "manual")
    assert events[0] == "StartOfTurn"


async def test_it_knows_a_wrong_key() -> None:
    async with FakeDeepgram(SCRIPT) as fake:
        with pytest.raises(ApiError) as caught:
            async with client_of(fake, "wrong").listen.v1.connect(model="nova-2"):
                pass
    assert caught.value.status_code == 401
