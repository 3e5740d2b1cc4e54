"""The transcribers: the time from a piece of audio to the partial that it causes, and the CPU of a second of audio."""

import time
from collections.abc import Callable

import anyio
import numpy as np
from anyio.from_thread import start_blocking_portal
from tests.providers.conformance.transcribers import LIMITS, VENDORS, Vendor, make_transcriber

from bargein.clock import LoopClock
from bargein.http_client import new_client
from bargein.ports import Transcriber
from bargein.providers.custom.stt import CustomTranscriber, CustomTranscriberConfig
from bargein.testing import FakeTranscriber, TranscriberScript, speech
from bargein.testing.vendors.speech_peer import SpeechScript
from bench.vendors.figures import BASIS, CPU_RUNS, Figures

FRAME = 320
"""Samples of 20 ms."""
_WARM_UP = 3
_LOUD = np.frombuffer(speech(1000, 16_000), "<i2")
_QUIET = np.zeros(FRAME, np.int16)


class Listener:
    """Takes transcripts, with the time of the last one."""

    def __init__(self) -> None:
        self.heard = anyio.Event()
        self.at_s = 0.0

    def __call__(self, text: str, final: bool, /, *_: object, **__: object) -> None:  # noqa: FBT001  # the port's
        """Take a transcript."""
        if text and not final:
            self.at_s = time.perf_counter()
            self.heard.set()


async def _partials(transcriber: Transcriber, rounds: int, piece_ms: int) -> list[float]:
    """Return the times from pieces of audio to their partials."""
    listener = Listener()
    stream = transcriber.open(listener)
    times: list[float] = []
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(stream.run)
        await anyio.sleep(0.2)  # the connection begins
        stream.voice_started(0)
        for _ in range(rounds + _WARM_UP):
            listener.heard = anyio.Event()
            began = time.perf_counter()
            for start in range(0, piece_ms * 16, FRAME):
                stream.feed(_LOUD[start : start + FRAME], _QUIET)
            with anyio.move_on_after(0.5):
                await listener.heard.wait()
                times.append(1000 * (listener.at_s - began))
            await anyio.sleep(0.005)
        tasks.cancel_scope.cancel()
    return times[_WARM_UP:]


async def _cpu_ms(transcriber: Transcriber, seconds: int) -> float:
    """Return the CPU time of this thread for a second of audio; what the loop itself takes is left out."""
    stream = transcriber.open(Listener())
    idle = busy = 0.0
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(stream.run)
        await anyio.sleep(0.2)
        idle = min([await _paced(lambda: None, seconds) for _ in range(CPU_RUNS)])
        busy = min([await _paced(lambda: stream.feed(_QUIET, _QUIET), seconds) for _ in range(CPU_RUNS)])
        tasks.cancel_scope.cancel()
    return busy - idle


async def _paced(action: Callable[[], None], seconds: int) -> float:
    began = time.thread_time()
    for _ in range(50 * seconds):
        action()
        await anyio.sleep(0.002)
    return 1000 * (time.thread_time() - began) / seconds


def _script(rounds: int, piece_ms: int) -> SpeechScript:
    """Return a script in which each piece is a word more."""
    text = " ".join(f"word{n}" for n in range(rounds + 2 * _WARM_UP))
    return SpeechScript(utterances=(text,), word_ms=piece_ms)


async def measure_custom(rounds: int, seconds: int) -> Figures:
    """Measure the custom protocol."""
    figures = Figures(part="transcriber", provider=BASIS["transcriber"])
    words = " ".join(f"word{n}" for n in range(rounds + 2 * _WARM_UP))
    async with FakeTranscriber(TranscriberScript(utterances=[words], word_ms=20)) as fake:
        made = CustomTranscriber(CustomTranscriberConfig(url=fake.url), LoopClock())
        figures.first_ms = await _partials(made, rounds, 20)
    with start_blocking_portal() as portal:
        fake = portal.call(FakeTranscriber)
        with portal.wrap_async_context_manager(fake):
            figures.cpu_ms = await _cpu_ms(
                CustomTranscriber(CustomTranscriberConfig(url=fake.url), LoopClock()), seconds
            )
    return figures


async def measure(name: str, rounds: int, seconds: int) -> Figures:
    """Measure the adapter of one vendor."""
    vendor: Vendor = VENDORS[name]
    figures = Figures(part="transcriber", provider=name)
    async with new_client() as client:
        probe = make_transcriber(vendor, "http://127.0.0.1:9", client=client)
        piece_ms = -(-max(20, probe.dialect.least_message_ms) // 20) * 20
        if vendor.speaks_interim:
            async with vendor.fake(_script(rounds, piece_ms)) as fake:
                made = make_transcriber(vendor, fake.url, client=client, limits=LIMITS)
                figures.first_ms = await _partials(made, rounds, piece_ms)
        with start_blocking_portal() as portal:
            fake = portal.call(vendor.fake, SpeechScript())
            with portal.wrap_async_context_manager(fake):
                figures.cpu_ms = await _cpu_ms(make_transcriber(vendor, fake.url, client=client), seconds)
    return figures
