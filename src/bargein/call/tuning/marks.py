"""Marks of what a person heard in a recorded call; `bargein mark` sets them, `bargein tune` reads them.

They are stored beside the journal, one JSON object a line: `{"at_ms": 12480, "kind": "interruption"}`. `at_ms` is the
onset of a run of voice in the journal.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from bargein.errors import BargeinError
from bargein.turns.events import Event, VoiceStarted, VoiceStopped
from bargein.turns.interruption.explicit import BRIDGED_DIP_MS
from bargein.wire.json import as_object

MarkKind = Literal["interruption", "listening", "noise", "echo"]
"""A voice that interrupts or means to; a backchannel; another person's voice or a noise; the assistant's own voice."""

KINDS: tuple[MarkKind, ...] = get_args(MarkKind)

NEAR_MS = 1000
"""A mark belongs to the nearest run of voice that begins within this distance."""


class MarkError(BargeinError, ValueError):
    """A mark cannot be set, or the marks cannot be read; the text says why."""


@dataclass(frozen=True, slots=True, order=True)
class Mark:
    """The mark of one run of voice.

    Attributes:
        at_ms: the onset of the run, in milliseconds of the call.
        kind: its kind.
    """

    at_ms: int
    kind: MarkKind


@dataclass(frozen=True, slots=True)
class Run:
    """A run of voice; short dips do not end it.

    Attributes:
        onset_ms: where it begins.
        end_ms: where it ends; None: at the end of the call.
    """

    onset_ms: int
    end_ms: int | None


def marks_path(journal: Path) -> Path:
    """Return the path of a journal's marks."""
    return journal.with_suffix(".marks.jsonl")


def runs_of(events: Iterable[Event]) -> list[Run]:
    """Return the runs of voice in a call."""
    found: list[Run] = []
    for event in events:
        match event:
            case VoiceStarted(at_ms, onset_ms):
                onset_ms = min(onset_ms, at_ms)
                last = found[-1] if found else None
                if last is not None and last.end_ms is None:
                    continue
                if last is not None and last.end_ms is not None and 0 <= onset_ms - last.end_ms <= BRIDGED_DIP_MS:
                    found[-1] = Run(last.onset_ms, None)
                else:
                    found.append(Run(onset_ms, None))
            case VoiceStopped(at_ms, offset_ms) if found and found[-1].end_ms is None:
                found[-1] = Run(found[-1].onset_ms, min(max(offset_ms, found[-1].onset_ms), at_ms))
            case _:
                pass
    return found


def nearest_run(runs: Iterable[Run], near_ms: int) -> Run:
    """Return the run of voice that begins nearest to `near_ms`.

    Raises:
        MarkError: none begins within `NEAR_MS`.
    """
    nearest = min(runs, key=lambda run: abs(run.onset_ms - near_ms), default=None)
    if nearest is None or abs(nearest.onset_ms - near_ms) > NEAR_MS:
        where = "" if nearest is None else f"; the nearest begins at {nearest.onset_ms / 1000:.3f} s"
        raise MarkError(f"no voice of the caller begins within {NEAR_MS} ms of {near_ms / 1000:.3f} s{where}")
    return nearest


def read_marks(path: Path) -> list[Mark]:
    """Return the marks of a call, in order; none if there is no such file.

    Raises:
        MarkError: a line is not a mark.
        OSError: the file cannot be read.
    """
    if not path.exists():
        return []
    found: dict[int, Mark] = {}
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if line.strip():
            mark = _mark(line, number)
            found[mark.at_ms] = mark
    return sorted(found.values())


def write_marks(path: Path, marks: Iterable[Mark]) -> None:
    """Write the marks of a call, replacing the file.

    Raises:
        OSError: it cannot be written.
    """
    lines = [json.dumps({"at_ms": mark.at_ms, "kind": mark.kind}) + "\n" for mark in sorted(marks)]
    path.write_text("".join(lines), encoding="utf-8")


def _mark(line: str, number: int) -> Mark:
    try:
        value = as_object(json.loads(line))
        at_ms, kind = value["at_ms"], value["kind"]
    except (ValueError, TypeError, KeyError) as error:
        raise MarkError(f"line {number} of the marks is not a mark") from error
    if not isinstance(at_ms, int) or kind not in KINDS:
        raise MarkError(
            f"line {number} of the marks: a mark needs an integer at_ms and one of the kinds {', '.join(KINDS)}"
        )
    return Mark(at_ms, kind)
