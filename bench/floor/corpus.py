"""What the floor judge learns from: recordings, and the same two kinds of speech in synthetic voices."""

import csv
import hashlib
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random

import numpy as np
import soundfile
import soxr

from bargein.audio import g711
from bargein.audio.pcm import Float32Array
from bargein.providers.embedded.floor import FLOOR, LISTENING, NO_SPEECH

RATE_HZ = 16_000

LISTENING_TEXTS = (
    "uh huh", "mm hmm", "mhm", "hmm", "yeah", "yes", "yep", "yup", "okay", "ok", "right", "sure", "alright",
    "got it", "I see", "I understand", "oh", "ah", "wow", "really", "exactly", "of course", "true", "good",
    "great", "nice", "cool", "indeed", "absolutely", "go on", "oh okay", "yeah yeah", "okay okay",
    "right right", "I hear you", "gotcha", "oh I see", "makes sense", "oh wow", "yeah sure", "uh", "um",
)  # fmt: skip
FLOOR_TEXTS = (
    "stop", "wait", "no", "hold on", "hang on", "excuse me", "but", "actually", "sorry", "pause", "enough",
    "quiet", "listen", "go back", "repeat that", "help", "cancel", "nope", "never mind", "what", "who", "when",
    "where", "how much", "hello", "go", "start over", "be quiet", "one moment", "shut up", "not that one",
    "stop talking", "wait a minute", "hold on a second", "no thank you", "can you repeat that",
    "I have a question", "what about tomorrow", "that is not right", "I want to talk to a person",
    "let me ask you something", "I need the billing department", "could you say that again",
    "how long will it take", "make it a large one", "I'd like a small tea with oat milk", "get me two of them",
    "can I have a table for three", "I would like to order a pizza", "seven", "three", "nine", "zero",
    "four two one", "my number is five five two", "my name is Anna", "please cancel my order",
    "what time do you close", "do you have it in blue", "when does it arrive", "tell me the price",
    "change the address", "I don't want that", "that's wrong", "give me the other one", "speak to an agent",
    "transfer me please", "computer", "emergency", "tablecloth", "ceiling", "warning", "condition",
    "a red bicycle", "you had better call",
)  # fmt: skip

_ESPEAK_VOICES = ("en-us", "en-gb", "en-gb-scotland", "en-gb-x-rp", "en-gb-x-gbclan", "en-gb-x-gbcwmd", "en-029")
_ESPEAK_VARIANTS = ("", *(f"+m{n}" for n in range(1, 8)), *(f"+f{n}" for n in range(1, 6)))
_FLITE_VOICES = ("kal", "kal16", "awb", "rms", "slt")
_LISTENING_TAKES, _FLOOR_TAKES = 14, 8
_STEADY = (
    "rain",
    "sea_waves",
    "kitchen",
    "pink_noise",
    "helicopter",
    "keyboard",
    "fire_crackling",
    "running_tap",
    "babble",
)
_LONGEST = {FLOOR: 5, LISTENING: 4, NO_SPEECH: 12}


@dataclass(frozen=True, slots=True)
class Clip:
    """One recording.

    Attributes:
        name: of the class it is reported under.
        label: what it is.
        speaker: who says it: nobody may be in both parts of a split.
        samples: at 16 kHz.
        onset_ms: where its energy rises.
        weight: how much it counts in training.
        takes: how often it is heard, each time in other circumstances.
    """

    name: str
    label: int
    speaker: str
    samples: Float32Array
    onset_ms: float = 0.0
    weight: float = 1.0
    takes: int = 1


def read(path: Path) -> Float32Array:
    """A file's samples at 16 kHz, mono."""
    samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
    mono = samples.mean(axis=1)
    return np.asarray(soxr.resample(mono, rate, RATE_HZ) if rate != RATE_HZ else mono, dtype=np.float32)


