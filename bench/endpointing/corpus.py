"""The turns that are scored, and where each of them ends."""

import csv
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from training.interruption_classifier.corpus import RATE_HZ, read

from bargein.audio.pcm import Float32Array, Int16Array

LEAD_MS = 500
"""Silence before a turn."""

AFTER_MS = 4_000
"""Silence after a turn."""

UNFINISHED_MS = 1_000
"""An unfinished turn is not to be answered before this: the collection does not contain its continuation."""

_LEVEL_DBFS = -26.0
_NOISE_DBFS = -70.0
_FRAME = RATE_HZ // 100


@dataclass(frozen=True, slots=True)
class Turn:
    """A turn of a caller.

    Attributes:
        name: name of the clip.
        part: set that it belongs to.
        speaker: its speaker, as far as known.
        sound: the turn at 16 kHz, with silence around it.
        end_ms: end of the turn; an answer that begins earlier cuts the caller off.
        finished: whether the caller is done at the end. If not, an answer may come later, and is not timed.
        asked: what the assistant has said before.
        held_out: no network was trained on the turn, its speaker (as far as known) or its words.
    """

    name: str
    part: str
    speaker: str
    sound: Int16Array
    end_ms: int
    finished: bool = True
    asked: str = ""
    held_out: bool = False

    @property
    def over_ms(self) -> int:
        """Length of the clip."""
        return self.sound.size * 1000 // RATE_HZ


def turns(folder: Path, *, sentences: bool = False) -> Iterator[Turn]:
    """Yield all turns of a collection; `sentences` adds many of one or two sentences each."""
    with (folder / "MANIFEST.tsv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    for row in rows:
        kind, path = row["class"], folder / row["path"]
        if kind == "eot.digits":
            spans = json.loads((folder / row["extra"]).read_text(encoding="utf-8"))
            yield _turn(row, "digits", read(path), float(spans["turn_end"]))
        elif kind == "speech.read":
            samples = read(path)
            yield _turn(row, "read", samples, last_sound_s(samples))
        elif kind in ("eot.complete", "eot.incomplete", "eot.wait"):
            samples = read(path)
            yield _turn(row, "easyturn", samples, last_sound_s(samples), finished=kind == "eot.complete")
        elif sentences and kind in ("interrupt.command", "assistant.speech"):
            samples = read(path)
            yield _turn(row, "sentences", samples, last_sound_s(samples))


def last_sound_s(samples: Float32Array) -> float:
    """Return where the energy stays 35 dB below the maximum: independent of any voice detector."""
    frames = samples[: samples.size // _FRAME * _FRAME].reshape(-1, _FRAME)
    power = np.mean(np.square(frames), axis=1)
    return (int(np.flatnonzero(power >= power.max() * 10**-3.5)[-1]) + 1) * _FRAME / RATE_HZ


def heard(samples: Float32Array, end_s: float, after_ms: int = AFTER_MS) -> Int16Array:
    """Return a turn at the usual level in a quiet room, with silence before it and after `end_s`."""
    said = samples[: round(end_s * RATE_HZ)]
    frames = said[: said.size // _FRAME * _FRAME].reshape(-1, _FRAME)
    levels = np.sqrt(np.mean(np.square(frames), axis=1) + 1e-12)
    active = float(np.sqrt(np.mean(np.square(levels[levels > levels.max() * 0.1]))))
    lead, after = np.zeros(LEAD_MS * RATE_HZ // 1000), np.zeros(after_ms * RATE_HZ // 1000)
    sound = np.concatenate((lead, said * (10 ** (_LEVEL_DBFS / 20) / active), after))
    sound += np.random.default_rng(said.size).normal(0, 10 ** (_NOISE_DBFS / 20), sound.size)
    return np.clip(sound * 32767, -32768, 32767).astype(np.int16)


def _turn(row: dict[str, str], part: str, samples: Float32Array, end_s: float, *, finished: bool = True) -> Turn:
    end_ms = LEAD_MS + round(1000 * end_s) + (0 if finished else UNFINISHED_MS)
    return Turn(row["path"], part, row["speaker"] or row["path"], heard(samples, end_s), end_ms, finished)
