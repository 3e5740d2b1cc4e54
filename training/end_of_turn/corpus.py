"""The turns of the end-of-turn detector: ten classes of about equal size, of people and of synthetic voices.

A part of them is held out: none of its recordings, phrases and voices is in the training. Speakers of the recordings of
commands are not known, so that a speaker may be in both; of all others it is known.
"""

import csv
import json
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from random import Random
from zlib import crc32

import numpy as np
from bench.endpointing.corpus import LEAD_MS, RATE_HZ, UNFINISHED_MS, Turn, heard, last_sound_s

from bargein.audio.pcm import Float32Array
from training.end_of_turn.phrases import Phrase, is_held_out, phrases
from training.end_of_turn.voices import HELD_OUT_VOICES, VOICES, spoken, trimmed
from training.interruption_classifier.corpus import read

CLASSES = (
    "word", "sentence", "question", "answer", "false start", "number", "telephone", "spelled", "list", "thinking",
)  # fmt: skip
"""The classes that the detector is to know equally well. Long prompts and other languages are classes beside them."""

HELD_OUT_SPEAKERS = frozenset({"theo"})

_AFTER_MS = 1_300
_EACH = 60
_NUMBERS_EACH = 20
_PROMPTS = 16
_COMMANDS = 80
_DIGIT_ANSWERS_EACH = 6
_GROUPS = ((3, 3, 4), (3, 4), (4,), (5,), (3, 3), (3, 3, 2, 2), (4, 4), (2, 4, 4))
_PAUSES_S = (0.2, 0.3, 0.4, 0.5, 0.7, 0.9, 1.2, 1.5)
_NUMBER_QUESTION, _CODE_QUESTION = "What is your phone number?", "Please tell me your order number."
_QUESTIONS_OF_WORDS = {
    "yes": "Is that correct?", "no": "Would you like to go ahead?", "right": "So that is on Monday at nine?",
    "nope": "Is there anything else?", "billing department": "Which department do you need?",
}  # fmt: skip


def learned_from(folder: Path, cache: Path) -> list[Turn]:
    """Return all turns, in a random order that is always the same; synthetic voices are kept in `cache`."""
    turns = [*_of_people(folder), *_of_voices(cache)]
    held_out = {turn.speaker for turn in turns if turn.held_out}
    kept = [turn for turn in turns if turn.held_out or turn.speaker not in held_out]
    Random(5).shuffle(kept)
    return kept


def _of_voices(cache: Path) -> Iterator[Turn]:
    for number, phrase in enumerate(phrases(_EACH)):
        voices = HELD_OUT_VOICES if phrase.held_out else VOICES
        voice = voices[number % len(voices)]
        samples = spoken(phrase, voice, cache)
        yield _turn(f"{phrase.part} {number}", phrase, _speaker(voice), samples)


def _speaker(voice: tuple[str, ...]) -> str:
    return voice[0] if voice[0] == "hibari" else " ".join(voice)


def _turn(name: str, phrase: Phrase, speaker: str, samples: Float32Array, *, held_out: bool | None = None) -> Turn:
    end_s = last_sound_s(samples)
    sound, end_ms = heard(samples, end_s, _AFTER_MS), LEAD_MS + round(1000 * end_s)
    held_out = phrase.held_out if held_out is None else held_out
    return Turn(name, phrase.part, speaker, sound, end_ms, asked=phrase.asked, held_out=held_out)


