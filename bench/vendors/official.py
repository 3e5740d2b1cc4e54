"""Vendors' own clients for Python against the same fakes: development dependencies that tests use too."""

import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from importlib.metadata import version
from typing import Any, cast

import anthropic
import anyio
import numpy as np
import openai
from cartesia import AsyncCartesia
from deepgram import AsyncDeepgramClient
from deepgram.environment import DeepgramClientEnvironment
from elevenlabs.client import AsyncElevenLabs

from bargein.testing import speech
from bargein.testing.vendors.anthropic_llm import AnthropicLlm
from bargein.testing.vendors.cartesia_tts import FakeCartesiaVoice
from bargein.testing.vendors.chat_llm import VENDORS, ChatLlm
from bargein.testing.vendors.deepgram_stt import FakeDeepgram
from bargein.testing.vendors.elevenlabs_tts import FakeElevenLabsVoice
from bargein.testing.vendors.openai_tts import FakeOpenAiVoice
from bargein.testing.vendors.scripted_llm import KEY as MODEL_KEY
from bargein.testing.vendors.scripted_llm import ScriptedLlm
from bargein.testing.vendors.speech_peer import SpeechScript
from bargein.testing.vendors.voice_speech import KEY as VOICE_KEY
from bargein.testing.vendors.voice_speech import Production
from bench.vendors import models, voices
from bench.vendors.figures import WARM_UP, Figures, Part

_LOUD = np.frombuffer(speech(20, 16_000), "<i2").tobytes()
_ASKED: Any = [{"role": "user", "content": "Tell me a story."}]

Stop = Callable[[], Awaitable[object]]
First = Callable[[], Awaitable[Stop]]
"""Asks for an answer, waits for the first of it, and returns what stops it."""


def _figures(part: Part, provider: str, package: str) -> Figures:
    return Figures(part=part, provider=provider, client=f"{package} {version(package)}")


async def _stop(stop: Stop, told: Callable[[float], Awaitable[float]], figures: Figures) -> None:
    async with anyio.create_task_group() as tasks:
        began = time.perf_counter()

        async def watch() -> None:
            figures.cut_ms.append(await told(began))

        tasks.start_soon(watch)
        await stop()


async def _model(figures: Figures, fake: ScriptedLlm, rounds: int, first: First) -> Figures:
    for _ in range(rounds + WARM_UP):
        number = len(fake.exchanges)
        began = time.perf_counter()
        stop = await first()
        figures.first_ms.append(1000 * (time.perf_counter() - began))
        await anyio.sleep(0.01)
        await _stop(stop, lambda since, number=number: models.told_ms(fake, number, since), figures)
        await anyio.sleep(0.02)
    return figures.without_warm_up()


async def _voice(figures: Figures, fake: Any, rounds: int, first: First) -> Figures:
    for _ in range(rounds + WARM_UP):
        fake.made = Production()
        began = time.perf_counter()
        stop = await first()
        figures.first_ms.append(1000 * (time.perf_counter() - began))
        await anyio.sleep(0.03)
        await _stop(stop, lambda since: voices.told_ms(fake, since), figures)
        await anyio.sleep(0.05)
    return figures.without_warm_up()


async def deepgram(rounds: int) -> Figures:
    """Measure Deepgram's client for live transcription."""
    figures = _figures("transcriber", "deepgram", "deepgram-sdk")
    words = " ".join(f"word{n}" for n in range(rounds + 2 * WARM_UP))
    async with FakeDeepgram(SpeechScript(utterances=(words,), word_ms=20)) as fake:
        sockets = fake.url.replace("http", "ws")
        environment = DeepgramClientEnvironment(base=fake.url, production=sockets, agent=sockets, agent_rest=fake.url)
        client = AsyncDeepgramClient(api_key=fake.key, environment=environment)
        connecting: Any = client.listen.v1.connect(model="nova-2", encoding="linear16", sample_rate="16000")
        async with connecting as socket:
            messages = aiter(socket)
            for _ in range(rounds + WARM_UP):
                began = time.perf_counter()
                await socket.send_media(_LOUD)
                await anext(messages)
                figures.first_ms.append(1000 * (time.perf_counter() - began))
                await anyio.sleep(0.005)
    return figures.without_warm_up()


