"""The synthetic voices that speak the phrases, each file kept in a folder."""

import hashlib
import subprocess
from functools import cache
from pathlib import Path

import anyio
import numpy as np
import soundfile
import soxr
from bench.endpointing.corpus import RATE_HZ

from bargein.audio import pcm
from bargein.audio.pcm import Float32Array
from bargein.providers.embedded.tts import RATE_HZ as HIBARI_HZ
from bargein.providers.embedded.tts import HibariVoice
from training.end_of_turn.phrases import Phrase

Voice = tuple[str, ...]
"""The program and its options; hibari has its speed, which moves the pitch with it."""

VOICES: tuple[Voice, ...] = (
    ("espeak-ng", "-v", "en-us+m3", "-s", "150"), ("espeak-ng", "-v", "en-us+f4", "-s", "190"),
    ("espeak-ng", "-v", "en-gb+f2", "-s", "165"), ("espeak-ng", "-v", "en-gb-scotland+m5", "-s", "140"),
    ("espeak-ng", "-v", "en-gb-x-gbclan+m1", "-s", "175"), ("flite", "-voice", "slt"),
    ("flite", "-voice", "awb"), ("flite", "-voice", "kal16", "--setf", "duration_stretch=1.15"),
    ("hibari", "1.0"), ("hibari", "0.9"),
)  # fmt: skip
HELD_OUT_VOICES: tuple[Voice, ...] = (
    ("espeak-ng", "-v", "en-gb-x-rp+f5", "-s", "160"), ("espeak-ng", "-v", "en-029+m7", "-s", "150"),
    ("flite", "-voice", "rms"),
)  # fmt: skip
"""Voices of the held-out part."""

_BELOW_PEAK = 0.02
_LEVEL = 0.05


def spoken(phrase: Phrase, voice: Voice, cache_in: Path) -> Float32Array:
    """Return a phrase in a voice at 16 kHz, with its pauses, which last as long as they say."""
    parts: list[Float32Array] = []
    for number, piece in enumerate(phrase.pieces):
        if number:
            parts.append(np.zeros(round(phrase.pauses_s[number - 1] * RATE_HZ), dtype=np.float32))
        parts.append(trimmed(_said(voice, piece, cache_in)))
    return np.concatenate(parts)


def trimmed(samples: Float32Array) -> Float32Array:
    """Return speech without the silence around it, at the level of all others."""
    loud = np.flatnonzero(np.abs(samples) > _BELOW_PEAK * np.abs(samples).max())
    said = samples[loud[0] : loud[-1] + 1]
    return (said / (np.sqrt(np.mean(np.square(said))) + 1e-6) * _LEVEL).astype(np.float32)


def _said(voice: Voice, text: str, cache_in: Path) -> Float32Array:
    cache_in.mkdir(parents=True, exist_ok=True)
    name = hashlib.sha1(repr((voice, text)).encode(), usedforsecurity=False).hexdigest()
    path = cache_in / f"{name}.wav"
    if not path.exists():
        _synthesise(voice, text, path)
    samples, rate_hz = soundfile.read(path, dtype="float32")
    return samples if rate_hz == RATE_HZ else soxr.resample(samples, rate_hz, RATE_HZ).astype(np.float32)


def _synthesise(voice: Voice, text: str, path: Path) -> None:
    match voice[0]:
        case "hibari":
            # Played faster than it was made, the voice is higher, too: another speaker for the models.
            soundfile.write(path, anyio.run(_hibari_says, text), round(HIBARI_HZ * float(voice[1])))
        case "flite":
            subprocess.run([*voice, "-t", text, "-o", str(path)], check=True, capture_output=True)
        case _:
            subprocess.run([*voice, text, "-w", str(path)], check=True, capture_output=True)


@cache
def _hibari() -> HibariVoice:
    return HibariVoice()


async def _hibari_says(text: str) -> Float32Array:
    chunks = [pcm.to_float(chunk.pcm) async for chunk in _hibari().speak(text)]
    return np.concatenate(chunks)
