"""`bargein talk` and `call`: calls in real time."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from bargein.cli.console import app, fail
from bargein.settings import DEFAULT_PORT


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
        raise fail("--to and --assistant exclude each other: the number has its own assistant")
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
        raise fail(str(error)) from None
    raise typer.Exit(result.exit_code)


def _read_then(arguments: list[str]) -> list[tuple[float, Path]]:
    """Parse every `--then SECONDS FILE`."""
    clips: list[tuple[float, Path]] = []
    rest = list(arguments)
    while rest:
        if rest[0] != "--then":
            raise fail(f"talk has no option {rest[0]}")
        try:
            after_s, file = float(rest[1]), rest[2]
        except (IndexError, ValueError):
            raise fail("--then takes two values: SECONDS FILE") from None
        if not 0 <= after_s < 3600:
            raise fail("--then: SECONDS must be between 0 and 3600")
        clips.append((after_s, Path(file)))
        del rest[:3]
    return clips


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
        raise fail(str(error)) from None
    except KeyboardInterrupt:
        raise typer.Exit(130) from None
    raise typer.Exit(result.exit_code)