def recorded(folder: Path) -> Iterator[Clip]:
    """The recordings of a collection."""
    with (folder / "MANIFEST.tsv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    for row in rows:
        kind, name = row["class"].partition(".")[::2]
        label = _label(kind, name)
        if label is None:
            continue
        samples = read(folder / row["path"])[: _LONGEST[label] * RATE_HZ]
        if np.abs(samples).max(initial=0.0) < 1e-4:
            continue
        onset_ms = 1000 * float(row["energy_onset_s"] or row["speech_onset_s"] or 0)
        # Talk of others is speech, and nothing in its sound says that it is not meant for us: it counts little.
        weight = 0.3 if name in ("other_voices", "babble") else 1.5 if label == NO_SPEECH else 1.0
        takes = {FLOOR: 2, LISTENING: 4, NO_SPEECH: 2}[label] if row["class"] != "speech.digit" else 1
        yield Clip(row["class"], label, row["speaker"] or row["path"], samples, onset_ms, weight, takes)


def _label(kind: str, name: str) -> int | None:
    if kind == "noise":
        return NO_SPEECH
    if kind == "backchannel" or name == "backchannel":
        return LISTENING
    if kind in ("interrupt", "speech") or (kind == "eot" and name in ("complete", "incomplete")):
        return FLOOR
    return None


def spoken(cache: Path) -> Iterator[Clip]:
    """Both kinds of speech, said by synthetic voices; made once and kept in `cache`."""
    cache.mkdir(parents=True, exist_ok=True)
    random = Random(7)
    for label, texts, takes in ((LISTENING, LISTENING_TEXTS, _LISTENING_TAKES), (FLOOR, FLOOR_TEXTS, _FLOOR_TAKES)):
        for text in texts:
            for take in range(takes):
                voice, command = _espeak(text, random) if take % 2 == 0 else _flite(text, random)
                path = cache / f"{hashlib.sha256(' '.join(command).encode()).hexdigest()[:16]}.wav"
                if not path.exists():
                    subprocess.run([*command, str(path)], check=True, capture_output=True)
                samples = read(path)[: 4 * RATE_HZ]
                if samples.size >= RATE_HZ // 10:
                    yield Clip(
                        "synthetic." + ("floor" if label == FLOOR else "listening"), label, voice, samples, 0.0, 0.5
                    )


def _espeak(text: str, random: Random) -> tuple[str, list[str]]:
    voice = random.choice(_ESPEAK_VOICES) + random.choice(_ESPEAK_VARIANTS)
    pace = ["-s", str(random.randint(120, 210)), "-p", str(random.randint(20, 80))]
    return f"espeak {voice}", ["espeak-ng", "-v", voice, *pace, text, "-w"]


def _flite(text: str, random: Random) -> tuple[str, list[str]]:
    voice, stretch = random.choice(_FLITE_VOICES), random.uniform(0.75, 1.25)
    pace = ["--setf", f"duration_stretch={stretch:.2f}"]
    return f"flite {voice}", ["flite", "-voice", voice, *pace, "-t", text, "-o"]


class Circumstances:
    """How a clip is heard: how loud, over which noise, through which line.

    Args:
        folder: the collection, for its noises.
        seed: the same seed, the same circumstances.
    """

    def __init__(self, folder: Path, seed: int) -> None:
        self._random = Random(seed)
        self._numbers = np.random.default_rng(seed)
        self._noises = [read(path) for name in _STEADY for path in sorted((folder / "noise").glob(f"*{name}*"))[:12]]

    def heard(self, clip: Clip, take: int) -> tuple[Float32Array, int]:
        """A clip after some silence, and where it begins. The first take is at a usual level in a quiet room."""
        plain, random = take == 0, self._random
        lead = random.randrange(6_000, 12_000)
        level_db = -26 if plain else random.choice((-20, -26, -26, -30, -36))
        padded = np.concatenate((np.zeros(lead), clip.samples, np.zeros(RATE_HZ)))
        sound = padded * 10 ** (level_db / 20) / _active_rms(clip.samples)
        sound += self._numbers.normal(0, 10 ** (-70 / 20), sound.size)
        if not plain and random.random() < 0.4:
            noise = self._noise(sound.size)
            snr_db = random.choice((20, 15, 10))
            sound += noise * 10 ** ((level_db - snr_db) / 20) / (np.sqrt(np.mean(noise**2)) + 1e-6)
        sound = np.clip(sound, -1, 1).astype(np.float32)
        return (_telephone(sound) if not plain and random.random() < 0.3 else sound), lead

    def _noise(self, size: int) -> Float32Array:
        noise = self._random.choice(self._noises)
        if noise.size < size:
            noise = np.tile(noise, size // noise.size + 1)
        at = self._random.randrange(noise.size - size + 1)
        return noise[at : at + size]


def _active_rms(samples: Float32Array) -> float:
    frames = samples[: samples.size // 160 * 160].reshape(-1, 160)
    levels = np.sqrt(np.mean(frames**2, axis=1) + 1e-12)
    return float(np.sqrt(np.mean(levels[levels > levels.max() * 0.1] ** 2)))


def _telephone(samples: Float32Array) -> Float32Array:
    narrow = np.clip(soxr.resample(samples, RATE_HZ, 8_000) * 32767, -32768, 32767).astype(np.int16)
    coded = g711.decode(g711.encode(narrow)).astype(np.float32) / 32768
    return np.asarray(soxr.resample(coded, 8_000, RATE_HZ), dtype=np.float32)
