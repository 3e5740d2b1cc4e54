"""The turns that the end-of-turn detector is trained on, with their pauses."""

import csv
import subprocess
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from random import Random

import numpy as np
from bench.endpointing.corpus import LEAD_MS, RATE_HZ, Turn, heard, last_sound_s, turns

from bargein.audio.pcm import Float32Array
from training.interruption_classifier.corpus import read

_WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")

GROUPS = (
    (3, 3, 4), (3, 3, 4), (3, 3, 4), (3, 4), (3, 3, 2, 2), (4,), (5,), (3, 3), (4, 4, 4, 4), (2, 2, 2, 2, 2),
    (1, 3, 3, 4), (3, 7), (6, 4), (2, 4),
)  # fmt: skip
"""Groupings of digits in telephone numbers (the most common ones), codes and cards."""

_COMMON = {
    (3, 4): 0.3, (4,): 0.2, (5,): 0.2, (3, 3): 0.15, (4, 4, 4, 4): 0.4, (2, 2, 2, 2, 2): 0.7, (2, 4): 0.15,
}  # fmt: skip
"""Weight of a grouping that is less common for telephone numbers."""

_PARTS = {"sentences": 1.0, "number": 1.0, "synthetic": 0.5, "digits": 3.0, "easyturn": 1.5, "read": 1.5}

_PAUSES_S = (0.2, 0.3, 0.4, 0.5, 0.7, 0.9, 1.2, 1.5)
_NUMBERS_EACH = 42
_SYNTHETIC_EACH = 14
_VOICES = (
    ("espeak-ng", "-v", "en-us+m3", "-s", "150"), ("espeak-ng", "-v", "en-gb+f2", "-s", "170"),
    ("espeak-ng", "-v", "en-gb-scotland+m5", "-s", "140"), ("espeak-ng", "-v", "en-us+f4", "-s", "190"),
    ("flite", "-voice", "slt"), ("flite", "-voice", "rms"), ("flite", "-voice", "awb"),
    ("flite", "-voice", "kal16", "--setf", "duration_stretch=1.15"),
)  # fmt: skip
"""Further voices that read numbers, so that the rhythm of four speakers is not all that is learned."""


def learned_from(folder: Path, cache: Path) -> Iterator[Turn]:
    """Yield the turns that are scored, and those for training only; synthetic voices are kept in `cache`."""
    yield from turns(folder, sentences=True)
    with (folder / "MANIFEST.tsv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    digits: dict[str, dict[str, list[Float32Array]]] = defaultdict(lambda: defaultdict(list))
    for row in rows:
        if row["class"] == "speech.digit":
            digits[row["speaker"]][row["transcript_or_label"]].append(read(folder / row["path"]))
    random = Random(11)
    for speaker, spoken in sorted(digits.items()):
        for number in range(_NUMBERS_EACH):
            samples = _number(spoken, GROUPS[number % len(GROUPS)], random)
            yield _turn(f"number {number} of {speaker}", "number", speaker, samples)
    for voice in _VOICES:
        speaker, spoken = " ".join(voice), {word: [_said(voice, word, cache)] for word in _WORDS}
        for number in range(_SYNTHETIC_EACH):
            samples = _number(spoken, GROUPS[number % len(GROUPS)], random)
            yield _turn(f"number {number} of {speaker}", "synthetic", speaker, samples)


def weight(turn: Turn) -> float:
    """Return the weight of a turn's pauses in training."""
    if turn.part not in ("number", "synthetic"):
        return _PARTS[turn.part]
    groups = GROUPS[int(turn.name.split()[1]) % len(GROUPS)]
    return _PARTS[turn.part] * _COMMON.get(groups, 1.0)


def _turn(name: str, part: str, speaker: str, samples: Float32Array) -> Turn:
    end_s = last_sound_s(samples)
    return Turn(name, part, speaker, heard(samples, end_s), LEAD_MS + round(1000 * end_s))


def _number(spoken: dict[str, list[Float32Array]], groups: tuple[int, ...], random: Random) -> Float32Array:
    """Return a number in a speaker's voice, digit by digit."""
    parts: list[Float32Array] = []
    for place, count in enumerate(groups):
        if place:
            parts.append(_quiet(random.choice(_PAUSES_S)))
        for _ in range(count):
            parts.extend((_trimmed(random.choice(spoken[random.choice(_WORDS)])), _quiet(random.uniform(0.03, 0.13))))
    return np.concatenate(parts)


def _said(voice: tuple[str, ...], word: str, cache: Path) -> Float32Array:
    """Return a word in a synthetic voice."""
    cache.mkdir(parents=True, exist_ok=True)
    path = cache / f"{'_'.join(voice).replace('/', '_')}_{word}.wav"
    if not path.exists():
        text = ["-t", word, "-o", str(path)] if voice[0] == "flite" else [word, "-w", str(path)]
        subprocess.run([*voice, *text], check=True, capture_output=True)
    return read(path)


def _quiet(seconds: float) -> Float32Array:
    return np.zeros(round(seconds * RATE_HZ), dtype=np.float32)


def _trimmed(samples: Float32Array) -> Float32Array:
    """Return a word without the silence around it, at the level of the others."""
    loud = np.flatnonzero(np.abs(samples) > 0.03 * np.abs(samples).max())
    said = samples[loud[0] : loud[-1] + 1]
    return said / (np.sqrt(np.mean(np.square(said))) + 1e-6) * 0.05
