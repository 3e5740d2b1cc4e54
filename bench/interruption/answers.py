"""Turns by their kind (a word, a sentence, a turn with pauses): how soon each is answered, how often it is cut off."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from bargein.wire.base import JsonObject
from bench.interruption.endings import WAIT_MS, Ending, Turn, plain, with_spans
from bench.interruption.figures import percentile, share
from bench.interruption.scenes import draw, rows
from bench.interruption.synthetic import PREFIX, path_of

GROUPS = ("one word", "short sentence", "long sentence", "with pauses")
"""The kinds of turns."""

_OF_GROUP = {"one word": 4.0, "short sentence": 4.0, "with pauses": 4.0}
_OF_LONG, _OF_LONG_BY_PEOPLE = 3.0, 0.8
"""Factors on a run's share: there are few turns of most kinds, and many long sentences. A share of 1 plays all."""

SLOW_MS = 1_500
"""An answer later than this is counted as slow."""

_SHORT_MS = 1_800
_LONGEST_PROMPT_MS = 4_000
_SYNTHETIC = {
    "turn.word": "one word", "turn.short": "short sentence", "turn.long": "long sentence", "turn.pauses": "with pauses",
    "language.answer": "one word",
}  # fmt: skip


def answer_turns(data: Path, synthetic: Iterable[dict[str, str]], parts: Sequence[str], of_run: float) -> list[Turn]:
    """Return the turns of the parts `turns` (in English) and `languages` (in others).

    Recordings of telephone numbers belong to `turns`, but are left to the part `endings` if that is played too.

    Args:
        data: folder of a collection of people's recordings.
        synthetic: rows of the manifest of the synthetic voices.
        parts: parts of the run.
        of_run: share of the run; the turns are chosen by a hash of their names.
    """
    return [turn for turn in _all(data, synthetic, parts) if draw(turn.clip, "share") < _share(turn, of_run)]


def _share(turn: Turn, of_run: float) -> float:
    if of_run >= 1:
        return 1.0
    if turn.language != "en":
        return of_run
    return of_run * _OF_GROUP.get(turn.group, _OF_LONG if turn.is_synthetic else _OF_LONG_BY_PEOPLE)


def _all(data: Path, synthetic: Iterable[dict[str, str]], parts: Sequence[str]) -> Iterator[Turn]:
    if "turns" in parts:
        for row in rows(data):
            group = _group(row)
            if group == "with pauses" and "endings" in parts:
                continue
            if group:
                spans = (data / row["path"]).with_suffix(".json")
                turn = with_spans(row, spans) if spans.exists() else plain(row, data)
                yield replace(turn, group=group)
    for row in synthetic:
        group = _SYNTHETIC.get(row["class"], "")
        if group and ("turns" if row["language"] == "en" else "languages") in parts:
            turn = with_spans(row, path_of(data, row["path"]).with_suffix(".json"))
            yield replace(turn, group=group, language=row["language"], is_synthetic=True)


def group_of(turn: Turn) -> str:
    """Return the kind of a turn, also if it is played for the part `endings`; empty: none of `GROUPS`."""
    return turn.group or ("with pauses" if turn.kind == "eot.digits" else "")


def _group(row: dict[str, str]) -> str:
    """Return the kind of turn that a person's recording is, if it is one: by its words, or else by its length."""
    voice_ms = 1000 * (float(row["speech_offset_s"] or 0) - float(row["speech_onset_s"] or 0))
    match row["class"]:
        case "interrupt.word":
            return "one word" if len(row["transcript_or_label"].split()) == 1 else "short sentence"
        case "interrupt.command":
            return "short sentence" if voice_ms < _SHORT_MS else "long sentence"
        case "assistant.speech":  # prompts; longer ones have pauses that are not known
            return "long sentence" if 0 < voice_ms <= _LONGEST_PROMPT_MS else ""
        case "eot.digits":
            return "with pauses"
        case _:
            return ""


def answers(endings: Sequence[Ending]) -> JsonObject:
    """Return the figures of each kind of English turn, of people and of synthetic voices, under the default plan."""
    mine = [ending for ending in endings if ending.policy == "default" and ending.turn.language == "en"]
    found: JsonObject = {}
    for group in GROUPS:
        of_group = [ending for ending in mine if group_of(ending.turn) == group]
        for name, is_synthetic in (("people", False), ("synthetic", True)):
            some = [ending for ending in of_group if ending.turn.is_synthetic == is_synthetic]
            if some:
                found.setdefault(group, {})[name] = figures(some)
    return found


def figures(endings: Sequence[Ending]) -> JsonObject:
    """Return how soon turns are answered, how many are slow or without an answer, and how many are cut off.

    A turn without an answer counts as answered after five seconds. Times are of turns that were not cut off.
    """
    whole = [ending for ending in endings if not ending.cut_off]
    waits = np.array([_wait_ms(ending) for ending in whole], dtype=np.float64).reshape(-1, 1)
    return {
        "turns": len(endings),
        "p50_ms": percentile(waits, 50).to_json(),
        "p95_ms": percentile(waits, 95).to_json(),
        "slow": share((waits > SLOW_MS).astype(np.float64)).to_json(),
        "cut_off": share(np.array([[float(ending.cut_off)] for ending in endings])).to_json(),
        "unanswered": sum(ending.dead_air_ms is None for ending in endings),
    }


def _wait_ms(ending: Ending) -> float:
    return float(WAIT_MS) if ending.dead_air_ms is None else ending.dead_air_ms


def is_synthetic(clip: str) -> bool:
    """Return whether a clip is of a synthetic voice."""
    return clip.startswith(PREFIX)
