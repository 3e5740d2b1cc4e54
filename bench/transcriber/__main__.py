"""Score the embedded transcriber, with and without the assistant's question: `python -m bench.transcriber`."""

import argparse
import itertools
import json
import time
from dataclasses import asdict
from functools import partial
from pathlib import Path

import anyio

from bargein.audio.pcm import Int16Array
from bargein.providers.embedded.expected_answer import OPEN, ExpectedAnswer, expected_answer
from bargein.providers.embedded.stt import MoonshineTranscriber
from bargein.providers.embedded.vad import SileroDetector
from bench.speech import HELP, SPEECH
from bench.transcriber.cutting import utterances
from bench.transcriber.material import Sound, held_out, recordings, synthetic
from bench.transcriber.scoring import Score

_LETTERS = ("spelled names", "codes")
_RUNS = ("without the question", "with the question")


def transcribed(
    transcriber: MoonshineTranscriber, audio: list[Int16Array], expected: ExpectedAnswer, score: Score
) -> str:
    """Return the transcript of the utterances of a sound, and add the time of the passes to a score."""
    texts: list[str] = []
    for piece in audio:
        began = time.thread_time()
        texts.append(transcriber.transcribe(piece, expected=expected).text)
        score.ms += 1000 * (time.thread_time() - began)
        score.passes += 1
    return " ".join(filter(None, texts))


def add(transcriber: MoonshineTranscriber, sound: Sound, audio: list[Int16Array], scores: dict[str, Score]) -> None:
    """Transcribe a sound in both ways, and print transcripts that differ."""
    heard: list[str] = []
    for run, expected in zip(_RUNS, (OPEN, expected_answer(sound.question)), strict=True):
        score = scores.setdefault(run, Score())
        text = transcribed(transcriber, audio, expected, score)
        score.add(sound.said, text, letters=sound.part in _LETTERS)
        heard.append(text)
    if heard[0] != heard[1]:
        print(f"  {sound.name}: {sound.said!r} -> {heard[0]!r} -> {heard[1]!r}", flush=True)


async def run(data: Path, parts: list[str] | None) -> dict[str, dict[str, Score]]:
    """Return the scores of each set."""
    detector, transcriber = SileroDetector(), MoonshineTranscriber()
    await transcriber.warm_up()
    scores: dict[str, dict[str, Score]] = {}
    for sound in itertools.chain(recordings(data), synthetic(), held_out()):
        if parts is None or sound.part in parts:
            audio = await utterances(detector, sound.samples)
            add(transcriber, sound, audio, scores.setdefault(sound.part, {}))
    return scores


def show(scores: dict[str, dict[str, Score]]) -> None:
    """Print a table of the scores."""
    print(f"\n{'set':20} {'run':20} sounds  WER      exact  no words  number  ms a pass")
    for part, of in scores.items():
        for name, score in of.items():
            wer = "-" if not score.words else f"{100 * score.error_rate:.1f} %"
            exact, empty = (f"{100 * count / score.sounds:.1f} %" for count in (score.exact, score.empty))
            ms = score.ms / max(1, score.passes)
            print(f"{part:20} {name:20} {score.sounds:6}  {wer:8} {exact:7} {empty:7} {score.numbers:6}  {ms:.0f}")


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.transcriber", description=__doc__)
    parser.add_argument("--data", type=Path, default=SPEECH, help=HELP)
    parser.add_argument("--part", action="append", help="a set to score (all)")
    parser.add_argument("--json", type=Path, help="file for the figures")
    given = parser.parse_args()
    scores = anyio.run(partial(run, given.data, given.part))
    show(scores)
    if given.json is not None:
        figures = {part: {name: asdict(score) for name, score in of.items()} for part, of in scores.items()}
        given.json.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
