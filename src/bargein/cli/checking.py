"""`bargein doctor`, `check` and `import`: the installation, and assistants from files."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bargein.cli.console import app, fail, read_settings
from bargein.settings import DEFAULT_PORT

if TYPE_CHECKING:
    from bargein.server.ops.finding import Finding


@app.command()
def doctor(
    vendor: Annotated[
        str | None, typer.Option(help="Try this vendor or provider with your key: it is called for real.")
    ] = None,
    part: Annotated[str | None, typer.Option(help="Try transcriber, model or voice alone.")] = None,
    assistant: Annotated[
        Path | None, typer.Option(help="A file with an assistant's JSON, whose parts of that provider are tried.")
    ] = None,
    fields: Annotated[
        list[str] | None, typer.Option("--set", help="A field to try, like voice.voiceId=NAME; may be repeated.")
    ] = None,
    record: Annotated[
        Path | None, typer.Option(help="Keep the exchange in this folder, without the keys, as JSON lines.")
    ] = None,
) -> None:
    """Check what is installed, which models load and which keys are set, and print how to fix problems.

    With --vendor, send one sentence through a vendor instead, and print its latencies and its word times.
    For example: bargein doctor --vendor openai --set model.model=gpt-4o-mini --part model
    """
    if vendor is not None:
        _print_findings(_try_vendor(vendor, part, assistant, fields or [], record))
        return
    if part is not None or assistant is not None or fields or record is not None:
        raise fail("--part, --assistant, --set and --record belong to --vendor")
    from bargein.server.doctor import examine  # noqa: PLC0415

    _print_findings(examine(read_settings()))


def _print_findings(findings: Sequence["Finding"]) -> None:
    marks = {
        True: typer.style("ok", fg=typer.colors.GREEN),
        False: typer.style("no", fg=typer.colors.RED),
        None: typer.style("--", fg=typer.colors.BRIGHT_BLACK),
    }
    for finding in findings:
        typer.echo(f"  {marks[finding.ok]}  {finding.name:<24} {finding.detail}")
        if finding.ok is False and finding.fix:
            typer.echo(f"      {'':<24} fix: {finding.fix}")
    if any(finding.ok is False for finding in findings):
        typer.echo("\n  `bargein docs troubleshooting` explains these findings.")
        raise typer.Exit(1)


def _try_vendor(
    vendor: str, part: str | None, assistant: Path | None, fields: list[str], record: Path | None
) -> Sequence["Finding"]:
    settings = read_settings()
    import anyio  # noqa: PLC0415  # only this command needs them

    from bargein.ports import StoreError  # noqa: PLC0415
    from bargein.server.commands.trial import TrialError, TrialOptions, try_vendor  # noqa: PLC0415
    from bargein.store.vault import VaultError  # noqa: PLC0415
    from bargein.wire.json import as_object  # noqa: PLC0415

    match part:
        case None | "transcriber" | "model" | "voice":
            pass
        case _:
            raise fail("--part is transcriber, model or voice")
    try:
        data = {} if assistant is None else as_object(json.loads(assistant.read_text(encoding="utf-8")))
        options = TrialOptions(
            vendor=vendor, part=part, assistant=data, fields=dict(map(_field, fields)), record=record
        )
        return anyio.run(try_vendor, options, settings, settings.storage.data_dir)
    except (TrialError, StoreError, VaultError) as error:
        raise fail(str(error)) from None
    except json.JSONDecodeError:
        raise fail(f"{assistant} is not JSON") from None
    except OSError as error:
        raise fail(f"cannot read or write {error.filename}: {error.strerror}") from None


def _field(text: str) -> tuple[str, object]:
    """Parse a `--set PATH=VALUE`; a value that is no JSON is a text."""
    path, separator, value = text.partition("=")
    if not separator:
        raise fail(f"--set {text}: it has to be like voice.voiceId=NAME")
    try:
        return path, json.loads(value)
    except json.JSONDecodeError:
        return path, value


@app.command()
def check(
    paths: Annotated[list[Path], typer.Argument(help="Files with assistants or squads as JSON, or folders of them.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """List what is wrong with assistants and squads, and what will not work in a call with them on this server.

    A file may hold an assistant, a squad, a call, or an export with several. Keys count from the settings, from the
    assistant's credentials, and from those that are stored in the data folder. Nothing is sent anywhere.
    """
    settings = read_settings()
    import anyio  # noqa: PLC0415  # only this command needs them

    from bargein.ports import StoreError  # noqa: PLC0415
    from bargein.server.commands.check import check_files  # noqa: PLC0415
    from bargein.store.vault import VaultError  # noqa: PLC0415

    try:
        files = anyio.run(check_files, paths, settings, settings.storage.data_dir)
    except (StoreError, VaultError) as error:
        raise fail(f"the stored credentials cannot be read: {error}") from None
    problems = sum(len(file.problems) for file in files)
    if as_json:
        typer.echo(json.dumps({"files": [file.to_json() for file in files], "problems": problems}, indent=2))
        raise typer.Exit(1 if problems else 0)
    for file in files:
        if file.problems:
            typer.secho(str(file.path), bold=True)
            for problem in file.problems:
                typer.echo(f"  {problem}")
        else:
            typer.echo(f"{file.path}: {'no assistant, left out' if file.assistants is None else 'ok'}")
    checked = sum(file.assistants or 0 for file in files)
    typer.echo(f"{checked} assistant(s) in {len(files)} file(s), {problems} problem(s)")
    raise typer.Exit(1 if problems else 0)


@app.command("import")
def import_folder(
    folder: Annotated[Path, typer.Argument(help="A folder of JSON files: assistants, squads, tools, phone numbers.")],
    url: Annotated[str, typer.Option(help="The URL of a running server.")] = f"http://127.0.0.1:{DEFAULT_PORT}",
    key: Annotated[str | None, typer.Option(envvar="BARGEIN_API_KEY", help="The server's private key.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check the files, and send nothing.")] = False,
) -> None:
    """Store an export of assistants, squads, tools and phone numbers on a running server.

    Each record gets a new id, and what refers to it is changed. A file may hold one record, a list, or lists by kind.
    """
    import anyio  # noqa: PLC0415  # only this command needs them

    from bargein.client import ClientError, Server  # noqa: PLC0415
    from bargein.client.importing import import_folder as run  # noqa: PLC0415

    try:
        report = anyio.run(run, folder, None if dry_run else Server(url=url, key=key), typer.echo)
    except ClientError as error:
        raise fail(str(error)) from None
    raise typer.Exit(report.exit_code)
