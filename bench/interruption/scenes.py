"""The scenes: clips, their times and their conditions. The same seed gives the same scenes."""

import csv
import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from bench.interruption.conditions import DOUBLE_TALK, PHONE, SPEECH_DBFS, TELEPHONE, Condition

EARLIEST_MS, LATEST_MS = 2_000, 12_000
LONGEST_CLIP_S = 12

PARTS = (
    "command", "word", "listening", "noise", "echo", "turns", "explicit", "phone", "languages", "plans", "double",
    "telephone", "endings",
)  # fmt: skip
"""The parts of the benchmark.

True interruptions (several words; one word), backchannels (`listening`), noise, the assistant's echo; turns of one
word, of a sentence, with pauses; commands under an explicit `voiceSeconds`; interruptions and backchannels from a
telephone; the same in other languages, by synthetic voices; commands and backchannels under a series of plans; commands
during the echo; both over lines of decreasing quality; ends of turns under a series of plans.
"""

TRUE_PARTS = ("command", "word")

STUDIES = ("main", "explicit", "phone", "languages", "plans", "double", "telephone")
"""The purposes of scenes, most important first."""

OF_ALL_SERVERS = ("main", "phone", "languages")
"""Studies that every server can take part in; the others need Vapi's plans, or many scenes."""

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
"""Values of `stopSpeakingPlan` to compare; the first uses the server's default."""

_OF_ALL = {"explicit": 0.5, "phone": 0.5, "plans": 0.15, "double": 0.15, "telephone": 0.1}
"""Share of a run's share for the studies that play clips again."""

_OF_PART = {"word": 2.5, "listening": 2.0, "noise": 0.4}
"""Factor on a run's share for parts with few clips, and for noises, because there are many. A share of 1 plays all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """An event while the assistant speaks.

    Attributes:
        part: `command`, `word`, `listening` (a backchannel), `noise` or `echo`.
        kind: class of the clip in the manifest.
        clip: path within the collection; empty for an echo alone.
        text: words of the clip, as far as they are known; empty if it has none.
        onset_ms: rise of the clip's energy.
        offset_ms: end of the clip's sound.
        inject_ms: start of the clip, from the first sound of an answer.
        condition: condition of the caller's channel.
        study: purpose of the scene: `main`, or a study that plays clips again.
        plan: JSON of a `stopSpeakingPlan`; empty uses the server's default.
        language: language of the clip.
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
    language: str = "en"

    @property
    def is_true(self) -> bool:
        """True if the scene is a true interruption."""
        return self.part in TRUE_PARTS


def scenes(
    data: Path,
    parts: Sequence[str],
    share: float,
    repeats: int,
    *,
    telephone: bool = False,
    synthetic: Iterable[dict[str, str]] = (),
) -> list[Scene]:
    """Return the scenes of the benchmark, in an order that groups those that one call can play.

    Args:
        data: folder of a collection of recordings with a MANIFEST.tsv.
        parts: parts of the benchmark.
        share: share of the clips, chosen by a hash of their names.
        repeats: number of times that each clip is played, each time at another time of the answer.
        telephone: use an 8 kHz mu-law line.
        synthetic: rows of the manifest of the synthetic voices, for the part `languages`.
    """
    found: list[Scene] = []
    for row in rows(data):
        part = _part(row["class"])
        if part is None:
            continue
        found += _main(row, part, share, repeats, telephone=telephone) if part in parts else ()
        for study, of_all in _OF_ALL.items():
            if study in parts and draw(row["path"], "share") < share * of_all * _OF_PART.get(part, 1.0):
                found += _again(row, part, study)
    if "languages" in parts:
        found += _in_languages(synthetic, share)
    if "echo" in parts:
        found += _echoes(share, telephone=telephone)
    # The most important scenes come first; calls of a condition follow each other, with their scenes in random order.
    return sorted(
        found,
        key=lambda s: (
            STUDIES.index(s.study), s.condition.name, s.plan, s.language, draw(s.clip + s.part, str(s.inject_ms)),
        ),
    )  # fmt: skip


def rows(data: Path) -> list[dict[str, str]]:
    """Return the rows of the manifest."""
    with (data / "MANIFEST.tsv").open(encoding="utf-8") as file:
        return list(csv.DictReader(file, delimiter="\t"))