def _of_people(folder: Path) -> Iterator[Turn]:
    with (folder / "MANIFEST.tsv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    Random(3).shuffle(rows)
    counts: dict[str, int] = defaultdict(int)
    digits: dict[str, dict[str, list[Float32Array]]] = defaultdict(lambda: defaultdict(list))
    for row in rows:
        kind, path = row["class"], folder / row["path"]
        counts[kind] += 1
        if kind in ("interrupt.word", "backchannel.word"):
            yield _word(row, read(path))
        elif kind == "interrupt.command" and counts[kind] <= _COMMANDS:
            held_out = crc32(row["path"].encode()) % 4 == 0
            yield _turn(row["path"], Phrase("sentence", (row["path"],)), row["path"], read(path), held_out=held_out)
        elif kind == "assistant.speech" and counts[kind] <= _PROMPTS:
            yield _turn(row["path"], Phrase("prompt", ("",)), row["speaker"], read(path), held_out=False)
        elif kind == "eot.digits":
            asked = _NUMBER_QUESTION if counts[kind] % 4 else ""
            yield _composed(row, read(path), float(json.loads((folder / row["extra"]).read_text())["turn_end"]), asked)
        elif kind in ("eot.complete", "eot.incomplete", "eot.wait", "speech.read"):
            yield _other(row, read(path))
        elif kind == "speech.digit":
            digits[row["speaker"]][row["transcript_or_label"]].append(read(path))
    for speaker, spoken_digits in sorted(digits.items()):
        yield from _digits_of(speaker, spoken_digits)


def _word(row: dict[str, str], samples: Float32Array) -> Turn:
    label = row["transcript_or_label"]
    asked = _QUESTIONS_OF_WORDS.get(label, "")
    if crc32(row["path"].encode()) % 2:
        asked = ""
    part = "answer" if asked else "word" if " " not in label else "sentence"
    return _turn(row["path"], Phrase(part, (label,), asked=asked), row["speaker"] or row["path"], samples)


def _composed(row: dict[str, str], samples: Float32Array, end_s: float, asked: str) -> Turn:
    speaker = row["speaker"]
    sound, held_out = heard(samples, end_s, _AFTER_MS), speaker in HELD_OUT_SPEAKERS
    return Turn(row["path"], "telephone", speaker, sound, LEAD_MS + round(1000 * end_s), asked=asked, held_out=held_out)


def _other(row: dict[str, str], samples: Float32Array) -> Turn:
    kind, end_s = row["class"], last_sound_s(samples)
    finished = kind in ("eot.complete", "speech.read")
    end_ms = LEAD_MS + round(1000 * end_s) + (0 if finished else UNFINISHED_MS)
    part = "read" if kind == "speech.read" else "Mandarin"
    return Turn(row["path"], part, row["speaker"] or row["path"], heard(samples, end_s), end_ms, finished)


def _digits_of(speaker: str, said: dict[str, list[Float32Array]]) -> Iterator[Turn]:
    """Yield numbers put together of a speaker's digits, and single digits as answers."""
    random, held_out = Random(crc32(speaker.encode())), speaker in HELD_OUT_SPEAKERS
    for number in range(_NUMBERS_EACH):
        groups = _GROUPS[number % len(_GROUPS)]
        part = "telephone" if sum(groups) > 6 else "number"
        asked = ("", _NUMBER_QUESTION if part == "telephone" else _CODE_QUESTION)[number % 3 > 0]
        phrase = Phrase(part, ("",), asked=asked)
        yield _turn(f"number {number} of {speaker}", phrase, speaker, _number(said, groups, random), held_out=held_out)
    words = [word for word in sorted(said) if is_held_out(word) == held_out]
    for number in range(_DIGIT_ANSWERS_EACH if words else 0):
        word = words[number % len(words)]
        phrase = Phrase("answer", (word,), asked="How many people will be coming?")
        samples = trimmed(random.choice(said[word]))
        yield _turn(f"answer {number} of {speaker}", phrase, speaker, samples, held_out=held_out)


def _number(said: dict[str, list[Float32Array]], groups: tuple[int, ...], random: Random) -> Float32Array:
    """Return a number in a speaker's voice, digit by digit."""
    parts: list[Float32Array] = []
    for place, count in enumerate(groups):
        if place:
            parts.append(_quiet(random.choice(_PAUSES_S)))
        for _ in range(count):
            clip = random.choice(said[random.choice(sorted(said))])
            parts.extend((trimmed(clip), _quiet(random.uniform(0.03, 0.13))))
    return np.concatenate(parts)


def _quiet(seconds: float) -> Float32Array:
    return np.zeros(round(seconds * RATE_HZ), dtype=np.float32)
