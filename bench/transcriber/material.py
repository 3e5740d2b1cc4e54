"""The sounds that are transcribed: recordings of people, noises, and synthetic answers to questions."""

import csv
import itertools
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

import numpy as np
from training.interruption_classifier.corpus import RATE_HZ, read

from bargein.audio.pcm import Float32Array, Int16Array
from bench.interruption.phrases import SHORT, VOICES, WORDS

PHONE = "What is your phone number?"
SPELL = "Could you spell your last name, please?"
CODE = "What is your confirmation code?"

DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")

OTHER_ANSWERS = (
    "I don't know.", "Just a moment, please.", "It's on my other phone.", "I don't have one.", "Why do you need that?",
    "Hold on, let me check.", "Sorry, what was that?", "I'd rather not say.", "It's the same as before.",
    "Can I speak to a person?", "My wife has it.", "I can't find it.", "I forgot.", "No.", "Yes.", "Never mind.",
    "Can you repeat the question?", "Wait a second.", "I lost the letter.", "That's none of your business.",
    "Let me get my glasses.", "I want to cancel my order.", "What do you mean?", "You should have it on file.",
    "I'll call you back later.", "Do I have to?", "It's not here.", "I'm not sure about that.", "Hello?", "Stop.",
)  # fmt: skip
"""Answers to a question for a number, without any number."""

NAMES = ("MILLER", "KOWALSKI", "BAPTISTE", "NGUYEN", "FITZGERALD", "OCONNOR", "VASQUEZ", "HUXLEY", "DEWITT", "JONES")
CODES = ("A7K2P9", "QX48R", "B3M55Z", "HT901", "7FJ2WC", "YU63V", "E4G8N1", "LD0S5")

_NUMBERS_AMONG_WORDS = ("Eleven.", "Twelve.", "Sixteen.")
_LEVEL_DBFS = -26.0
_NOISE_DBFS = -70.0
_FRAME = RATE_HZ // 100
_AROUND = np.zeros(RATE_HZ // 2)
_MUCH_NOISE_S = 5.0
_ESPEAK = ("en-us", "en-gb", "en-us+f3", "en-gb-scotland+f2", "en-us+m3")
_FLITE = ("slt", "rms", "awb")


@dataclass(frozen=True, slots=True)
class Sound:
    """A sound with what is said in it.

    Attributes:
        name: the clip, or the voice and the text.
        part: the set that it belongs to.
        question: the assistant's last words.
        said: the words; empty for a noise.
        samples: the sound at 16 kHz with silence around it.
    """

    name: str
    part: str
    question: str
    said: str
    samples: Int16Array


_PARTS = {
    "speech.digit": "single digits", "eot.digits": "telephone numbers", "interrupt.word": "one word",
    "backchannel.word": "one word",
}  # fmt: skip


def recordings(folder: Path) -> Iterator[Sound]:
    """Yield the recordings of digits, single words and noises of a collection."""
    with (folder / "MANIFEST.tsv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    for row in rows:
        kind, samples = row["class"], folder / row["path"]
        if kind in _PARTS:
            part, said = _PARTS[kind], row["transcript_or_label"]
            yield Sound(row["path"], part, PHONE, said, in_a_quiet_room(read(samples)))
        elif kind.startswith("noise.") and kind not in ("noise.other_voices", "noise.babble", "noise.music"):
            # a noise keeps its own level
            sound = read(samples)[: round(_MUCH_NOISE_S * RATE_HZ)]
            yield Sound(row["path"], "noises", PHONE, "", _with_silence(sound))


def synthetic() -> Iterator[Sound]:
    """Yield answers spoken by espeak-ng and flite, as far as these programs are installed."""
    voices = [("espeak-ng", voice) for voice in _ESPEAK] + [("flite", voice) for voice in _FLITE]
    random = Random(1)
    turn = itertools.cycle(voices)
    for text in OTHER_ANSWERS:
        yield from spoken(next(turn), text, "other answers", PHONE, text)
        yield from spoken(next(turn), text, "other answers", PHONE, text)
    for _ in range(24):
        digits = [random.choice(DIGITS) for _ in range(random.choice((3, 4, 7, 10)))]
        lead = random.choice(("", "", "It's ", "My number is "))
        yield from spoken(
            next(turn), lead + " ".join(digits) + ".", "synthetic numbers", PHONE, lead + " ".join(digits)
        )
    for name in NAMES + NAMES:
        yield from spoken(next(turn), ", ".join(name) + ".", "spelled names", SPELL, " ".join(name))
    for code in CODES + CODES:
        said = " ".join(DIGITS[int(letter)] if letter.isdigit() else letter for letter in code)
        yield from spoken(next(turn), said.replace(" ", ", ") + ".", "codes", CODE, said)


def held_out() -> Iterator[Sound]:
    """Yield answers by voices and with words on which no limit of the transcriber was chosen."""
    random = Random(77)
    turn = itertools.cycle([(program, rest[0]) for program, *rest in VOICES if program == "espeak-ng"])
    for text in WORDS:
        if text not in _NUMBERS_AMONG_WORDS:
            yield from spoken(next(turn), text, "held-out words", PHONE, text)
    for text in SHORT:
        yield from spoken(next(turn), text, "held-out sentences", PHONE, text)
    for _ in range(30):
        said = " ".join(random.choice(DIGITS) for _ in range(random.choice((3, 4, 6, 7, 10))))
        yield from spoken(next(turn), said + ".", "held-out numbers", PHONE, said)


def spoken(voice: tuple[str, str], text: str, part: str, question: str, said: str) -> Iterator[Sound]:
    """Yield the text as a program speaks it; nothing if the program is missing."""
    program, name = voice
    with TemporaryDirectory() as folder:
        path = Path(folder) / "said.wav"
        argument = ["-v", name, "-s", "160", "-w", str(path), text]
        if program == "flite":
            argument = ["-voice", name, "-o", str(path), "-t", text]
        try:
            subprocess.run([program, *argument], check=True, capture_output=True, timeout=30)
        except FileNotFoundError:
            return
        yield Sound(f"{name}: {text}", part, question, said, in_a_quiet_room(read(path)))


def in_a_quiet_room(samples: Float32Array) -> Int16Array:
    """Return speech at the usual level, with silence around it."""
    frames = samples[: samples.size // _FRAME * _FRAME].reshape(-1, _FRAME)
    power: Float32Array = np.mean(np.square(frames), axis=1) + 1e-12
    loud: Float32Array = power[power > float(power.max()) * 0.01]
    active = float(loud.mean())
    return _with_silence(samples * (10 ** (_LEVEL_DBFS / 20) / active**0.5))


def _with_silence(samples: Float32Array) -> Int16Array:
    sound = np.concatenate((_AROUND, samples, _AROUND))
    sound += np.random.default_rng(samples.size).normal(0, 10 ** (_NOISE_DBFS / 20), sound.size)
    return np.clip(sound * 32767, -32768, 32767).astype(np.int16)
