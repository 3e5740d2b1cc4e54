"""Real speech to call with."""

import csv
from pathlib import Path
from typing import NamedTuple

import numpy as np

from tests.call.harness import Caller, speech


class Clip(NamedTuple):
    samples: np.ndarray
    onset_ms: float


def commands(shared_dir: Path, count: int, longest_ms: int = 1200) -> list[Clip]:
    """The beginnings of real commands, with the onset that was measured by their energy."""
    with (shared_dir / "speech" / "MANIFEST.tsv").open() as file:
        rows = [r for r in csv.DictReader(file, delimiter="\t") if r["class"] == "interrupt.command"]
    rows = [r for r in rows if r["energy_onset_s"]]
    clips = [
        Clip(speech(shared_dir / "speech" / r["path"])[: longest_ms * 16], float(r["energy_onset_s"]) * 1000)
        for r in rows[:: len(rows) // count][:count]
    ]
    assert len(clips) == count
    return clips


async def ask(caller: Caller, clip: Clip) -> float:
    """Say something, and wait until the answer sounds; gives when it began."""
    heard = len(caller.audio)
    await caller.say(clip.samples)
    await caller.until(lambda: len(caller.audio) > heard)
    return caller.audio[heard][0]
