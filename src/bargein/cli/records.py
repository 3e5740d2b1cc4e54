"""`bargein replay`, `mark` and `tune`: recorded calls."""

import json
from pathlib import Path
from typing import Annotated

import typer

from bargein.cli.console import app, fail, read_settings


def _journal(name: str) -> Path:
    """Return a journal's file by its path or by the call's id."""
    from bargein.store.journals import journal_path  # noqa: PLC0415  # only these commands need it

    path = Path(name)
    if path.exists():
        return path
    try:
        return journal_path(read_settings().storage.data_dir, name)
    except ValueError:
        raise fail(f"there is no file {name}") from None


@app.command()
def replay(
    journal: Annotated[str, typer.Argument(help="The file of a journal, or the id of a call on this server.")],
    plan: Annotated[str | None, typer.Option(help="JSON of another stopSpeakingPlan to replay the call with.")] = None,
) -> None:
    """Replay a call from its journal and print every decision with its reason."""
    from bargein.call.record.explain import ExplainError, explain  # noqa: PLC0415

    path = _journal(journal)
    try:
        plan_json = None if plan is None else json.loads(plan)
        with path.open(encoding="utf-8") as lines:
            for line in explain(lines, plan_json):
                typer.echo(line)
    except OSError as error:
        raise fail(f"cannot read {path}: {error.strerror}") from None
    except (ExplainError, json.JSONDecodeError) as error:
        raise fail(str(error)) from None


@app.command()
def mark(
    journal: Annotated[str, typer.Argument(help="The file of a journal, or the id of a call on this server.")],
    at: Annotated[float | None, typer.Argument(help="Approximate onset of the voice, in seconds of the call.")] = (
        None
    ),
    kind: Annotated[
        str | None, typer.Argument(help="interruption, listening, noise or echo; none removes the mark.")
    ] = None,
) -> None:
    """Mark a voice in a recorded call for `bargein tune`; without a time, list all voices."""
    from bargein.call.tuning.marks import MarkError  # noqa: PLC0415
    from bargein.call.tuning.report import list_voices, set_mark  # noqa: PLC0415

    path = _journal(journal)
    try:
        if at is None:
            for line in list_voices(path):
                typer.echo(line)
        elif kind is None:
            raise fail("the kind is missing: interruption, listening, noise, echo, or none")
        else:
            typer.echo(set_mark(path, round(at * 1000), kind))
    except OSError as error:
        raise fail(f"cannot read or write {path}: {error.strerror}") from None
    except MarkError as error:
        raise fail(str(error)) from None


@app.command()
def tune(
    journals: Annotated[list[str], typer.Argument(help="Journals with marks: their files, or the ids of their calls.")],
    plan: Annotated[
        list[str] | None,
        typer.Option(help="JSON of a stopSpeakingPlan to try; may be repeated. Default: common ones."),
    ] = None,
) -> None:
    """Replay marked calls with several plans, and print each plan's interruptions and false interruptions."""
    from bargein.call.tuning.marks import MarkError  # noqa: PLC0415
    from bargein.call.tuning.report import report  # noqa: PLC0415

    paths = [_journal(name) for name in journals]
    try:
        plans = None if not plan else [json.loads(one) for one in plan]
        for line in report(paths, plans):
            typer.echo(line)
    except OSError as error:
        raise fail(f"cannot read {error.filename}: {error.strerror}") from None
    except (MarkError, json.JSONDecodeError) as error:
        raise fail(str(error)) from None
