"""The clips that the interruption classifier is trained on: recordings, and the same texts in synthetic voices."""

import csv
import hashlib
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from random import Random
from zlib import crc32

import anyio
import numpy as np
import soundfile
import soxr
from bench.interruption.phrases import LANGUAGES as BENCHMARK_LANGUAGES

from bargein.audio import pcm
from bargein.audio.pcm import Float32Array
from bargein.providers.embedded.interruption_classifier import BACKCHANNEL, INTERRUPTION, NO_SPEECH
from bargein.providers.embedded.tts import RATE_HZ as HIBARI_HZ
from bargein.providers.embedded.tts import HibariVoice
from bargein.turns.languages import LANGUAGES
from bargein.turns.phrases import normalise

RATE_HZ = 16_000
FOLDS = 5

BACKCHANNEL_TEXTS = (
    "uh huh", "mm hmm", "mhm", "hmm", "yeah", "yes", "yep", "yup", "okay", "ok", "right", "sure", "alright",
    "got it", "I see", "I understand", "oh", "ah", "wow", "really", "exactly", "of course", "true", "good",
    "great", "nice", "cool", "indeed", "absolutely", "go on", "oh okay", "yeah yeah", "okay okay",
    "right right", "I hear you", "gotcha", "oh I see", "makes sense", "oh wow", "yeah sure", "uh", "um",
    "okay yeah", "yeah okay", "sure sure", "yes yes", "that's right", "no way", "fair enough", "interesting",
    "lovely", "perfect", "mm", "huh", "oh yeah", "ah okay", "alright then", "sounds good", "I know", "oh no",
)  # fmt: skip
HUMS = (
    "[[m'h'm]]", "[['Vh'V]]", "[[h'm:]]", "[[m'm:]]", "[['m:]]", "[[Vh'V:]]", "[[m:h'm:]]", "[['3:h'3:]]",
    "[[h'V]]", "[['V:]]", "[['m'h:m]]", "[[h'm]]", "[['O:]]", "[['A:]]",
)  # fmt: skip
"""Sounds that people hum as backchannels, in espeak's phonemes."""

INTERRUPTION_TEXTS = (
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
    "a red bicycle", "you had better call", "hey", "repeat", "left", "backward", "skip", "next", "shop", "top",
    "okay but", "yes but I want", "right so what about", "yeah I need to change it", "hold it", "slow down",
    "no no no", "wait wait", "one second please", "I did not say that", "can I ask something", "louder", "again",
    "operator", "representative", "agent", "a bottle of water", "window", "morning", "marketing", "follow", "tomato",
    "two more of those", "large", "the second one", "tomorrow", "Friday", "five", "not now", "forget it",
)  # fmt: skip

_ESPEAK_VOICES = ("en-us", "en-gb", "en-gb-scotland", "en-gb-x-rp", "en-gb-x-gbclan", "en-gb-x-gbcwmd", "en-029")
_ESPEAK_VARIANTS = ("", *(f"+m{n}" for n in range(1, 8)), *(f"+f{n}" for n in range(1, 6)))
_FLITE_VOICES = ("kal", "kal16", "awb", "rms", "slt")
OTHER_VOICES = {
    "es": "es", "fr": "fr-fr", "de": "de", "it": "it", "pt": "pt-br", "nl": "nl", "ru": "ru", "hi": "hi", "ja": "ja",
    "zh": "cmn", "ko": "ko", "ar": "ar", "pl": "pl", "sv": "sv", "tr": "tr",
}  # fmt: skip
"""espeak-ng's voices of other languages."""

_TEXTS_OF_A_LANGUAGE = 16
_NEURAL = "hibari"
_LISTENING, _FLOOR = "synthetic.listening", "synthetic.floor"
_ENGLISH = (
    (_LISTENING, BACKCHANNEL, BACKCHANNEL_TEXTS, 10),
    (_LISTENING, BACKCHANNEL, HUMS, 10),
    (_FLOOR, INTERRUPTION, INTERRUPTION_TEXTS, 6),
)
"""Class, label and texts of the English phrases, and the number of voices of espeak-ng and flite that say each."""

_SILENCE = np.zeros(0, dtype=np.float32)
_LONGEST = {INTERRUPTION: 5, BACKCHANNEL: 4, NO_SPEECH: 12}


@dataclass(frozen=True, slots=True)
class Clip:
    """One recording.

    Attributes:
        name: class in the reports.
        label: label for the training.
        speaker: speaker of the clip; the clips of a speaker are all in one fold.
        samples: samples at 16 kHz.
        onset_ms: rise of the clip's energy.
        weight: weight in training.
        takes: number of circumstances in which it is used.
        key: name of the clip, which chooses its circumstances.
    """

    name: str
    label: int
    speaker: str
    samples: Float32Array
    onset_ms: float = 0.0
    weight: float = 1.0
    takes: int = 1
    key: str = ""


def read(path: Path) -> Float32Array:
    """Return a file's samples at 16 kHz, mono."""
    samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
    mono = samples.mean(axis=1)
    return np.asarray(soxr.resample(mono, rate, RATE_HZ) if rate != RATE_HZ else mono, dtype=np.float32)


def fold_of(speaker: str) -> int:
    """Return the fold of a speaker; a synthetic voice is one speaker at any pace and pitch."""
    return crc32(speaker.replace("_", " ").encode()) % FOLDS


