"""Loading the clips of real speech, and waiting for a condition."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import anyio
import numpy as np
import pytest
import soundfile

from bargein.audio.resample import resample
from bargein.ports import Pcm16
from tests.speech import SPEECH, manifest


@dataclass(frozen=True)
class Clip:
    path: Path
    kind: str
    text: str
    onset_s: float | None

    def pcm(self, rate_hz: int) -> Pcm16:
        samples, file_hz = soundfile.read(self.path, dtype="int16")
        return resample(samples, file_hz, rate_hz)


@pytest.fixture(scope="session")
def clips() -> list[Clip]:
    """Every clip of the manifest."""
    return [
        Clip(
            SPEECH / row["path"],
            row["class"],
            row["transcript_or_label"],
            float(row["energy_onset_s"]) if row["energy_onset_s"] else None,
        )
        for row in manifest()
    ]


async def until(condition: Callable[[], bool], *, seconds: float = 10.0) -> None:
    """Let the loop run until `condition` holds."""
    with anyio.fail_after(seconds):
        while not condition():
            await anyio.sleep(0.002)  # what is waited for happens in another thread


def at_level(pcm: Pcm16, dbfs: float) -> Pcm16:
    """Scale so that the loudest half second has the wanted level, as the benchmark does with active speech."""
    loud = np.sqrt(np.convolve(pcm.astype(float) ** 2, np.ones(8000) / 8000, mode="same").max())
    return np.clip(pcm * (32768 * 10 ** (dbfs / 20) / loud), -32768, 32767).astype(np.int16)
