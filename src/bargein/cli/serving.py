"""`bargein serve`, `version` and `docs`."""

import sys
from typing import Annotated

import typer

from bargein import __version__
from bargein.cli.console import app, fail, read_settings
from bargein.settings import Settings


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
    settings = read_settings(host, port)
    from bargein.clock import LoopClock  # noqa: PLC0415  # only this command needs the server, whose import takes a second
    from bargein.providers.registry import open_embedded  # noqa: PLC0415
    from bargein.server.app import create_app  # noqa: PLC0415
    from bargein.server.ops import logs  # noqa: PLC0415
    from bargein.server.serving import serve as run  # noqa: PLC0415

    clock = LoopClock()
    logs.configure(level=settings.log.level, clock=clock, secrets=settings.secrets())
    server = create_app(settings, clock=clock, embedded=open_embedded(clock, settings.calls.turn_model))
    if problem := run(server, settings, lambda bound: _welcome(settings, bound)):
        raise fail(problem)


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
        raise fail(str(error)) from None
