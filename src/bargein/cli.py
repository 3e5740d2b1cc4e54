"""The command line: `bargein serve`, `talk`, `call`, `replay`, `mark`, `tune`, `doctor`, `check`, `docs`."""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bargein import __version__
from bargein.settings import DEFAULT_PORT, Settings, SettingsError

if TYPE_CHECKING:
    from bargein.server.ops.finding import Finding

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    help="A voice-agent server with Vapi's API that callers can interrupt.",
)


def main() -> None:
    """Run the command line."""
    app()


def _fail(message: str) -> typer.Exit:
    typer.secho(f"bargein: {message}", fg=typer.colors.RED, err=True)
    return typer.Exit(2)


def _settings(host: str | None = None, port: int | None = None) -> Settings:
    from bargein.configuration import load_settings  # noqa: PLC0415  # loads all vendors, which few commands need

    try:
        return load_settings(folder=Path.cwd(), host=host, port=port)
    except SettingsError as error:
        raise _fail(str(error)) from None


@app.command()
def version() -> None:
    """Print the version."""
    typer.echo(__version__)


@app.command()
def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on; 0 selects a free one.")] = None,
) -> None:
    """Start the server."""
    settings = _settings(host, port)
    from bargein.clock import LoopClock  # noqa: PLC0415  # only this command needs the server, whose import takes a second
    from bargein.providers.registry import open_embedded  # noqa: PLC0415
    from bargein.server.app import create_app  # noqa: PLC0415
    from bargein.server.ops import logs  # noqa: PLC0415
    from bargein.server.serving import serve as run  # noqa: PLC0415

    clock = LoopClock()
    logs.configure(level=settings.log.level, clock=clock, secrets=settings.secrets())
    server = create_app(settings, clock=clock, embedded=open_embedded(clock, settings.calls.turn_model))
    if problem := run(server, settings, lambda bound: _welcome(settings, bound)):
        raise _fail(problem)


def _welcome(settings: Settings, port: int) -> None:
    host = f"[{settings.server.host}]" if ":" in settings.server.host else settings.server.host
    url = settings.server.public_url or f"http://{host}:{port}"
    typer.secho(f"\n  bargein {__version__}\n", bold=True)
    typer.echo(f"  Talk to it:  {url}/")
    if settings.open_to_loopback_only:
        typer.echo("  No key is set, so only this machine is answered (set BARGEIN_API_KEY to change that).")
    key = "" if settings.keys.api_key is None else ' -H "Authorization: Bearer $BARGEIN_API_KEY"'
    typer.echo("\n  Or make a call from code; connect a WebSocket to transport.websocketCallUrl of the answer:\n")
    body = '{"assistant":{"firstMessage":"Hello!"},"transport":{"provider":"vapi.websocket"}}'
    typer.echo(f"  curl -s {url}/call{key} -H 'Content-Type: application/json' -d '{body}'\n")
    sys.stdout.flush()


@app.command(
    # typer has no repeatable options with two values, so `_read_then` parses `--then SECONDS FILE`.
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
    epilog="--then SECONDS FILE: a recording to play SECONDS after the assistant begins to answer; may be repeated.",
)
def talk(
    context: typer.Context,
    wav: Annotated[Path, typer.Option(help="The recording that the caller plays first (wav or flac).")],
    url: Annotated[
        str | None,
        typer.Option(
            help=f"The server's URL. Default: http://127.0.0.1:{DEFAULT_PORT}; if none is given and nothing answers"
            " there, a server is started."
        ),
    ] = None,
    key: Annotated[str | None, typer.Option(envvar="BARGEIN_API_KEY", help="The server's private key.")] = None,
    assistant: Annotated[Path | None, typer.Option(help="A file with the assistant's JSON.")] = None,
    to: Annotated[
        str | None, typer.Option(help="Call this stored phone number (or its id) instead of an assistant.")
    ] = None,
    caller: Annotated[str | None, typer.Option(help="The number that a call with --to comes from.")] = None,
    out: Annotated[Path | None, typer.Option(help="Write a stereo recording here: left caller, right assistant.")] = (
        None
    ),
    seconds: Annotated[float, typer.Option(help="Maximum length of the call.")] = 90.0,
    flush: Annotated[
        bool,
        typer.Option(help="Drop queued audio on user-interrupted, as bargein's page does and Vapi's clients do not."),
    ] = True,
) -> None:
    """Call a server without a microphone: play recordings into a call and measure how soon the assistant stops.

    For example: bargein talk --wav question.wav --then 2.5 interrupt.wav

    The embedded transcriber hears English, and with the extra `languages` the language that `transcriber.language` of
    the assistant names. The embedded voice speaks English.
    """
    import anyio  # noqa: PLC0415  # only this command needs them

    from bargein.client import ClientError  # noqa: PLC0415
    from bargein.client.talk import TalkOptions  # noqa: PLC0415
    from bargein.client.talk import talk as run  # noqa: PLC0415
    from bargein.server.ops.server_process import NoServerError, start_server  # noqa: PLC0415

    if to is not None and assistant is not None:
        raise _fail("--to and --assistant exclude each other: the number has its own assistant")
    options = TalkOptions(
        wav=wav,
        then=_read_then(context.args),
        url=url or f"http://127.0.0.1:{DEFAULT_PORT}",
        key=key,
        assistant=assistant,
        to=to,
        caller=caller,
        out=out,
        seconds=seconds,
        flush=flush,
        colour=sys.stdout.isatty(),
        start_server=start_server if url is None else None,
    )
    try:
        result = anyio.run(run, options, typer.echo)
    except (ClientError, NoServerError) as error:
        raise _fail(str(error)) from None
    raise typer.Exit(result.exit_code)


