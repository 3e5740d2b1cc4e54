"""The socket of a voice for a call: it is opened ahead, shared, opened again, and replaced when it is lost."""

import json
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from typing import Any

import anyio
import httpx
import pytest

from bargein.http_client import new_client
from bargein.ports import ProviderError, SpeechChunk, Voice
from bargein.testing import WORD_MS
from bargein.testing.vendors.voice_socket import SocketVoiceFake
from bargein.testing.vendors.voice_speech import VendorVoiceScript
from tests.providers.conformance.test_voices import heard_ms, listen
from tests.providers.conformance.voice_cases import CASES

pytestmark = pytest.mark.anyio

SOCKETS = {case.provider: case for case in CASES if case.socket}


@asynccontextmanager
async def running(
    provider: str, script: VendorVoiceScript | None = None
) -> AsyncIterator[tuple[Voice, SocketVoiceFake, Any]]:
    """Run a voice's socket as a call does, and wait until it is open."""
    case = SOCKETS[provider]
    async with (
        case.fake(script or VendorVoiceScript()) as fake,
        httpx.AsyncClient() as client,
        anyio.create_task_group() as tasks,
    ):
        voice = case.voice(fake, client)
        tasks.start_soon(voice.run)
        await opened(voice)
        yield voice, fake, tasks
        tasks.cancel_scope.cancel()


async def opened(voice: Any) -> None:
    with anyio.fail_after(5):
        while voice._connection is None:
            await anyio.sleep(0.005)


async def spoken(voice: Voice, text: str) -> float:
    chunks: list[SpeechChunk] = []
    with anyio.fail_after(10):
        await listen(voice, chunks, text)
    return heard_ms(chunks)


@pytest.mark.parametrize("provider", SOCKETS)
async def test_it_is_opened_again_when_the_vendor_closes_it(provider: str) -> None:
    async with running(provider) as (voice, fake, _):
        assert await spoken(voice, "One two.") == 2 * WORD_MS
        await fake.drop_sockets()
        await anyio.sleep(0.05)
        await opened(voice)
        assert await spoken(voice, "Three.") == WORD_MS
        assert len(fake.handshakes) == 2


@pytest.mark.parametrize("provider", SOCKETS)
async def test_a_sentence_whose_socket_is_lost_before_its_audio_is_started_once_more(provider: str) -> None:
    async with running(provider, VendorVoiceScript(trouble="hang")) as (voice, fake, tasks):
        heard: list[float] = []

        async def speak() -> None:
            heard.append(await spoken(voice, "One two."))

        tasks.start_soon(speak)
        with anyio.fail_after(2):
            while not fake.made.requests:
                await anyio.sleep(0.005)
        fake.script = VendorVoiceScript()
        await fake.drop_sockets()
        with anyio.fail_after(5):
            while not heard:
                await anyio.sleep(0.01)
        assert heard == [2 * WORD_MS]
        assert [asked.text for asked in fake.made.requests] == ["One two.", "One two."]


@pytest.mark.parametrize("provider", SOCKETS)
async def test_a_socket_that_is_lost_within_the_audio_is_a_failure(provider: str) -> None:
    async with running(provider, VendorVoiceScript(trouble="die")) as (voice, fake, _):
        chunks: list[SpeechChunk] = []
        with pytest.raises(ProviderError), anyio.fail_after(5):
            await listen(voice, chunks, "One two.")
        assert heard_ms(chunks) == WORD_MS
        assert len(fake.made.requests) == 1


@pytest.mark.parametrize("provider", SOCKETS)
async def test_two_sentences_at_a_time_do_not_mix(provider: str) -> None:
    """A reply may begin while the one before it is still being closed."""
    async with running(provider, VendorVoiceScript(realtime=True)) as (voice, fake, _):
        async with aclosing(voice.speak("One two three four.")) as first:  # type: ignore[type-var]
            await anext(first)
            assert await spoken(voice, "Five.") == WORD_MS
            rest = [chunk async for chunk in first]
        assert heard_ms(rest) > 3 * WORD_MS
        shared = SOCKETS[provider].provider == "cartesia"
        assert len(fake.handshakes) == (1 if shared else 2)


async def test_a_socket_that_does_not_confirm_a_clear_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bargein.providers.socket_tts._MOST_CLEARING_MS", 200)

    async with running("deepgram", VendorVoiceScript(realtime=True)) as (voice, fake, _):
        handle = fake.handle

        async def deaf_to_clear(talk: Any, message: Any) -> None:
            if message.get("type") != "Clear":
                await handle(talk, message)

        fake.handle = deaf_to_clear  # type: ignore[method-assign]
        async with aclosing(voice.speak("One two three.")) as speaking:  # type: ignore[type-var]
            await anext(speaking)
        began_s = anyio.current_time()
        assert await spoken(voice, "Four.") == WORD_MS
        assert anyio.current_time() - began_s < 2


async def test_a_call_with_many_sentences_gets_another_socket_before_deepgrams_limit() -> None:
    async with running("deepgram") as (voice, fake, _):
        for number in range(20):
            await opened(voice)
            assert await spoken(voice, f"Number {number}.") == 2 * WORD_MS
        flushes = [message for message in fake.messages if message["type"] == "Flush"]
        assert len(flushes) == 20
        assert len(fake.handshakes) >= 2


async def test_a_socket_that_cannot_be_opened_is_no_error_of_the_call() -> None:
    case = SOCKETS["cartesia"]
    async with (
        case.fake(VendorVoiceScript(status=503)) as fake,
        httpx.AsyncClient() as client,
        anyio.create_task_group() as tasks,
    ):
        voice = case.voice(fake, client)
        tasks.start_soon(voice.run)
        with pytest.raises(ProviderError, match="answered 503"):
            await listen(voice, [], "One.")
        fake.script = VendorVoiceScript()
        await opened(voice)
        assert await spoken(voice, "One.") == WORD_MS
        tasks.cancel_scope.cancel()


async def test_http_keeps_a_connection_ready_at_the_start_and_after_a_cut() -> None:
    (case,) = (case for case in CASES if case.provider == "11labs")
    async with (
        case.fake(VendorVoiceScript(realtime=True)) as fake,
        new_client() as client,
        anyio.create_task_group() as tasks,
    ):
        voice = case.voice(fake, client)
        tasks.start_soon(voice.run)
        with anyio.fail_after(2):
            while fake.probes < 1:
                await anyio.sleep(0.005)
        await anyio.sleep(0.02)
        async with aclosing(voice.speak("One two three.")) as speaking:  # type: ignore[type-var]
            await anext(speaking)
            assert fake.connections == 1
        with anyio.fail_after(2):
            while fake.probes < 2:
                await anyio.sleep(0.005)
        await anyio.sleep(0.02)
        assert fake.connections == 2
        assert await spoken(voice, "Four.") == WORD_MS
        assert fake.connections == 2
        tasks.cancel_scope.cancel()


async def test_a_flood_for_a_speech_that_nobody_reads_is_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bargein.providers.socket_tts._MAX_WAITING_BYTES", 500)
    words = {"words": ["one"], "start": [0.0], "end": [0.1]}
    message = json.dumps({"type": "timestamps", "context_id": "flood", "word_timestamps": words})
    async with running("cartesia") as (voice, _, _):
        line: Any = voice._connection  # type: ignore[attr-defined]
        speech = line.open("flood")
        for _ in range(100):
            line.dispatch(message)
        assert speech.lost
        assert len(speech.events) < 10
