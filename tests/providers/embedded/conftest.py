"""Loading the clips of real speech, and waiting for a condition."""

import csv
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import anyio
import numpy as np
import pytest
import soundfile

from bargein.audio.resample import resample
from bargein.ports import Pcm16
from tests.conftest import REPOSITORY


@dataclass(frozen=True)
class Clip:
    path: Path
    kind: str
    text: str
    onset_s: float | None

    def pcm(self, rate_hz: int) -> Pcm16:
        samples, file_hz = soundfile.read(self.path, dtype="int16")
        return resample(samples, file_hz, rate_hz)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Tests on real speech are only there where the clips are."""
    if Path(os.environ.get("BARGEIN_SHARED_DIR", REPOSITORY.parent / "shared")).is_dir():
        return
    without = [item for item in items if "clips" in getattr(item, "fixturenames", ())]
    config.hook.pytest_deselected(items=without)
    items[:] = [item for item in items if item not in without]


@pytest.fixture(scope="session")
def clips(shared_dir: Path | None) -> list[Clip]:
    """Every clip of the manifest."""
    assert shared_dir is not None
    folder = shared_dir / "speech"
    with (folder / "MANIFEST.tsv").open(newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    return [
        Clip(
            folder / row["path"],
            row["class"],
            row["transcript_or_label"],
            float(row["energy_onset_s"]) if row["energy_onset_s"] else None,
        )
        for row in rows
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