def _read_then(arguments: list[str]) -> list[tuple[float, Path]]:
    """Parse every `--then SECONDS FILE`."""
    clips: list[tuple[float, Path]] = []
    rest = list(arguments)
    while rest:
        if rest[0] != "--then":
            raise _fail(f"talk has no option {rest[0]}")
        try:
            after_s, file = float(rest[1]), rest[2]
        except (IndexError, ValueError):
            raise _fail("--then takes two values: SECONDS FILE") from None
        if not 0 <= after_s < 3600:
            raise _fail("--then: SECONDS must be between 0 and 3600")
        clips.append((after_s, Path(file)))
        del rest[:3]
    return clips


def _journal(name: str) -> Path:
    """Return a journal's file by its path or by the call's id."""
    from bargein.store.journals import journal_path  # noqa: PLC0415  # only these commands need it

    path = Path(name)
    if path.exists():
        return path
    try:
        return journal_path(_settings().storage.data_dir, name)
    except ValueError:
        raise _fail(f"there is no file {name}") from None


@app.command()
def call(
    to: Annotated[str, typer.Argument(help="The number to call in E.164 (+15551234567), or a SIP address.")],
    from_number: Annotated[
        str, typer.Option("--from", help="The stored phone number (or its id) that the call is made from.")
    ],
    assistant: Annotated[
        str | None, typer.Option(help="A file with an assistant's JSON, or the id of a stored assistant.")
    ] = None,
    extension: Annotated[str | None, typer.Option(help="Keys to press when the call has been answered.")] = None,
    url: Annotated[str, typer.Option(help="The URL of a running server.")] = f"http://127.0.0.1:{DEFAULT_PORT}",
    key: Annotated[str | None, typer.Option(envvar="BARGEIN_API_KEY", help="The server's private key.")] = None,
) -> None:
    """Have a running server call a telephone, and print the call's events; Ctrl-C hangs up.

    For example: bargein call +15551234567 --from +15557654321 --assistant assistant.json
    """
    import anyio  # noqa: PLC0415  # only this command needs them

    from bargein.client import ClientError  # noqa: PLC0415
    from bargein.client.calling import CallOptions  # noqa: PLC0415
    from bargein.client.calling import call as run  # noqa: PLC0415

    options = CallOptions(
        to=to,
        from_number=from_number,
        assistant=assistant,
        extension=extension,
        url=url,
        key=key,
        colour=sys.stdout.isatty(),
    )
    try:
        result = anyio.run(run, options, typer.echo)
    except ClientError as error:
        raise _fail(str(error)) from None
    except KeyboardInterrupt:
        raise typer.Exit(130) from None
    raise typer.Exit(result.exit_code)


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
        raise _fail(f"cannot read {path}: {error.strerror}") from None
    except (ExplainError, json.JSONDecodeError) as error:
        raise _fail(str(error)) from None


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
            raise _fail("the kind is missing: interruption, listening, noise, echo, or none")
        else:
            typer.echo(set_mark(path, round(at * 1000), kind))
    except OSError as error:
        raise _fail(f"cannot read or write {path}: {error.strerror}") from None
    except MarkError as error:
        raise _fail(str(error)) from None


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
        raise _fail(f"cannot read {error.filename}: {error.strerror}") from None
    except (MarkError, json.JSONDecodeError) as error:
        raise _fail(str(error)) from None


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
        raise _fail("--part, --assistant, --set and --record belong to --vendor")
    from bargein.server.doctor import examine  # noqa: PLC0415

    _print_findings(examine(_settings()))


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
    settings = _settings()
    import anyio  # noqa: PLC0415  # only this command needs them

    from bargein.ports import StoreError  # noqa: PLC0415
    from bargein.server.commands.trial import TrialError, TrialOptions, try_vendor  # noqa: PLC0415
    from bargein.store.vault import VaultError  # noqa: PLC0415
    from bargein.wire.json import as_object  # noqa: PLC0415

    match part:
        case None | "transcriber" | "model" | "voice":
            pass
        case _:
            raise _fail("--part is transcriber, model or voice")
    try:
        data = {} if assistant is None else as_object(json.loads(assistant.read_text(encoding="utf-8")))
        options = TrialOptions(
            vendor=vendor, part=part, assistant=data, fields=dict(map(_field, fields)), record=record
        )
        return anyio.run(try_vendor, options, settings, settings.storage.data_dir)
    except (TrialError, StoreError, VaultError) as error:
        raise _fail(str(error)) from None
    except json.JSONDecodeError:
        raise _fail(f"{assistant} is not JSON") from None
    except OSError as error:
        raise _fail(f"cannot read or write {error.filename}: {error.strerror}") from None