def recorded(folder: Path) -> Iterator[Clip]:
    """Yield the recordings of a collection."""
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
        weight = 1.5 if label == NO_SPEECH else 1.0
        takes = {INTERRUPTION: 3, BACKCHANNEL: 8, NO_SPEECH: 3}[label]
        takes = {"speech.digit": 1, "interrupt.word": 6, "backchannel.tts": 4}.get(row["class"], takes)
        speaker = row["speaker"] or row["path"]
        yield Clip(row["class"], label, speaker, samples, onset_ms, weight, takes, row["path"])


def _label(kind: str, name: str) -> int | None:
    if kind == "noise":
        return NO_SPEECH
    if kind == "backchannel" or name == "backchannel":
        return BACKCHANNEL
    if kind in ("interrupt", "speech") or (kind == "eot" and name in ("complete", "incomplete")):
        return INTERRUPTION
    return None


def spoken(cache: Path) -> Iterator[Clip]:
    """Yield interruptions and backchannels in synthetic voices; they are made once and kept in `cache`."""
    cache.mkdir(parents=True, exist_ok=True)
    for name, label, texts, takes in _ENGLISH:
        for text in texts:
            for take in range(takes):
                random = Random(f"{text}|{take}")
                phonemes = text.startswith("[[")
                voice, command = _espeak(text, random) if phonemes or take % 2 == 0 else _flite(text, random)
                yield from _made(Clip(name, label, voice, _SILENCE, weight=0.5, key=f"{text}|{take}"), command, cache)
    for name, label, voice, text in phrases_of_other_languages():
        random = Random(f"{voice}|{text}")
        speaker, command = _espeak(text, random, voice)
        yield from _made(Clip(name, label, speaker, _SILENCE, weight=0.5, key=f"{voice}|{text}"), command, cache)
    for name, label, texts, _ in _ENGLISH:
        for text in texts:
            if not text.startswith("[[") and (samples := _neural(text, cache)).size >= RATE_HZ // 10:
                yield Clip(name, label, _NEURAL, samples, 0.0, 0.5, key=f"{_NEURAL}|{text}")


def phrases_of_other_languages() -> Iterator[tuple[str, int, str, str]]:
    """Yield class, label, espeak's voice and text of phrases in other languages, but those of the benchmark."""
    benchmarks = {language.tag: language for language in BENCHMARK_LANGUAGES}
    for code, voice in OTHER_VOICES.items():
        language, held_out = LANGUAGES[code], set[tuple[str, ...]]()
        if code in benchmarks:
            of = benchmarks[code]
            held_out = {normalise(text) for text in (*of.commands, *of.words, *of.backchannels, *of.answers)}
        digits = [words[0] for words in language.digits] or ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"]
        random = Random(code)
        spelled = [" ".join(random.sample(digits, count)) for count in (1, 1, 2, 3, 4)]
        for name, label, texts in (
            (_LISTENING, BACKCHANNEL, [*language.acknowledgements, *language.backchannels]),
            (_FLOOR, INTERRUPTION, [*language.interruptions, *language.no, *spelled]),
        ):
            allowed = [text for text in dict.fromkeys(texts) if normalise(text) not in held_out]
            chosen = random.sample(allowed, min(len(allowed), _TEXTS_OF_A_LANGUAGE))
            yield from ((f"{name}.{code}", label, voice, text) for text in chosen)


def _made(clip: Clip, command: list[str], cache: Path) -> Iterator[Clip]:
    """Yield a clip with the samples that a command writes to the file that is its last argument."""
    path = cache / f"{hashlib.sha256(' '.join(command).encode()).hexdigest()[:16]}.wav"
    if not path.exists():
        subprocess.run([*command, str(path)], check=True, capture_output=True)
    samples = read(path)[: 4 * RATE_HZ]
    if samples.size >= RATE_HZ // 10:
        yield replace(clip, samples=samples)


def _neural(text: str, cache: Path) -> Float32Array:
    path = cache / f"{_NEURAL}-{hashlib.sha256(text.encode()).hexdigest()[:16]}.wav"
    if not path.exists():
        soundfile.write(path, anyio.run(_spoken_by_hibari, text), HIBARI_HZ)
    return read(path)[: 4 * RATE_HZ]


async def _spoken_by_hibari(text: str) -> Float32Array:
    chunks = [chunk.pcm async for chunk in _hibari().speak(text)]
    return pcm.to_float(np.concatenate(chunks)) if chunks else np.zeros(0, dtype=np.float32)


@cache
def _hibari() -> HibariVoice:
    return HibariVoice()


def _espeak(text: str, random: Random, language: str | None = None) -> tuple[str, list[str]]:
    voice = (language or random.choice(_ESPEAK_VOICES)) + random.choice(_ESPEAK_VARIANTS)
    pace = ["-s", str(random.randint(120, 210)), "-p", str(random.randint(20, 80))]
    return f"espeak {voice}", ["espeak-ng", "-v", voice, *pace, text, "-w"]


def _flite(text: str, random: Random) -> tuple[str, list[str]]:
    voice, stretch = random.choice(_FLITE_VOICES), random.uniform(0.75, 1.25)
    pace = ["--setf", f"duration_stretch={stretch:.2f}"]
    return f"flite {voice}", ["flite", "-voice", voice, *pace, "-t", text, "-o"]
