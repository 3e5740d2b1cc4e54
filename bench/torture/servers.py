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
from bargein.wire.base import JsonObject
from bargein.wire.json import as_object_or_none
from bench.torture.waiting import wait_for

_STOP_S = 15.0
_EXCEPTION = re.compile(r"^[\s|+]*([A-Za-z_][\w.]*(?:Error|Exception|Exit|Group|Warning|Interrupt)\b.*)$", re.MULTILINE)


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
    async def running(cls, environment: Mapping[str, str] | None = None) -> AsyncGenerator[Self]:
        """Run a launcher; at the end of the block its servers are killed.

        Args:
            environment: additional environment variables that must be set before the interpreter starts.
        """
        # A library with threads of its own could not be forked.
        single = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
        process = subprocess.Popen(  # noqa: ASYNC220  # this interpreter; starting takes a moment
            [sys.executable, "-m", "bench.torture.launcher"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, **single, **(environment or {})},
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
        """Return what was logged since the last call with a traceback, or as an error, one line for each.

        A line has the event and, of a traceback, the line with the exception.
        """
        if not self._log.exists():
            return []
        with self._log.open("rb") as file:
            file.seek(self._read_bytes)
            data = file.read()
        whole = data[: data.rfind(b"\n") + 1]
        self._read_bytes += len(whole)
        found: list[str] = []
        plain: list[str] = []
        for line in whole.decode(errors="replace").splitlines():
            entry = _entry(line)
            if entry is None:
                plain.append(line)
            elif "exception" in entry or entry.get("level") in ("error", "critical"):
                found.append(f"{entry.get('event')}: {exception_of(str(entry.get('exception', '')))}"[:400])
        if any("Traceback (most recent call last)" in line for line in plain):
            found.append(f"a traceback: {exception_of(chr(10).join(plain))}"[:400])
        return found


def _entry(line: str) -> JsonObject | None:
    try:
        return as_object_or_none(json.loads(line))
    except ValueError:
        return None


def exception_of(text: str) -> str:
    """Return the last line of a traceback that names an exception, also of one in a group; empty without any."""
    named = _EXCEPTION.findall(text)
    plain = [line for line in named if "ExceptionGroup" not in line]
    return (plain or named or [""])[-1][:250]
