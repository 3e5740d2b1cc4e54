"""A real server in a process of its own, started as a user starts it, and speech for the page's microphone."""

import os
import subprocess
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import anyio
import httpx
import numpy as np
import numpy.typing as npt
import soundfile
import soxr
from anyio.abc import Process
from anyio.streams.text import TextReceiveStream

from bargein.providers.embedded.tts import HibariVoice

RATE_HZ = 16_000
START_S = 60.0

Samples = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Served:
    """A running server.

    Attributes:
        url: address without a slash at its end.
        process: its process, for tests that kill it.
    """

    url: str
    process: Process


@asynccontextmanager
async def serve(data_dir: Path, **keys: str) -> AsyncGenerator[Served]:
    """Run `bargein serve` on a free port; `keys` are additional variables of its environment."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("BARGEIN_", "OPENAI_"))}
    process = await anyio.open_process(
        [sys.executable, "-c", "from bargein.cli import main; main()", "serve", "--port", "0"],
        stdin=subprocess.DEVNULL,
        stderr=subprocess.STDOUT,
        env=kept | {"BARGEIN_DATA_DIR": str(data_dir), "PYTHONUNBUFFERED": "1"} | keys,
    )
    printed: list[str] = []
    started = anyio.Event()

    async def read() -> None:
        assert process.stdout is not None
        async for text in TextReceiveStream(process.stdout):
            printed.append(text)
            if "Talk to it:" in "".join(printed):
                started.set()
        started.set()  # the process has ended

    try:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(read)
            with anyio.move_on_after(START_S):
                await started.wait()
            said = "".join(printed)
            assert "Talk to it:" in said, f"the server did not start:\n{said}"
            served = Served(said.split("Talk to it:")[1].split()[0].rstrip("/"), process)
            await _ready(served.url)
            yield served
            tasks.cancel_scope.cancel()
    finally:
        if process.returncode is None:
            process.terminate()
        with anyio.CancelScope(shield=True), anyio.move_on_after(10) as scope:
            await process.wait()
        if scope.cancelled_caught:
            process.kill()
            raise AssertionError("the server did not stop on a signal")


async def _ready(url: str) -> None:
    async with httpx.AsyncClient(timeout=5) as client:
        with anyio.fail_after(START_S):
            while (await client.get(f"{url}/ready")).status_code != 200:  # another process: it can only be polled
                await anyio.sleep(0.05)


async def spoken(text: str) -> Samples:
    """Return a sentence in the embedded voice, at 16 kHz."""
    chunks = [chunk async for chunk in HibariVoice().speak(text)]
    pcm = np.concatenate([chunk.pcm for chunk in chunks]).astype(np.float32) / 32768
    return at_call_rate(pcm, chunks[0].rate_hz)


def clip(path: Path) -> Samples:
    """Return a recording at 16 kHz."""
    samples, rate_hz = soundfile.read(path, dtype="float32")
    return at_call_rate(np.asarray(samples, np.float32), int(rate_hz))


def at_call_rate(samples: Samples, rate_hz: int) -> Samples:
    """Resample to 16 kHz."""
    return samples if rate_hz == RATE_HZ else np.asarray(soxr.resample(samples, rate_hz, RATE_HZ), np.float32)


def write_microphone(path: Path, *parts: Samples | float) -> Path:
    """Write a WAV file for a microphone: speech, seconds of silence between, and a minute of silence at the end."""
    every = [np.zeros(int(part * RATE_HZ), np.float32) if isinstance(part, int | float) else part for part in parts]
    soundfile.write(path, np.concatenate([*every, np.zeros(60 * RATE_HZ, np.float32)]), RATE_HZ, subtype="PCM_16")
    return path