def _field(text: str) -> tuple[str, object]:
    """Parse a `--set PATH=VALUE`; a value that is no JSON is a text."""
    path, separator, value = text.partition("=")
    if not separator:
        raise _fail(f"--set {text}: it has to be like voice.voiceId=NAME")
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
    settings = _settings()
    import anyio  # noqa: PLC0415  # only this command needs them

    from bargein.ports import StoreError  # noqa: PLC0415
    from bargein.server.commands.check import check_files  # noqa: PLC0415
    from bargein.store.vault import VaultError  # noqa: PLC0415

    try:
        files = anyio.run(check_files, paths, settings, settings.storage.data_dir)
    except (StoreError, VaultError) as error:
        raise _fail(f"the stored credentials cannot be read: {error}") from None
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
        raise _fail(str(error)) from None
    raise typer.Exit(report.exit_code)


@app.command()
def docs(
    page: Annotated[str | None, typer.Argument(help="The page to print. Default: list all pages.")] = None,
) -> None:
    """List the pages of the documentation, or print one.

    For example: bargein docs telephony
    """
    from bargein.documentation import DocumentationError, find_page, list_pages  # noqa: PLC0415

    try:
        if page is not None:
            typer.echo(find_page(page).path.read_text(encoding="utf-8").rstrip())
            return
        for one in list_pages():
            typer.echo(f"  {one.name:<28} {one.title}")
    except DocumentationError as error:
        raise _fail(str(error)) from None


sip = typer.Typer(no_args_is_help=True, help="Telephone calls over SIP.")
app.add_typer(sip, name="sip")


@sip.command()
def config(
    address: Annotated[str, typer.Option(help="The IP address of this machine that receives calls.")],
    port: Annotated[int, typer.Option(help="The port for UDP and TCP.")] = 5060,
    inner: Annotated[
        str | None, typer.Option(help="Address and port for the agent only, if it cannot reach --address.")
    ] = None,
    tls_port: Annotated[int, typer.Option(help="The port for TLS; with --certificate and --key.")] = 5061,
    certificate: Annotated[Path | None, typer.Option(help="A PEM file with the certificate and its chain.")] = None,
    tls_key: Annotated[Path | None, typer.Option("--key", help="A PEM file with the certificate's key.")] = None,
    out: Annotated[Path, typer.Option(help="The folder to write to.")] = Path("kamailio"),
) -> None:
    """Write a configuration for Kamailio from the stored phone numbers; run it again when they change."""
    settings = _settings()
    import anyio  # noqa: PLC0415  # only this command needs them

    from bargein.carriers.sip import SipSettings  # noqa: PLC0415
    from bargein.carriers.sip.kamailio import ConfigError, Edge  # noqa: PLC0415
    from bargein.carriers.sip.secret import proxy_secret  # noqa: PLC0415
    from bargein.clock import LoopClock  # noqa: PLC0415
    from bargein.ports import StoreError  # noqa: PLC0415
    from bargein.server.telephony.sip import stored_lines, write_configuration  # noqa: PLC0415
    from bargein.store.vault import VaultError  # noqa: PLC0415

    agent = settings.section(SipSettings)
    if not agent.enabled:
        raise _fail("BARGEIN_SIP_LISTEN is not set: there is no SIP agent that Kamailio could route calls to")
    edge = Edge(
        address=address,
        port=port,
        public_address=agent.public_address,
        agent=agent.listen,
        inner=inner,
        tls_port=tls_port,
        certificate=None if certificate is None else str(certificate.absolute()),
        key=None if tls_key is None else str(tls_key.absolute()),
        folder=str(out.absolute()),
    )
    try:
        lines = anyio.run(stored_lines, settings, LoopClock())
        files, warnings = write_configuration(out, edge, lines, proxy_secret(agent, settings.storage.data_dir))
    except (ConfigError, StoreError, VaultError, ValueError, OSError) as error:
        raise _fail(str(error)) from None
    for warning in warnings:
        typer.secho(f"bargein: {warning}", fg=typer.colors.YELLOW, err=True)
    for file in files:
        typer.echo(str(file))