def _part(kind: str) -> str | None:
    family = kind.partition(".")[0]
    if kind in ("interrupt.command", "interrupt.word"):
        return kind.partition(".")[2]
    return {"backchannel": "listening", "noise": "noise"}.get(family)


def _main(row: dict[str, str], part: str, share: float, repeats: int, *, telephone: bool) -> Iterator[Scene]:
    """Yield the main scenes of a clip; noise is played at the caller's level and 10 dB below it."""
    share = share * _OF_PART.get(part, 1.0) if share < 1 else share
    for level_dbfs in (SPEECH_DBFS, SPEECH_DBFS - 10) if part == "noise" else (SPEECH_DBFS,):
        # A share of the noises plays different ones at each level, which says more than the same ones at both.
        if draw(row["path"], f"share{level_dbfs}" if part == "noise" else "share") >= share:
            continue
        condition = Condition(level_dbfs=level_dbfs, telephone=telephone)
        for repeat in range(repeats):
            yield _scene(row, part, condition, salt=f"{condition.name}{repeat}")


def _again(row: dict[str, str], part: str, study: str) -> Iterator[Scene]:
    if study == "explicit" and part == "command":
        yield _scene(row, part, Condition(), salt=study, study=study, plan=EXPLICIT)
    elif study == "phone" and part != "noise":
        yield _scene(row, part, PHONE, salt=study, study=study)
    elif study == "plans" and part in ("command", "listening"):
        yield from (_scene(row, part, Condition(), salt=study, study=study, plan=plan) for plan in PLANS)
    elif study == "double" and part == "command":
        yield from (_scene(row, part, condition, salt=study, study=study) for condition in DOUBLE_TALK)
    elif study == "telephone" and part != "noise":
        # The same time in each condition, because they are compared pair by pair.
        yield from (_scene(row, part, condition, salt=study, study=study) for condition in TELEPHONE)


def _in_languages(synthetic: Iterable[dict[str, str]], share: float) -> Iterator[Scene]:
    for row in synthetic:
        family, _, part = row["class"].partition(".")
        if family == "language" and part != "answer" and draw(row["path"], "share") < share:
            scene = _scene(row, part, Condition(), salt="languages", study="languages")
            yield replace(scene, language=row["language"])


def _scene(
    row: dict[str, str], part: str, condition: Condition, *, salt: str, study: str = "main", plan: str = ""
) -> Scene:
    duration_ms = min(float(row["duration_s"]), LONGEST_CLIP_S) * 1000
    onset = row["energy_onset_s"] or row["speech_onset_s"]
    return Scene(
        part=part,
        kind=row["class"],
        clip=row["path"],
        text=words_of(row.get("transcript_or_label", "")) if part != "noise" else "",
        onset_ms=1000 * float(onset) if onset and part != "noise" else 0.0,
        offset_ms=min(1000 * float(row["speech_offset_s"] or 0) or duration_ms, duration_ms),
        inject_ms=int(EARLIEST_MS + (LATEST_MS - EARLIEST_MS) * draw(row["path"], salt)),
        condition=condition,
        study=study,
        plan=plan,
    )


def words_of(label: str) -> str:
    """Return a perfect transcriber's text; where only the meaning is known, some words of the same length."""
    if label.startswith("["):
        return "I would like something else please"
    return "mm-hmm" if label.startswith("untranscribed") else label


def _echoes(share: float, *, telephone: bool) -> Iterator[Scene]:
    """Yield half-minutes with the assistant's echo alone, ten minutes at most."""
    for number in range(max(1, round(20 * share))):
        delay_ms = (20, 60, 120, 200, 300)[number % 5]
        condition = Condition(echo_db=-20.0, delay_ms=delay_ms, telephone=telephone)
        yield Scene(
            part="echo", kind="echo", clip="", onset_ms=0, offset_ms=28_000, inject_ms=number, condition=condition
        )


def draw(text: str, salt: str) -> float:
    """Return a number in [0, 1) that depends on the texts alone."""
    digest = hashlib.sha1(f"{text}|{salt}".encode(), usedforsecurity=False).digest()
    return int.from_bytes(digest[:6], "big") / 2**48
