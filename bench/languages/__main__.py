"""Measure turn-taking by language: `python -m bench.languages --cache DIR`.

Synthetic voices (espeak-ng) interrupt, listen and answer in each language, on the simulated clock. The server is asked
with its plan for the language, its embedded voice detector, interruption classifier and end-of-turn detector, and words
as from a perfect transcriber, 0.4 s after the voice; of interruptions also without any words, by the sound alone.
"""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from bargein.wire.base import JsonObject
from bench.interruption.phrases import Language
from bench.languages.interruptions import Interrupter, Yields
from bench.languages.turns import Answerer, Answers
from bench.languages.voices import languages, spoken, with_pause
from bench.speech import HELP, SPEECH

_HEAD = (
    "language", "commands stopped", "p50 / p95 ms", "one word stopped", "p50 / p95 ms", "by sound alone",
    "backchannels that stop it", "by sound alone", "one-word turn answered after, p50 / p95 ms", "sentence",
    "cut off in a pause of 0.7 s",
)  # fmt: skip


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.languages", description=__doc__)
    parser.add_argument("--data", type=Path, default=SPEECH, help=f"{HELP}, for the assistant's voice")
    parser.add_argument("--cache", type=Path, required=True, help="a folder for the synthetic voices")
    parser.add_argument("--language", action="append", help="codes of the languages to measure (all)")
    parser.add_argument("--json", type=Path, help="file for the figures")
    given = parser.parse_args()
    interrupter, answerer = Interrupter(given.data, given.cache), Answerer()
    figures: JsonObject = {}
    _print_row(_HEAD)
    _print_row(["---"] * len(_HEAD))
    for language in languages():
        if given.language and language.tag not in given.language:
            continue
        row, figures[language.tag] = measure(language, interrupter, answerer, given.cache)
        _print_row(row)
    if given.json is not None:
        given.json.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")


def measure(
    language: Language, interrupter: Interrupter, answerer: Answerer, folder: Path
) -> tuple[list[str], JsonObject]:
    """Return a language's row of the table, and its figures."""
    commands = interrupter.play(language, language.commands, "command", words=True)
    word = interrupter.play(language, language.words, "word", words=True)
    word_sound = interrupter.play(language, language.words, "word", words=False)
    listening = interrupter.play(language, language.backchannels, "listening", words=True)
    listening_sound = interrupter.play(language, language.backchannels, "listening", words=False)
    short = answerer.answers(language, spoken(language, language.answers, folder))
    whole = answerer.answers(language, spoken(language, language.commands, folder))
    paused = answerer.answers(language, with_pause(language, folder))
    row = [
        language.tag, _share(commands), _times(commands.stop_ms), _share(word), _times(word.stop_ms),
        _share(word_sound), _share(listening), _share(listening_sound), _times(short.late_ms), _times(whole.late_ms),
        f"{paused.cut} of {paused.turns}",
    ]  # fmt: skip
    every: dict[str, Yields | Answers] = {
        "commands": commands,
        "words": word,
        "words_by_sound": word_sound,
        "backchannels": listening,
        "backchannels_by_sound": listening_sound,
        "one_word_turns": short,
        "sentences": whole,
        "turns_with_a_pause": paused,
    }
    return row, {name: found._asdict() for name, found in every.items()}


def _share(yields: Yields) -> str:
    return f"{yields.stopped} of {yields.scenes}"


def _times(times_ms: Sequence[float]) -> str:
    if not times_ms:
        return "-"
    return " / ".join(f"{np.percentile(times_ms, percent):.0f}" for percent in (50, 95))


def _print_row(cells: Sequence[str]) -> None:
    print(f"| {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
