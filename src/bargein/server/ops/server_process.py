"""A temporary server in a process of its own, for the commands that need one."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from tempfile import TemporaryDirectory
from typing import IO

import anyio
import anyio.to_thread

from bargein.ports import BargeinError

_START_S = 30.0
_STOP_S = 10.0
_ADDRESS = re.compile(r"Talk to it:\s+(http://\S+?)/?\s")


class NoServerError(BargeinError):
    """The server did not start."""


@asynccontextmanager
async def start_server() -> AsyncGenerator[str]:
    """Run `bargein serve` on a free loopback port with a temporary data folder, and yield its URL.

    It has no keys, so that it answers only to this machine.

    Raises:
        NoServerError: it ended, or printed no address within `_START_S`.
    """
    with TemporaryDirectory(prefix="bargein-") as folder:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("BARGEIN_")}
        process = subprocess.Popen(  # noqa: ASYNC220  # this interpreter, our own arguments; starting takes a moment
            [sys.executable, "-m", "bargein", "serve", "--host", "127.0.0.1", "--port", "0"],
            cwd=folder,  # where no `.env` and no `bargein.toml` is found
            env={**kept, "BARGEIN_DATA_DIR": folder, "BARGEIN_LOG_LEVEL": "warning"},
            stdout=subprocess.PIPE,
            stdin=subprocess.DEVNULL,
            text=True,
        )
        try:
            yield await _address_of(process)
        finally:
            with anyio.CancelScope(shield=True):
                await anyio.to_thread.run_sync(_stop, process)


async def _address_of(process: "subprocess.Popen[str]") -> str:
    if process.stdout is None:
        raise NoServerError("the server has no output")
    try:
        with anyio.fail_after(_START_S):
            return await anyio.to_thread.run_sync(_read_address, process.stdout, abandon_on_cancel=True)
    except TimeoutError:
        raise NoServerError(f"the server printed no address within {_START_S:g} s") from None


def _read_address(output: IO[str]) -> str:
    for line in output:
        if found := _ADDRESS.search(line):
            return found.group(1)
    raise NoServerError("the server ended before it listened; `bargein doctor` may find the cause")


def _stop(process: "subprocess.Popen[str]") -> None:
    process.send_signal(signal.SIGTERM)
    try:
        process.communicate(timeout=_STOP_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
