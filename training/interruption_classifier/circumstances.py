"""Circumstances of a recording: level and pace, room, noise, and line."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from zlib import crc32

import numpy as np
import soxr

from bargein.audio import g711
from bargein.audio.pcm import Float32Array, Int16Array
from bargein.providers.embedded.interruption_classifier import NO_SPEECH
from training.interruption_classifier.corpus import RATE_HZ, Clip, fold_of, read

CHATTER = "chatter"
"""Class of talk across a room: people who do not speak into this microphone."""

_STEADY = (
    "rain",
    "sea_waves",
    "kitchen",
    "pink_noise",
    "helicopter",
    "keyboard",
    "fire_crackling",
    "running_tap",
)
_CHATTERS = 260
_USUAL_DBFS = -26
_OTHER_DBFS = (-20, -26, -26, -30, -36)
_NOISE_DBFS = (-26, -36)


@dataclass(frozen=True, slots=True)
class Heard:
    """A clip after some silence, in its circumstances.

    Attributes:
        sound: samples at 16 kHz.
        begins: index of the clip's first sample.
        stretched: factor by which the clip was lengthened.
        narrow: the same at 8 kHz if it came through a telephone: the voice detector runs at that rate then.
    """

    sound: Float32Array
    begins: int
    stretched: float = 1.0
    narrow: Int16Array | None = None


class Circumstances:
    """Random circumstances from a seed; those of a clip do not depend on the other clips.

    Args:
        folder: collection with the noises.
        seed: seed of the circumstances.
    """

    def __init__(self, folder: Path, seed: int) -> None:
        self._seed = seed
        self._begin("")
        self._noises = [read(path) for name in _STEADY for path in sorted((folder / "noise").glob(f"*{name}*"))[:12]]

    def _begin(self, key: str) -> None:
        number = crc32(f"{self._seed}|{key}".encode())
        self._random = Random(number)
        self._numbers = np.random.default_rng(number)

    def heard(self, clip: Clip, take: int) -> Heard:
        """Return the clip in the circumstances of a take; in the first: usual level, quiet room, close microphone."""
        self._begin(f"{clip.key}|{take}")
        plain, random = take == 0, self._random
        begins = random.randrange(6_000, 12_000)
        levels = _NOISE_DBFS if clip.label == NO_SPEECH else _OTHER_DBFS
        level_db = _USUAL_DBFS if plain else random.choice(levels)
        stretched = 1.0 if plain or random.random() < 0.5 else random.uniform(0.87, 1.15)
        samples = clip.samples if stretched == 1.0 else _stretch(clip.samples, stretched)
        if not plain and clip.name != CHATTER and random.random() < 0.3:
            samples = self._in_a_room(samples, random.uniform(4, 15), random.uniform(0.15, 0.5))
        padded = np.concatenate((np.zeros(begins), samples, np.zeros(RATE_HZ)))
        sound = padded * 10 ** (level_db / 20) / _active_rms(samples)
        sound += self._numbers.normal(0, 10 ** (-70 / 20), sound.size)
        if not plain and random.random() < 0.4:
            noise = self._noise(sound.size)
            snr_db = random.choice((20, 15, 10))
            sound += noise * 10 ** ((level_db - snr_db) / 20) / (np.sqrt(np.mean(noise**2)) + 1e-6)
        sound = np.clip(sound, -1, 1).astype(np.float32)
        if plain or random.random() >= 0.3:
            return Heard(sound, begins, stretched)
        return _telephone(sound, begins, stretched)

    def chatter(self, clips: Sequence[Clip]) -> list[Clip]:
        """Return talk across a room, mixed from speakers who are all in the same fold."""
        voices = [clip for clip in clips if clip.label != NO_SPEECH and clip.samples.size > RATE_HZ // 2]
        made: list[Clip] = []
        for number in range(_CHATTERS):
            self._begin(f"{CHATTER}|{number}")
            first = self._random.choice(voices)
            others = [clip for clip in voices if fold_of(clip.speaker) == fold_of(first.speaker)]
            people = [first, *self._random.sample(others, min(len(others), self._random.choice((0, 1, 2, 4))))]
            made.append(replace(self._together(people), key=f"{CHATTER}|{number}"))
        return made

    def _together(self, people: Sequence[Clip]) -> Clip:
        random = self._random
        size = 4 * RATE_HZ
        sound = np.zeros(size, dtype=np.float32)
        alone = len(people) == 1
        for person in people:
            # A single speaker is far away; of several, some may be nearer.
            near_db = random.uniform(-12, -5) if alone else random.uniform(-12, 1)
            far = self._in_a_room(person.samples, near_db, random.uniform(0.4, 1.1))
            at = random.randrange(0, RATE_HZ)
            piece = far[: size - at] / (_active_rms(far) + 1e-6)
            sound[at : at + piece.size] += piece * 10 ** (random.uniform(-8, 0) / 20)
        return replace(
            people[0], name=CHATTER, label=NO_SPEECH, samples=0.05 * sound, onset_ms=0.0, weight=1.0, takes=2
        )

    def _in_a_room(self, samples: Float32Array, direct_db: float, rings_s: float) -> Float32Array:
        """Place samples at a distance: the direct sound is `direct_db` above the reverberation of `rings_s` seconds."""
        size = int(rings_s * RATE_HZ)
        time_s = np.arange(size) / RATE_HZ
        tail = self._numbers.normal(0, 1, size) * 10 ** (-3 * time_s / rings_s)
        tail[: RATE_HZ // 400] = 0
        # Walls and air absorb the high frequencies first.
        dull = self._random.uniform(0.2, 0.6)
        tail = np.convolve(tail, np.array([1 - dull, dull]), mode="same")
        response = tail * 10 ** (-direct_db / 20) / np.sqrt(np.sum(tail**2))
        response[0] = 1.0
        length = 1 << (samples.size + size).bit_length()
        back = np.fft.irfft(np.fft.rfft(samples, length) * np.fft.rfft(response, length), length)
        return back[: samples.size + size // 2].astype(np.float32)

    def _noise(self, size: int) -> Float32Array:
        noise = self._random.choice(self._noises)
        if noise.size < size:
            noise = np.tile(noise, size // noise.size + 1)
        at = self._random.randrange(noise.size - size + 1)
        return noise[at : at + size]


def _stretch(samples: Float32Array, by: float) -> Float32Array:
    """Make a voice slower and lower, or faster and higher, so that it sounds like another speaker."""
    return np.asarray(soxr.resample(samples, RATE_HZ, RATE_HZ * by), dtype=np.float32)


def _active_rms(samples: Float32Array) -> float:
    frames = samples[: samples.size // 160 * 160].reshape(-1, 160)
    levels = np.sqrt(np.mean(frames**2, axis=1) + 1e-12)
    return float(np.sqrt(np.mean(levels[levels > levels.max() * 0.1] ** 2)))


def _telephone(samples: Float32Array, begins: int, stretched: float) -> Heard:
    narrow = np.clip(soxr.resample(samples, RATE_HZ, 8_000) * 32767, -32768, 32767).astype(np.int16)
    coded = g711.decode(g711.encode(narrow))
    wide = np.asarray(soxr.resample(coded.astype(np.float32) / 32768, 8_000, RATE_HZ), dtype=np.float32)
    return Heard(wide, begins, stretched, coded)
