"""The voices: the time to the first audio, until the vendor knows of a cut, and the CPU of a second of audio."""

import time
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, cast

import anyio
from anyio.from_thread import start_blocking_portal
from tests.providers.conformance.voice_cases import VoiceCase

from bargein.clock import LoopClock
from bargein.http_client import new_client
from bargein.ports import SpeechChunk, Voice
from bargein.providers.custom.tts import CustomVoice, CustomVoiceConfig
from bargein.testing import WORD_MS, FakeVoice, VoiceScript
from bargein.testing.vendors.voice_speech import Production, VendorVoiceScript
from bench.vendors.figures import BASIS, CPU_RUNS, WARM_UP, Figures

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

TEXT = " ".join(f"word{n:02d}" for n in range(40)) + "."
REALTIME = VendorVoiceScript(realtime=True)
RATE_HZ = 16_000


async def told_ms(fake: Any, began: float) -> float:
    """Return when the fake knew of a cut, since a time."""
    with anyio.fail_after(2):
        await fake.made.cut.wait()
    return 1000 * (time.perf_counter() - began)


async def _once(voice: Voice, fake: Any, figures: Figures) -> None:
    fake.made = Production()
    began = time.perf_counter()
    speaking = cast("AsyncGenerator[SpeechChunk]", voice.speak(TEXT))
    while not (await anext(speaking)).pcm.size:
        pass
    figures.first_ms.append(1000 * (time.perf_counter() - began))
    await anyio.sleep(0.03)
    async with anyio.create_task_group() as tasks:
        began = time.perf_counter()

        async def watch() -> None:
            figures.cut_ms.append(await told_ms(fake, began))

        tasks.start_soon(watch)
        await speaking.aclose()


async def _cpu_ms(voice: Voice, seconds: int) -> float:
    """Return the CPU time of this thread for a second of audio."""
    text = " ".join(["word"] * (seconds * 1000 // WORD_MS))
    found: list[float] = []
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(voice.run)
        await anyio.sleep(0.1)
        for _ in range(CPU_RUNS):
            samples, rate_hz = 0, RATE_HZ
            began = time.thread_time()
            async with aclosing(cast("AsyncGenerator[SpeechChunk]", voice.speak(text))) as speaking:
                async for chunk in speaking:
                    samples, rate_hz = samples + chunk.pcm.size, chunk.rate_hz
            found.append(1000 * (time.thread_time() - began) * rate_hz / samples)
        tasks.cancel_scope.cancel()
    return min(found)


async def measure_custom(seconds: int) -> Figures:
    """Measure the custom protocol: raw audio."""
    figures = Figures(part="voice", provider=BASIS["voice"])
    script = VoiceScript(piece_bytes=RATE_HZ // 50 * 2, interval_ms=2)
    async with new_client() as client:
        with start_blocking_portal() as portal:
            fake = portal.call(FakeVoice, script)
            with portal.wrap_async_context_manager(fake):
                config = CustomVoiceConfig(url=fake.url, sample_rate_hz=RATE_HZ)
                figures.cpu_ms = await _cpu_ms(CustomVoice(config, client, LoopClock()), seconds)
    return figures


async def measure(case: VoiceCase, rounds: int, seconds: int) -> Figures:
    """Measure the adapter of one vendor; the connection is kept ready as in a call."""
    figures = Figures(part="voice", provider=case.provider)
    async with case.fake(REALTIME) as fake, new_client() as client, anyio.create_task_group() as tasks:
        voice = case.voice(fake, client, RATE_HZ)
        tasks.start_soon(voice.run)
        await anyio.sleep(0.1)
        for _ in range(rounds + WARM_UP):
            await _once(voice, fake, figures)
            await anyio.sleep(0.05)
        tasks.cancel_scope.cancel()
    figures.without_warm_up()
    piece = case.rates[RATE_HZ] // 50 * 2
    async with new_client() as client:
        with start_blocking_portal() as portal:
            fake = portal.call(case.fake, VendorVoiceScript(piece_bytes=piece, interval_ms=2))
            with portal.wrap_async_context_manager(fake):
                figures.cpu_ms = await _cpu_ms(case.voice(fake, client, RATE_HZ), seconds)
    return figures
