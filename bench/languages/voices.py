"""Speech in each language, by espeak-ng: commands, single words, backchannels, answers, turns with a pause.

Texts and speakers are those that the benchmark of interruptions holds out (`bench.interruption.phrases`).
"""

import hashlib
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bargein.audio.pcm import Float32Array
from bench.endpointing.corpus import last_sound_s
from bench.interruption.conditions import RATE_HZ
from bench.interruption.phrases import LANGUAGES, SPEAKERS, Language
from bench.interruption.recordings import read

_WORDS_PER_MINUTE = "160"
_PAUSE = np.zeros(700 * RATE_HZ // 1000, dtype=np.float32)
"""A pause to think, as it stands in the middle of a turn."""

_ENGLISH = Language(
    "en", "en-us", ("Wait a moment, please.", "I want to change my order."), ("Stop.", "Wait."),
    ("uh-huh", "mhm", "of course", "okay"), ("Boston.", "Tuesday."),
)  # fmt: skip
_UNSPACED = ("zh",)


@dataclass(frozen=True, slots=True)
class Clip:
    """Something that is spoken.

    Attributes:
        path: its file; a turn with a pause has none.
        text: its words.
        samples: its sound, at 16 kHz, from the first sound to the last.
        pause_s: where the pause within it begins; None: there is none.
        begun: the words before the pause.
    """

    path: Path
    text: str
    samples: Float32Array
    pause_s: float | None = None
    begun: str = ""


def languages() -> tuple[Language, ...]:
    """Return English, to compare with, and the other languages."""
    return _ENGLISH, *LANGUAGES


def spoken(language: Language, texts: tuple[str, ...], folder: Path) -> Iterator[Clip]:
    """Yield texts by each speaker; files are made once and kept in `folder`."""
    for text in texts:
        for speaker in SPEAKERS:
            path = folder / _name(language, text, speaker)
            yield Clip(path, text, _made(path, language, text, speaker))


def with_pause(language: Language, folder: Path) -> Iterator[Clip]:
    """Yield the commands with a pause in their middle, where nobody is done."""
    for text in language.commands:
        pieces = list(text) if language.tag in _UNSPACED else text.split()
        middle, joint = len(pieces) // 2, "" if language.tag in _UNSPACED else " "
        begun, rest = joint.join(pieces[:middle]), joint.join(pieces[middle:])
        for speaker in SPEAKERS:
            first, last = (
                _made(folder / _name(language, piece, speaker), language, piece, speaker) for piece in (begun, rest)
            )
            sound = np.concatenate((first, _PAUSE, last))
            yield Clip(Path(), text, sound, first.size / RATE_HZ, begun)


def _name(language: Language, text: str, speaker: str) -> str:
    return f"{language.tag}-{hashlib.sha256(f'{speaker} {text}'.encode()).hexdigest()[:12]}.wav"


def _made(path: Path, language: Language, text: str, speaker: str) -> Float32Array:
    """Return the sound of a text, without silence before and after it."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        voice = f"{language.voice}+{speaker}"
        command = ["espeak-ng", "-v", voice, "-s", _WORDS_PER_MINUTE, "-w", str(path), text]
        subprocess.run(command, check=True, capture_output=True, timeout=30)
    samples = read(path)
    loud = np.flatnonzero(np.abs(samples) > np.abs(samples).max() * 10**-1.75)
    return samples[loud[0] : round(last_sound_s(samples) * RATE_HZ)]
