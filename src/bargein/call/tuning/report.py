"""The output of `bargein mark` and `bargein tune`: files in, lines of text out."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from bargein.call.record.journal import Head, JournalError, read
from bargein.call.tuning.marks import KINDS, Mark, MarkError, marks_path, nearest_run, read_marks, runs_of, write_marks
from bargein.call.tuning.tuning import DEFAULT_PLANS, MarkedCall, PlanResult, tune
from bargein.turns.events import Event
from bargein.wire.errors import WireError

_COLUMNS = ("caught", "p50 ms", "p95 ms", "stopped wrongly")


def list_voices(journal: Path) -> Iterator[str]:
    """List every run of voice in a call with its mark.

    Raises:
        MarkError: it is not a journal, or its marks are not valid.
        OSError: it cannot be read.
    """
    _, events = _read(journal)
    marks = {mark.at_ms: mark.kind for mark in read_marks(marks_path(journal))}
    for run in runs_of(events):
        lasted = "" if run.end_ms is None else f"{run.end_ms - run.onset_ms} ms"
        yield f"{run.onset_ms / 1000:9.3f}  {lasted:>8}  {marks.get(run.onset_ms, '-')}"


def set_mark(journal: Path, near_ms: int, kind: str) -> str:
    """Mark the voice that begins nearest to `near_ms`; return a line that says what was marked.

    Raises:
        MarkError: no voice begins there, there is no such kind, or it is not a journal.
        OSError: a file cannot be read or written.
    """
    if kind not in (*KINDS, "none"):
        raise MarkError(f"the kind must be one of {', '.join(KINDS)} or none, not {kind}")
    _, events = _read(journal)
    run = nearest_run(runs_of(events), near_ms)
    path = marks_path(journal)
    marks = [mark for mark in read_marks(path) if mark.at_ms != run.onset_ms]
    if kind != "none":
        marks.append(Mark(run.onset_ms, kind))
    write_marks(path, marks)
    what = "unmarked" if kind == "none" else f"marked as {kind}"
    return f"the voice that begins at {run.onset_ms / 1000:.3f} s is {what}; {len(marks)} in this call are marked"


def report(journals: Sequence[Path], plans: Sequence[dict[str, Any]] | None = None) -> Iterator[str]:
    """Compare plans on marked calls, as a table.

    Args:
        journals: the journals of the calls.
        plans: the `stopSpeakingPlan`s to compare; None: `DEFAULT_PLANS`.

    Raises:
        MarkError: no call has marks, or a journal, a mark or a plan is not valid.
        OSError: a file cannot be read.
    """
    calls = [_marked(path) for path in journals]
    count = sum(len(call.marks) for call in calls)
    if not count:
        raise MarkError("none of these calls has marks: set some with `bargein mark CALL SECONDS KIND`")
    tried = [("as it was", None), *((json.dumps(plan), plan) for plan in plans or DEFAULT_PLANS)]
    try:
        rows = list(tune(calls, tried))
    except WireError as error:
        raise MarkError("; ".join(map(str, error.messages))) from None
    unmarked = sum(len(call.runs) for call in calls) - count
    silent = count - rows[0].interruptions - rows[0].others
    yield f"{count} marked voices in {len(calls)} calls, {silent} of them not over the assistant; {unmarked} unmarked"
    yield ""
    yield from _table(rows)


def _table(rows: Sequence[PlanResult]) -> Iterator[str]:
    lines = [("stopSpeakingPlan", *_COLUMNS), *(_cells(row) for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    for line in lines:
        yield "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()


def _cells(row: PlanResult) -> tuple[str, ...]:
    stops = sum(number for _, number in row.stops)
    kinds = ", ".join(f"{number} {kind}" for kind, number in row.stops)
    p50, p95 = ("-" if (ms := row.percentile(percent)) is None else str(ms) for percent in (50, 95))
    return (
        "{} (adaptive)" if row.name == "{}" else row.name,
        f"{row.caught} of {row.interruptions}",
        p50,
        p95,
        f"{stops} of {row.others}" + (f": {kinds}" if kinds else ""),
    )


def _marked(journal: Path) -> MarkedCall:
    head, events = _read(journal)
    return MarkedCall(head, tuple(events), tuple(runs_of(events)), tuple(read_marks(marks_path(journal))))


def _read(journal: Path) -> tuple[Head, list[Event]]:
    try:
        with journal.open(encoding="utf-8") as lines:
            head, events = read(lines)
            return head, list(events)
    except JournalError as error:
        raise MarkError(f"{journal.name}: {error}") from None
