"""The recordings of a collection as samples: clips at a level, the assistant's speech without pauses, a room."""

from pathlib import Path
from random import Random

import numpy as np
import soundfile
import soxr

from bargein.audio.pcm import Float32Array
from bench.interruption.conditions import RATE_HZ, SPEECH_DBFS, SPEECH_MS
from bench.interruption.scenes import LONGEST_CLIP_S, rows

VOICES = 6
"""Number of different speeches of the assistant."""


def read(path: Path, longest_s: int = LONGEST_CLIP_S) -> Float32Array:
    """Return the first seconds of a recording at 16 kHz, mono."""
    samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
    mono: Float32Array = samples.mean(axis=1)[: rate * longest_s]
    return np.asarray(soxr.resample(mono, rate, RATE_HZ) if rate != RATE_HZ else mono, dtype=np.float32)


def at_level(samples: Float32Array, level_dbfs: float) -> Float32Array:
    """Return the samples at an active level: RMS over the frames within 20 dB of the loudest."""
    frames = samples[: samples.size // 160 * 160].reshape(-1, 160)
    levels: Float32Array = np.sqrt(np.mean(frames**2, axis=1) + 1e-12)
    active = float(np.sqrt(np.mean(levels[levels > levels.max() * 0.1] ** 2)))
    return np.clip(samples * (10 ** (level_dbfs / 20) / max(active, 1e-6)), -1, 1).astype(np.float32)


def room(data: Path) -> Float32Array:
    """Return at most a third of a second of a room's impulse response, with an energy of one."""
    found = sorted((data / "rir").glob("*"))
    response = read(found[0]) if found else np.ones(1, dtype=np.float32)
    response = response[int(np.argmax(np.abs(response))) :][:5_000]
    return (response / np.sqrt(np.square(response).sum())).astype(np.float32)


def steady_speech(data: Path, seed: int = 0) -> Float32Array:
    """Return forty seconds of the assistant's voice without a pause of 150 ms, at the caller's level."""
    speech = [row for row in rows(data) if row["class"] == "assistant.speech"]
    Random(seed).shuffle(speech)
    longest = SPEECH_MS * RATE_HZ // 1000
    pieces: list[Float32Array] = []
    for row in speech:
        samples = read(data / row["path"])
        begin, end = (int(float(row[name] or 0) * RATE_HZ) for name in ("speech_onset_s", "speech_offset_s"))
        pieces.append(_without_pauses(at_level(samples[begin : end or None], SPEECH_DBFS)))
        if sum(piece.size for piece in pieces) >= longest:
            break
    return np.concatenate(pieces)[:longest]


def write_speeches(data: Path, folder: Path) -> None:
    """Write the assistant's speeches as raw 16-bit samples: all servers under test play the same ones."""
    for seed in range(VOICES):
        speech = np.clip(np.rint(steady_speech(data, seed) * 32767), -32768, 32767).astype("<i2")
        (folder / f"{seed}.pcm").write_bytes(speech.tobytes())


def _without_pauses(samples: Float32Array) -> Float32Array:
    """Shorten pauses to 60 ms."""
    frames = samples[: samples.size // 320 * 320].reshape(-1, 320)
    quiet = np.sqrt(np.mean(frames**2, axis=1)) < 10 ** (-48 / 20)
    kept: list[Float32Array] = []
    run = 0
    for frame, is_quiet in zip(frames, quiet, strict=True):
        run = run + 1 if is_quiet else 0
        if run <= 3:
            kept.append(frame)
    return np.concatenate(kept) if kept else samples
