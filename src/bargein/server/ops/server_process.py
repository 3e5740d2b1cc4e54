"""A temporary server in a process of its own, for the commands and the tests that need one."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import AsyncGenerator, Collection, Generator, Mapping
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event

import anyio
import anyio.to_thread

from bargein.ports import BargeinError

_START_S = 120.0
"""A busy machine needs a minute for the imports that take two seconds on an idle one."""

_STOP_S = 10.0
_POLL_S = 0.02
_SHOWN_LINES = 20
_ADDRESS = re.compile(r"Talk to it:\s+(http://\S+?)/?\s")


class NoServerError(BargeinError):
    """The server did not start; the text has the end of its output."""


@asynccontextmanager
async def start_server() -> AsyncGenerator[str]:
    """Run a server as `run_server` does, without settings of its own, and yield its URL.

    Raises:
        NoServerError: it ended, or printed no address within `_START_S`.
    """
    given_up = Event()
    running = run_server({}, given_up=given_up)
    try:
        url = await anyio.to_thread.run_sync(running.__enter__, abandon_on_cancel=True)
    except anyio.get_cancelled_exc_class():
        given_up.set()
        raise
    try:
        yield url
    finally:
        with anyio.CancelScope(shield=True):
            await anyio.to_thread.run_sync(partial(running.__exit__, None, None, None))


@contextmanager
def run_server(
    settings: Mapping[str, str], *, without: Collection[str] = (), given_up: Event | None = None
) -> Generator[str]:
    """Run `bargein serve` on a free loopback port with a temporary data folder, and yield its URL. Blocks.

    It has no keys, so that it answers only to this machine, and none of this process's `BARGEIN_…` variables.

    Args:
        settings: environment variables of its settings.
        without: other variables of this process that it must not have.
        given_up: is set by another thread to end the wait for its start.

    Raises:
        NoServerError: it ended, or printed no address within `_START_S`.
    """
    with TemporaryDirectory(prefix="bargein-") as name:
        folder = Path(name)
        kept = {
            name: value for name, value in os.environ.items() if not name.startswith("BARGEIN_") and name not in without
        }
        defaults = {"BARGEIN_DATA_DIR": str(folder / "data"), "BARGEIN_LOG_LEVEL": "warning"}
        output = folder / "output"
        with output.open("wb") as log:
            process = subprocess.Popen(  # this interpreter, our own arguments
                [sys.executable, "-m", "bargein", "serve", "--host", "127.0.0.1", "--port", "0"],
                cwd=folder,  # where no `.env` and no `bargein.toml` is found
                env={**kept, **defaults, **settings},
                stdout=log,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
            )
        try:
            yield _address_of(process, output, given_up or Event())
        finally:
            _stop(process)


def _address_of(process: "subprocess.Popen[bytes]", output: Path, given_up: Event) -> str:
    for _ in range(int(_START_S / _POLL_S)):
        ended = process.poll() is not None
        text = output.read_text(encoding="utf-8", errors="replace")
        if found := _ADDRESS.search(text):
            return found.group(1)
        if ended:
            raise NoServerError("the server ended before it listened; `bargein doctor` may find the cause" + _end(text))
        if given_up.wait(_POLL_S):
            break
    raise NoServerError(f"the server printed no address within {_START_S:g} s")


def _end(text: str) -> str:
    lines = [line for line in text.splitlines() if line.strip()][-_SHOWN_LINES:]
    return "".join(f"\n  {line}" for line in lines)


def _stop(process: "subprocess.Popen[bytes]") -> None:
    process.send_signal(signal.SIGTERM)
    try:
        process.communicate(timeout=_STOP_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
