"""The application of the command line, and what several commands do."""

from pathlib import Path

import typer

from bargein.settings import Settings, SettingsError

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    help="A voice-agent server with Vapi's API that callers can interrupt.",
)


def fail(message: str) -> typer.Exit:
    """Print an error; return the exception that ends the command with status 2."""
    typer.secho(f"bargein: {message}", fg=typer.colors.RED, err=True)
    return typer.Exit(2)


def read_settings(host: str | None = None, port: int | None = None) -> Settings:
    """Read the settings from the environment and the working folder; a wrong one ends the command."""
    from bargein.configuration import load_settings  # noqa: PLC0415  # loads all vendors, which few commands need

    try:
        return load_settings(folder=Path.cwd(), host=host, port=port)
    except SettingsError as error:
        raise fail(str(error)) from None
