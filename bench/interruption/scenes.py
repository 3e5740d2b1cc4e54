"""What is played to the assistant, when, and under which condition; the same seed gives the same scenes."""

import csv
import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

import numpy as np
import soundfile
import soxr

from bargein.audio.pcm import Float32Array

RATE_HZ = 16_000
SPEECH_DBFS = -26.0
"""Active level of the caller's voice (RMS over the frames within 20 dB of the loudest)."""

_EARLIEST_MS, _LATEST_MS = 2_000, 12_000
_LONGEST_CLIP_S = 12

PARTS = ("command", "word", "listening", "noise", "echo")
"""The parts of the benchmark: true interruptions (several words; one word), listening aloud, noise, our own echo."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """How the caller's channel sounds beside the clip.

    Attributes:
        level_dbfs: active level of the clip.
        echo_db: level of the assistant's echo below the assistant; None: no echo.
        delay_ms: the echo's delay.
        telephone: 8 kHz mu-law on the wire instead of 16 kHz linear samples.
    """

    level_dbfs: float = SPEECH_DBFS
    echo_db: float | None = None
    delay_ms: int = 120
    telephone: bool = False

    @property
    def name(self) -> str:
        """A short name."""
        parts = [f"{self.level_dbfs:g} dBFS"]
        parts += [] if self.echo_db is None else [f"echo {self.echo_db:g} dB {self.delay_ms} ms"]
        parts += ["telephone"] if self.telephone else []
        return ", ".join(parts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """One event in one call.

    Attributes:
        part: one of `PARTS`.
        kind: the clip's class in the manifest.
        clip: path below the collection; empty where nobody says anything (echo alone).
        onset_ms: where the clip's energy rises.
        offset_ms: where it ends.
        inject_ms: how long after the assistant's first sound the clip begins.
        condition: see there.
    """

    part: str
    kind: str
    clip: str
    onset_ms: float
    offset_ms: float
    inject_ms: int
    condition: Condition


def scenes(data: Path, parts: Sequence[str], share: float, repeats: int, *, telephone: bool = False) -> list[Scene]:
    """The scenes of the benchmark.

    Args:
        data: a collection of recordings with a MANIFEST.tsv.
        parts: which parts.
        share: of the clips, chosen by a hash of their names.
        repeats: how often each is played, each time at another moment.
        telephone: over an 8 kHz mu-law line.
    """
    found: list[Scene] = []
    for row in _rows(data):
        part = _part(row["class"])
        if part not in parts or _draw(row["path"], "share") >= share:
            continue
        levels = (SPEECH_DBFS, SPEECH_DBFS - 10) if part == "noise" else (SPEECH_DBFS,)
        for level_dbfs in levels:
            condition = Condition(level_dbfs=level_dbfs, telephone=telephone)
            found.extend(_scene(row, part, condition, repeat) for repeat in range(repeats))
    if "echo" in parts:
        found += _echoes(share, telephone=telephone)
    return sorted(found, key=lambda scene: _draw(scene.clip + scene.condition.name, str(scene.inject_ms)))


def _rows(data: Path) -> list[dict[str, str]]:
    with (data / "MANIFEST.tsv").open(encoding="utf-8") as file:
        return list(csv.DictReader(file, delimiter="\t"))


def _part(kind: str) -> str | None:
    family = kind.partition(".")[0]
    if kind in ("interrupt.command", "interrupt.word"):
        return kind.partition(".")[2]
    return {"backchannel": "listening", "noise": "noise"}.get(family)


def _scene(row: dict[str, str], part: str, condition: Condition, repeat: int) -> Scene:
    duration_ms = min(float(row["duration_s"]), _LONGEST_CLIP_S) * 1000
    onset = row["energy_onset_s"] or row["speech_onset_s"]
    return Scene(
        part=part,
        kind=row["class"],
        clip=row["path"],
        onset_ms=1000 * float(onset) if onset and part != "noise" else 0.0,
        offset_ms=min(1000 * float(row["speech_offset_s"] or 0) or duration_ms, duration_ms),
        inject_ms=int(_EARLIEST_MS + (_LATEST_MS - _EARLIEST_MS) * _draw(row["path"], f"{condition.name}{repeat}")),
        condition=condition,
    )


def _echoes(share: float, *, telephone: bool) -> Iterator[Scene]:
    """Half-minutes in which nobody speaks but the assistant, who hears itself: ten minutes of them at the most."""
    for number in range(max(1, round(20 * share))):
        delay_ms = (20, 60, 120, 200, 300)[number % 5]
        condition = Condition(echo_db=-20.0, delay_ms=delay_ms, telephone=telephone)
        yield Scene(
            part="echo", kind="echo", clip="", onset_ms=0, offset_ms=28_000, inject_ms=number, condition=condition
        )


def _draw(text: str, salt: str) -> float:
    """A number in [0, 1) that depends on the texts alone."""
    digest = hashlib.sha1(f"{text}|{salt}".encode(), usedforsecurity=False).digest()
    return int.from_bytes(digest[:6], "big") / 2**48


def read(path: Path) -> Float32Array:
    """A recording at 16 kHz, mono, its first twelve seconds."""
    samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
    mono = samples.mean(axis=1)[: rate * _LONGEST_CLIP_S]
    return np.asarray(soxr.resample(mono, rate, RATE_HZ) if rate != RATE_HZ else mono, dtype=np.float32)


def at_level(samples: Float32Array, level_dbfs: float) -> Float32Array:
    """The same at an active level."""
    frames = samples[: samples.size // 160 * 160].reshape(-1, 160)
    levels = np.sqrt(np.mean(frames**2, axis=1) + 1e-12)
    active = float(np.sqrt(np.mean(levels[levels > levels.max() * 0.1] ** 2)))
    return np.clip(samples * (10 ** (level_dbfs / 20) / max(active, 1e-6)), -1, 1).astype(np.float32)


def steady_speech(data: Path, seed: int = 0) -> Float32Array:
    """Half a minute and more of the assistant's voice without a pause of 150 ms, at the caller's level."""
    rows = [row for row in _rows(data) if row["class"] == "assistant.speech"]
    Random(seed).shuffle(rows)
    pieces: list[Float32Array] = []
    for row in rows:
        samples = read(data / row["path"])
        begin, end = (int(float(row[name] or 0) * RATE_HZ) for name in ("speech_onset_s", "speech_offset_s"))
        pieces.append(_without_pauses(at_level(samples[begin : end or None], SPEECH_DBFS)))
        if sum(piece.size for piece in pieces) > 40 * RATE_HZ:
            break
    return np.concatenate(pieces)


def _without_pauses(samples: Float32Array) -> Float32Array:
    """Pauses cut down to 60 ms."""
    frames = samples[: samples.size // 320 * 320].reshape(-1, 320)
    quiet = np.sqrt(np.mean(frames**2, axis=1)) < 10 ** (-48 / 20)
    kept: list[Float32Array] = []
    run = 0
    for frame, is_quiet in zip(frames, quiet, strict=True):
        run = run + 1 if is_quiet else 0
        if run <= 3:
            kept.append(frame)
    return np.concatenate(kept) if kept else samples
