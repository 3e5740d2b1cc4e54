"""Recorded speech for callers."""

from typing import NamedTuple

import numpy as np

from tests.call.harness import Caller, speech
from tests.speech import SPEECH, manifest


class Clip(NamedTuple):
    samples: np.ndarray
    onset_ms: float


def commands(count: int, longest_ms: int = 1200) -> list[Clip]:
    """Return the beginnings of real commands, with the onset that was measured by their energy.

    They differ as far as there are recordings: after the last one the first follows again.
    """
    rows = [row for row in manifest() if row["class"] == "interrupt.command"]
    chosen = [rows[number % len(rows)] for number in range(count)]
    return [
        Clip(speech(SPEECH / row["path"])[: longest_ms * 16], float(row["energy_onset_s"]) * 1000) for row in chosen
    ]


async def ask(caller: Caller, clip: Clip) -> float:
    """Say a clip, wait for the first audio of the answer, and return when it came."""
    heard = len(caller.audio)
    await caller.say(clip.samples)
    await caller.until(lambda: len(caller.audio) > heard)
    return caller.audio[heard][0]
