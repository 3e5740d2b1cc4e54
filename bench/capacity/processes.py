"""The processes of a benchmark: a server on a core of its own, and the scripted providers on the other cores."""

import json
import os
import socket
import subprocess
import sys
from collections.abc import AsyncGenerator, Generator, Mapping, Sequence
from contextlib import ExitStack, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import anyio
import httpx
import psutil
from anyio.abc import Process
from anyio.streams.buffered import BufferedByteReceiveStream

from bargein.client.server_api import Server

_STOP_S = 8.0


@dataclass(frozen=True, slots=True)
class Cores:
    """The cores of the processes.

    Attributes:
        server: the core of the server; None where this system cannot pin processes.
        others: the cores of the load and of the providers.
    """

    server: int | None
    others: tuple[int, ...]

    @classmethod
    def split(cls) -> "Cores":
        """Give the last core that this process may use to the server, the others to the rest."""
        if not hasattr(os, "sched_getaffinity"):
            return cls(None, ())
        allowed = sorted(os.sched_getaffinity(0))
        return cls(allowed[-1], tuple(allowed[:-1])) if len(allowed) > 1 else cls(None, tuple(allowed))


@contextmanager
def only_on(cores: Sequence[int]) -> Generator[None]:
    """Keep this process off the core of the measured server, where this system can pin processes."""
    if not cores or not hasattr(os, "sched_setaffinity"):
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


@dataclass(frozen=True, slots=True)
class Usage:
    """Resources of the server: CPU seconds since its start, and its memory at present."""

    cpu_s: float
    rss_bytes: int


class ServerProcess:
    """A running bargein server."""

    def __init__(self, process: Process, url: str, log: Path) -> None:
        self.server = Server(url=url)
        self.log = log
        self.pid = process.pid
        self._process = psutil.Process(process.pid)

    def keep_children_on(self, cores: Sequence[int]) -> None:
        """Move the server's child processes to these cores (none: leave them), where this system can pin them."""
        for child in self._process.children(recursive=True) if cores else ():
            for thread in child.threads():
                with suppress(ProcessLookupError):  # the process has ended
                    os.sched_setaffinity(thread.id, cores)

    def usage(self) -> Usage:
        """Measure the resources that the server has used."""
        times = self._process.cpu_times()
        return Usage(times.user + times.system, self._process.memory_info().rss)


@asynccontextmanager
async def providers(cores: Cores) -> AsyncGenerator[Mapping[str, str]]:
    """Run `bench.capacity.peers`; yield the URLs of `llm`, `voice` and `transcriber`."""
    async with peers(cores, "bench.capacity.peers") as urls:
        yield urls


@asynccontextmanager
async def peers(cores: Cores, module: str, *arguments: str) -> AsyncGenerator[Mapping[str, str]]:
    """Run a module that prints the URLs of its servers as one line of JSON and ends with its standard input."""
    async with printing([sys.executable, "-m", module, *arguments], cores.others) as (urls, _):
        yield urls


@asynccontextmanager
async def printing(
    command: Sequence[str], cores: Sequence[int], log: Path | None = None, within_s: float = 30.0
) -> AsyncGenerator[tuple[Mapping[str, str], int]]:
    """Run a command that prints the URLs of its servers as one line of JSON and ends with its standard input.

    Args:
        command: the command.
        cores: cores to run on; empty: all.
        log: file for its standard error; None: that of this process.
        within_s: time limit for its start.

    Yields:
        The URLs, and the id of the process.

    Raises:
        RuntimeError: it did not start; the text is the end of its log.
    """
    with ExitStack() as stack:
        errors = None if log is None else stack.enter_context(log.open("wb"))
        async with _running(command, cores, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors) as process:
            yield await _read_urls(process, log, within_s), process.pid


async def _read_urls(process: Process, log: Path | None, within_s: float) -> Mapping[str, str]:
    try:
        if process.stdout is None:
            raise RuntimeError("the standard output of a process that prints its URLs is not a pipe")
        with anyio.fail_after(within_s):
            line = await BufferedByteReceiveStream(process.stdout).receive_until(b"\n", 65_536)
        urls: Mapping[str, str] = json.loads(line)
    except (anyio.EndOfStream, anyio.IncompleteRead, TimeoutError) as error:
        tail = "" if log is None else _tail(log)
        raise RuntimeError(f"a server did not start:\n{tail}") from error
    return urls


@asynccontextmanager
async def server(
    cores: Cores, folder: Path, within_s: float = 60.0, environment: Mapping[str, str] | None = None
) -> AsyncGenerator[ServerProcess]:
    """Run `bargein serve` with its data in `folder`, on the core for it, with additional environment variables.

    Raises:
        RuntimeError: it did not start; the text is the end of its log.
    """
    port, log = _free_port(), folder / "server.log"
    command = [str(Path(sys.executable).with_name("bargein")), "serve", "--host", "127.0.0.1", "--port", str(port)]
    secretive = ("BARGEIN_", "OPENAI_")
    env = {name: value for name, value in os.environ.items() if not name.startswith(secretive)}
    env |= {"BARGEIN_DATA_DIR": str(folder), "BARGEIN_LOG_LEVEL": "warning", **(environment or {})}
    pinned = () if cores.server is None else (cores.server,)
    with log.open("wb") as out:
        async with _running(command, pinned, stdout=out, stderr=out, env=env) as process:
            running = ServerProcess(process, f"http://127.0.0.1:{port}", log)
            await _until_ready(process, running, within_s)
            yield running


async def _until_ready(process: Process, running: ServerProcess, within_s: float) -> None:
    with anyio.move_on_after(within_s):
        while process.returncode is None:
            if await _ready(running.server):
                return
            await anyio.sleep(0.1)
    raise RuntimeError(f"the server did not start (exit status {process.returncode}):\n{_tail(running.log)}")


def _tail(log: Path) -> str:
    return log.read_text(errors="replace")[-2000:]


async def _ready(at: Server) -> bool:
    async with httpx.AsyncClient(base_url=at.url, timeout=2, trust_env=False) as http:
        try:
            return (await http.get("/ready")).is_success
        except httpx.TransportError:
            return False


@asynccontextmanager
async def _running(
    command: Sequence[str],
    cores: Sequence[int],
    *,
    stdin: int = subprocess.DEVNULL,
    stdout: int | IO[bytes] = subprocess.DEVNULL,
    stderr: IO[bytes] | None = None,
    env: Mapping[str, str] | None = None,
) -> AsyncGenerator[Process]:
    """Start a process on `cores` (empty: all); end it by its id at the end of the block."""
    mine = os.sched_getaffinity(0) if cores else None
    if cores:
        os.sched_setaffinity(0, cores)  # set before the start: all threads of the child inherit it
    try:
        process = await anyio.open_process(command, stdin=stdin, stdout=stdout, stderr=stderr, env=env)
    finally:
        if mine is not None:
            os.sched_setaffinity(0, mine)
    try:
        yield process
    finally:
        with anyio.CancelScope(shield=True):
            await _stop(process)


async def _stop(process: Process) -> None:
    if process.returncode is not None:
        return
    process.terminate()
    with anyio.move_on_after(_STOP_S):
        await process.wait()
    if process.returncode is None:
        process.kill()
        await process.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
