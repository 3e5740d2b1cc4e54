"""What is played to the assistant, when, and under which condition; the same seed gives the same scenes."""

import csv
import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.interruption.conditions import DOUBLE_TALK, SPEECH_DBFS, TELEPHONE, Condition

EARLIEST_MS, LATEST_MS = 2_000, 12_000
LONGEST_CLIP_S = 12

PARTS = (
    "command", "word", "listening", "noise", "echo", "explicit", "plans", "double", "telephone", "endings",
)  # fmt: skip
"""The parts of the benchmark.

True interruptions (several words; one word), listening aloud, noise, our own echo; commands under an explicit
`voiceSeconds`; commands and listening aloud under a series of plans; commands while our echo comes back; both over
worse and worse lines; ends of turns.
"""

TRUE_PARTS = ("command", "word")

STUDIES = ("main", "explicit", "plans", "double", "telephone")
"""What scenes are played for, in the order of importance."""

EXPLICIT = '{"numWords": 0, "voiceSeconds": 0.2}'
PLANS = (
    "",
    '{"numWords": 0, "voiceSeconds": 0.1}',
    '{"numWords": 0, "voiceSeconds": 0.2}',
    '{"numWords": 0, "voiceSeconds": 0.35}',
    '{"numWords": 0, "voiceSeconds": 0.5}',
    '{"numWords": 1}',
    '{"numWords": 2}',
)
"""Values of `stopSpeakingPlan` that are compared; the first leaves it to the server."""

_OF_ALL = {"explicit": 0.5, "plans": 0.15, "double": 0.15, "telephone": 0.1}
"""The parts that play clips again take so much of the share."""

_OF_NOISE = 0.6
"""There are so many noises that a share of all takes less of them; all is all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """One event over a talking assistant.

    Attributes:
        part: `command`, `word`, `listening`, `noise` or `echo`.
        kind: the clip's class in the manifest.
        clip: path below the collection; empty where nobody says anything (echo alone).
        text: what is said, as far as it is known; empty where these are no words.
        onset_ms: where the clip's energy rises.
        offset_ms: where it ends.
        inject_ms: how long after the first sound of an answer the clip begins.
        condition: see there.
        study: what it is played for: `main`, or one of the parts that play clips again.
        plan: JSON of a `stopSpeakingPlan`; empty leaves it to the server.
    """

    part: str
    kind: str
    clip: str
    onset_ms: float
    offset_ms: float
    inject_ms: int
    condition: Condition
    text: str = ""
    study: str = "main"
    plan: str = ""

    @property
    def is_true(self) -> bool:
        """Whether the caller takes the floor."""
        return self.part in TRUE_PARTS


def scenes(data: Path, parts: Sequence[str], share: float, repeats: int, *, telephone: bool = False) -> list[Scene]:
    """The scenes of the benchmark, in an order that groups what one call can play.

    Args:
        data: a collection of recordings with a MANIFEST.tsv.
        parts: which parts.
        share: of the clips, chosen by a hash of their names.
        repeats: how often each is played, each time at another moment.
        telephone: over an 8 kHz mu-law line.
    """
    found: list[Scene] = []
    for row in rows(data):
        part = _part(row["class"])
        if part is None:
            continue
        found += _main(row, part, share, repeats, telephone=telephone) if part in parts else ()
        for study in STUDIES[1:]:
            if study in parts and draw(row["path"], "share") < share * _OF_ALL[study]:
                found += _again(row, part, study)
    if "echo" in parts:
        found += _echoes(share, telephone=telephone)
    # What counts most comes first; calls of one condition follow on each other, and scenes within them are mixed.
    return sorted(
        found, key=lambda s: (STUDIES.index(s.study), s.condition.name, s.plan, draw(s.clip + s.part, str(s.inject_ms)))
    )


def rows(data: Path) -> list[dict[str, str]]:
    """The manifest."""
    with (data / "MANIFEST.tsv").open(encoding="utf-8") as file:
        return list(csv.DictReader(file, delimiter="\t"))


def _part(kind: str) -> str | None:
    family = kind.partition(".")[0]
    if kind in ("interrupt.command", "interrupt.word"):
        return kind.partition(".")[2]
    return {"backchannel": "listening", "noise": "noise"}.get(family)


def _main(row: dict[str, str], part: str, share: float, repeats: int, *, telephone: bool) -> Iterator[Scene]:
    """Noise is played at the caller's level and 10 dB below it."""
    share = share * _OF_NOISE if part == "noise" and share < 1 else share
    for level_dbfs in (SPEECH_DBFS, SPEECH_DBFS - 10) if part == "noise" else (SPEECH_DBFS,):
        # Of few noises, some at one level and others at the other tell more than the same ones at both.
        if draw(row["path"], f"share{level_dbfs}" if part == "noise" else "share") >= share:
            continue
        condition = Condition(level_dbfs=level_dbfs, telephone=telephone)
        for repeat in range(repeats):
            yield _scene(row, part, condition, salt=f"{condition.name}{repeat}")


def _again(row: dict[str, str], part: str, study: str) -> Iterator[Scene]:
    if study == "explicit" and part == "command":
        yield _scene(row, part, Condition(), salt=study, study=study, plan=EXPLICIT)
    elif study == "plans" and part in ("command", "listening"):
        yield from (_scene(row, part, Condition(), salt=study, study=study, plan=plan) for plan in PLANS)
    elif study == "double" and part == "command":
        yield from (_scene(row, part, condition, salt=study, study=study) for condition in DOUBLE_TALK)
    elif study == "telephone" and part != "noise":
        # At the same moment under each condition: they are compared pair by pair.
        yield from (_scene(row, part, condition, salt=study, study=study) for condition in TELEPHONE)


def _scene(
    row: dict[str, str], part: str, condition: Condition, *, salt: str, study: str = "main", plan: str = ""
) -> Scene:
    duration_ms = min(float(row["duration_s"]), LONGEST_CLIP_S) * 1000
    onset = row["energy_onset_s"] or row["speech_onset_s"]
    return Scene(
        part=part,
        kind=row["class"],
        clip=row["path"],
        text=_words(row.get("transcript_or_label", "")) if part != "noise" else "",
        onset_ms=1000 * float(onset) if onset and part != "noise" else 0.0,
        offset_ms=min(1000 * float(row["speech_offset_s"] or 0) or duration_ms, duration_ms),
        inject_ms=int(EARLIEST_MS + (LATEST_MS - EARLIEST_MS) * draw(row["path"], salt)),
        condition=condition,
        study=study,
        plan=plan,
    )


def _words(label: str) -> str:
    """What a perfect transcriber would write; where only the meaning is known, some words of the same length."""
    if label.startswith("["):
        return "I would like something else please"
    return "mm-hmm" if label.startswith("untranscribed") else label


def _echoes(share: float, *, telephone: bool) -> Iterator[Scene]:
    """Half-minutes in which nobody speaks but the assistant, who hears itself: ten minutes of them at the most."""
    for number in range(max(1, round(20 * share))):
        delay_ms = (20, 60, 120, 200, 300)[number % 5]
        condition = Condition(echo_db=-20.0, delay_ms=delay_ms, telephone=telephone)
        yield Scene(
            part="echo", kind="echo", clip="", onset_ms=0, offset_ms=28_000, inject_ms=number, condition=condition
        )


def draw(text: str, salt: str) -> float:
    """A number in [0, 1) that depends on the texts alone."""
    digest = hashlib.sha1(f"{text}|{salt}".encode(), usedforsecurity=False).digest()
    return int.from_bytes(digest[:6], "big") / 2**48