async def openai_model(rounds: int) -> Figures:
    """Measure OpenAI's client for chat completions."""
    figures = _figures("model", "openai", "openai")
    async with (
        ChatLlm(VENDORS["openai"], models.ENDLESS) as fake,
        openai.AsyncOpenAI(api_key=MODEL_KEY, base_url=fake.url, max_retries=0) as client,
    ):

        async def first() -> Stop:
            stream = await client.chat.completions.create(model="gpt-4o", messages=_ASKED, stream=True)
            async for chunk in stream:
                if chunk.choices[0].delta.content:
                    break
            return stream.close

        return await _model(figures, fake, rounds, first)


async def anthropic_model(rounds: int) -> Figures:
    """Measure Anthropic's client for messages."""
    figures = _figures("model", "anthropic", "anthropic")
    async with (
        AnthropicLlm(models.ENDLESS) as fake,
        anthropic.AsyncAnthropic(api_key=MODEL_KEY, base_url=fake.url, max_retries=0) as client,
    ):

        async def first() -> Stop:
            stream = await client.messages.create(
                model="claude-haiku-4-5", max_tokens=200, messages=_ASKED, stream=True
            )
            async for event in stream:
                if event.type == "content_block_delta":
                    break
            return stream.close

        return await _model(figures, fake, rounds, first)


async def elevenlabs(rounds: int) -> Figures:
    """Measure ElevenLabs's client for streamed speech with timestamps."""
    figures = _figures("voice", "11labs", "elevenlabs")
    async with FakeElevenLabsVoice(voices.REALTIME) as fake:
        client = AsyncElevenLabs(api_key=VOICE_KEY, base_url=fake.origin)

        async def first() -> Stop:
            chunks = cast(
                "AsyncGenerator[Any]",
                client.text_to_speech.stream_with_timestamps(
                    "sarah", text=voices.TEXT, model_id="eleven_turbo_v2_5", output_format="pcm_16000"
                ),
            )
            await anext(chunks)
            return chunks.aclose

        return await _voice(figures, fake, rounds, first)


async def openai_voice(rounds: int) -> Figures:
    """Measure OpenAI's client for speech."""
    figures = _figures("voice", "openai", "openai")
    async with (
        FakeOpenAiVoice(voices.REALTIME) as fake,
        openai.AsyncOpenAI(api_key=VOICE_KEY, base_url=f"{fake.origin}/v1", max_retries=0) as client,
    ):

        async def first() -> Stop:
            opening = client.audio.speech.with_streaming_response.create(
                model="tts-1", voice="alloy", input=voices.TEXT, response_format="pcm"
            )
            response = await opening.__aenter__()
            await anext(response.iter_bytes())
            return response.close

        return await _voice(figures, fake, rounds, first)


async def cartesia(rounds: int) -> Figures:
    """Measure Cartesia's client for speech over a socket."""
    figures = _figures("voice", "cartesia", "cartesia")
    request: dict[str, Any] = {
        "model_id": "sonic-3",
        "voice": {"mode": "id", "id": "v-1"},
        "output_format": {"container": "raw", "encoding": "pcm_s16le", "sample_rate": 16_000},
        "add_timestamps": True,
    }
    async with FakeCartesiaVoice(voices.REALTIME) as fake:
        sockets = fake.origin.replace("http", "ws")
        client = AsyncCartesia(api_key=VOICE_KEY, base_url=fake.origin, websocket_base_url=sockets)
        async with client.tts.websocket_connect() as socket:

            async def first() -> Stop:
                context: Any = socket.context()
                await context.send(transcript=voices.TEXT, continue_=False, **request)
                async for event in context.receive():
                    if event.type == "chunk":
                        break
                return context.cancel

            return await _voice(figures, fake, rounds, first)


CLIENTS = (deepgram, openai_model, anthropic_model, elevenlabs, openai_voice, cartesia)
"""The clients that are measured, each as a person of its README would use it."""
