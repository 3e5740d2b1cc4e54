"""Server processes that can be killed, stopped and started again on the same data folder."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import anyio
import anyio.to_thread
import httpx
import psutil

from bargein.errors import BargeinError
from bench.torture.waiting import wait_for

_STOP_S = 15.0
_TRACEBACK = re.compile(r"Traceback \(most recent call last\)|\"exception\":|\"level\": \"(?:error|critical)\"")


class ServerDiedError(BargeinError):
    """A server ended by itself, or did not start."""


@dataclass(frozen=True, slots=True)
class Resources:
    """Resources of a process at one moment.

    Attributes:
        rss_mb: resident memory, in 10^6 bytes.
        descriptors: open file descriptors.
        threads: threads.
        cpu_s: processor time since its start.
    """

    rss_mb: float
    descriptors: int
    threads: int
    cpu_s: float


class ServerProcess:
    """A running server.

    Attributes:
        pid: id of its process.
        url: base URL of its API.
        log: file with its standard output and error.
    """

    def __init__(self, pid: int, port: int, log: Path) -> None:
        self.pid = pid
        self.url = f"http://127.0.0.1:{port}"
        self.port = port
        self.log = log
        self._process = psutil.Process(pid)

    @property
    def alive(self) -> bool:
        """True while the process runs."""
        try:
            return self._process.is_running() and self._process.status() != psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return False

    def resources(self) -> Resources:
        """Measure its resources.

        Raises:
            ServerDiedError: it has ended.
        """
        try:
            with self._process.oneshot():
                times = self._process.cpu_times()
                return Resources(
                    self._process.memory_info().rss / 1e6,
                    self._process.num_fds(),
                    self._process.num_threads(),
                    times.user + times.system,
                )
        except psutil.Error:
            raise ServerDiedError(f"the server has ended:\n{tail(self.log)}") from None

    async def wait_until(self, path: str = "/ready", within_s: float = 60.0) -> None:
        """Wait until a GET of `path` succeeds.

        Raises:
            ServerDiedError: the process ended, or `within_s` passed.
        """
        async with httpx.AsyncClient(base_url=self.url, timeout=2, trust_env=False) as http:
            with anyio.move_on_after(within_s):
                while self.alive:
                    with suppress(httpx.TransportError):
                        if (await http.get(path)).is_success:
                            return
                    await anyio.sleep(0.02)
        raise ServerDiedError(f"the server did not answer {path} (alive: {self.alive}):\n{tail(self.log)}")

    def kill(self) -> None:
        """Send SIGKILL."""
        with suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)

    async def wait_ended(self, within_s: float = _STOP_S) -> bool:
        """Wait for the end of the process; return False if `within_s` passed."""
        return await wait_for(lambda: not self.alive, within_s, every_s=0.005)

    async def stop(self) -> bool:
        """Stop it with SIGTERM, or kill it if it does not end within 15 s; return whether it ended by itself."""
        with suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGTERM)
        if await self.wait_ended():
            return True
        self.kill()
        await self.wait_ended()
        return False


class Launcher:
    """Starts servers from `bench.torture.launcher`, a process that has imported them already."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process
        self._started: list[ServerProcess] = []

    @classmethod
    @asynccontextmanager
    async def running(cls, wrapper: tuple[str, ...] = ()) -> AsyncGenerator[Self]:
        """Run a launcher; at the end of the block its servers are killed.

        Args:
            wrapper: command before the interpreter's, such as `faketime` with its arguments.
        """
        # A library with threads of its own could not be forked.
        single = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
        process = subprocess.Popen(  # noqa: ASYNC220  # this interpreter; starting takes a moment
            [*wrapper, sys.executable, "-m", "bench.torture.launcher"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, **single},
        )
        launcher = cls(process)
        try:
            yield launcher
        finally:
            for server in launcher._started:
                if server.alive:
                    server.kill()
            if process.stdin is not None:
                process.stdin.close()
            with anyio.CancelScope(shield=True):
                await anyio.to_thread.run_sync(process.wait)

    async def start(
        self,
        folder: Path,
        environment: Mapping[str, str] | None = None,
        *,
        port: int = 0,
        until: str = "/ready",
        within_s: float = 60.0,
    ) -> ServerProcess:
        """Start a server with its data in `folder`, and wait until it answers `until`.

        Args:
            folder: the data folder; the log is beside it, so that a full disk does not stop the log.
            environment: additional environment variables.
            port: the port; 0 for a free one.
            until: the path whose success is waited for; empty: do not wait.
            within_s: time limit of the start.

        Raises:
            ServerDiedError: it did not start.
        """
        port = port or free_port()
        log = folder.parent / f"{folder.name}.log"
        given = {
            "data_dir": str(folder),
            "port": port,
            "log": str(log),
            "environment": {"BARGEIN_LOG_LEVEL": "warning", **(environment or {})},
        }
        pid = int(await anyio.to_thread.run_sync(self._ask, json.dumps(given)))
        server = ServerProcess(pid, port, log)
        self._started = [one for one in self._started if one.alive]
        self._started.append(server)
        if until:
            await server.wait_until(until, within_s)
        return server

    def _ask(self, line: str) -> str:
        if self._process.stdin is None or self._process.stdout is None:
            raise ServerDiedError("the launcher has no pipes")
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()
        return self._process.stdout.readline() or "-1"


def free_port() -> int:
    """Return a TCP port of 127.0.0.1 that is free at present."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def tail(log: Path, size: int = 2000) -> str:
    """Return the end of a log."""
    return log.read_text(errors="replace")[-size:] if log.exists() else "(no log)"


class LogWatch:
    """Finds errors in a server's log as it grows.

    Args:
        log: the file.
    """

    def __init__(self, log: Path) -> None:
        self._log = log
        self._read_bytes = log.stat().st_size if log.exists() else 0

    def errors(self) -> list[str]:
        """Return tracebacks and error lines that were written since the last call, each cut to 1,500 characters."""
        if not self._log.exists():
            return []
        with self._log.open("rb") as file:
            file.seek(self._read_bytes)
            data = file.read()
        self._read_bytes += len(data)
        text = data.decode(errors="replace")
        return [text[max(0, found.start() - 300) : found.start() + 1200] for found in _TRACEBACK.finditer(text)]
