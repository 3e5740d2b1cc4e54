"""`bargein mark` and `bargein tune` in words: files in, lines out."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from bargein.call.record.journal import Head, JournalError, read
from bargein.call.tuning.marks import KINDS, Mark, MarkError, marks_path, place, read_marks, runs_of, write_marks
from bargein.call.tuning.tuning import USUAL, Marked, Row, tune
from bargein.turns.events import Event
from bargein.wire.errors import WireError

_COLUMNS = ("caught", "p50 ms", "p95 ms", "stopped wrongly")


def list_voices(journal: Path) -> Iterator[str]:
    """Every run of voice in a call, and what it was marked as.

    Raises:
        MarkError: it is no journal, or its marks are none.
        OSError: it cannot be read.
    """
    _, events = _read(journal)
    marks = {mark.at_ms: mark.kind for mark in read_marks(marks_path(journal))}
    for run in runs_of(events):
        lasted = "" if run.end_ms is None else f"{run.end_ms - run.onset_ms} ms"
        yield f"{run.onset_ms / 1000:9.3f}  {lasted:>8}  {marks.get(run.onset_ms, '-')}"


def set_mark(journal: Path, near_ms: int, kind: str) -> str:
    """Mark the voice that begins next to a moment; says what was marked.

    Raises:
        MarkError: no voice begins there, there is no such kind, or it is no journal.
        OSError: a file cannot be read or written.
    """
    if kind not in (*KINDS, "none"):
        raise MarkError(f"a voice is one of {', '.join(KINDS)}, or none, not {kind}")
    _, events = _read(journal)
    run = place(runs_of(events), near_ms)
    path = marks_path(journal)
    marks = [mark for mark in read_marks(path) if mark.at_ms != run.onset_ms]
    if kind != "none":
        marks.append(Mark(run.onset_ms, kind))
    write_marks(path, marks)
    what = "unmarked" if kind == "none" else f"marked as {kind}"
    return f"the voice that begins at {run.onset_ms / 1000:.3f} s is {what}; {len(marks)} in this call are marked"


def report(journals: Sequence[Path], plans: Sequence[dict[str, Any]] | None = None) -> Iterator[str]:
    """The trade-off between plans as a table.

    Args:
        journals: of the calls.
        plans: `stopSpeakingPlan`s; the usual ones if None.

    Raises:
        MarkError: no call is marked, or a file is no journal, a mark or a plan none.
        OSError: a file cannot be read.
    """
    calls = [_marked(path) for path in journals]
    count = sum(len(call.marks) for call in calls)
    if not count:
        raise MarkError("none of these calls has marks: set some with `bargein mark CALL SECONDS KIND`")
    tried = [("as it was", None), *((json.dumps(plan), plan) for plan in plans or USUAL)]
    try:
        rows = list(tune(calls, tried))
    except WireError as error:
        raise MarkError("; ".join(map(str, error.messages))) from None
    unmarked = sum(len(call.runs) for call in calls) - count
    silent = count - rows[0].interruptions - rows[0].others
    yield f"{count} marked voices in {len(calls)} calls, {silent} of them not over the assistant; {unmarked} not marked"
    yield ""
    yield from _table(rows)


def _table(rows: Sequence[Row]) -> Iterator[str]:
    lines = [("stopSpeakingPlan", *_COLUMNS), *(_cells(row) for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    for line in lines:
        yield "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()


def _cells(row: Row) -> tuple[str, ...]:
    stops = sum(number for _, number in row.stops)
    kinds = ", ".join(f"{number} {kind}" for kind, number in row.stops)
    p50, p95 = ("-" if (ms := row.percentile(percent)) is None else str(ms) for percent in (50, 95))
    return (
        "{} (evidence)" if row.name == "{}" else row.name,
        f"{row.caught} of {row.interruptions}",
        p50,
        p95,
        f"{stops} of {row.others}" + (f": {kinds}" if kinds else ""),
    )


def _marked(journal: Path) -> Marked:
    head, events = _read(journal)
    return Marked(head, tuple(events), tuple(runs_of(events)), tuple(read_marks(marks_path(journal))))


def _read(journal: Path) -> tuple[Head, list[Event]]:
    try:
        with journal.open(encoding="utf-8") as lines:
            head, events = read(lines)
            return head, list(events)
    except JournalError as error:
        raise MarkError(f"{journal.name}: {error}") from None
