"""A Postgres for the tests, on a socket in a temporary folder, with a new database for each request."""

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import psutil

from tests.programs import located

_START_S = 20.0
_OWNER = "nobody"  # Postgres refuses to run as root
# no data of these tests must survive a crash of the machine
_FAST = ("fsync=off", "synchronous_commit=off", "full_page_writes=off", "shared_buffers=16MB", "max_connections=60")

_MADE = ("-A", "trust", "-E", "UTF8", "--locale=C", "-N")


def binaries() -> Path:
    """Return the folder of Postgres' programs, the newest of several: Debian keeps it out of the PATH."""
    command = located("postgres")
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: float(path.parts[-3]))
    return found[-1].parent if found else Path(command).resolve().parent


@dataclass
class Cluster:
    """A Postgres server.

    Attributes:
        folder: folder with its data and its socket.
    """

    folder: Path
    _bin: Path
    _process: subprocess.Popen[bytes] | None = None
    _made: Iterator[int] = field(default_factory=lambda: count(1))
    _free: list[str] = field(default_factory=list[str])

    def start(self) -> None:
        """Start it; return once it answers."""
        options = [f"-c{option}" for option in (*_FAST, "listen_addresses=", f"unix_socket_directories={self.folder}")]
        log = (self.folder / "log").open("ab")
        with log:
            self._process = subprocess.Popen(
                [self._bin / "postgres", "-D", self.folder / "data", *options], stdout=log, stderr=log, **as_owner()
            )
        until = time.monotonic() + _START_S
        while subprocess.run([self._bin / "pg_isready", "-q", "-h", self.folder], check=False).returncode != 0:
            over = self._process.poll() is not None or time.monotonic() > until
            assert not over, (self.folder / "log").read_text()
            time.sleep(0.02)  # there is no event to wait for

    def stop(self) -> None:
        """Stop it, and disconnect all clients."""
        if self._process is not None:
            self._process.send_signal(signal.SIGINT)  # its "fast shutdown"
            self._process.wait(_START_S)
            self._process = None

    def pause(self) -> None:
        """Have its processes do nothing (SIGSTOP): connections stay open, and nothing is answered."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Have them go on."""
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        main = psutil.Process(self._process.pid)
        for process in (main, *main.children(recursive=True)):
            process.send_signal(number)

    def url(self, name: str) -> str:
        """Return the URL of a database."""
        return f"postgresql://{_OWNER}@/{name}?host={self.folder}"

    def sql(self, statement: str, name: str = "postgres") -> str:
        """Return the output of `psql` for a statement."""
        command = [self._bin / "psql", "-h", self.folder, "-U", _OWNER, "-qAtX", "-c", statement, name]
        return subprocess.run(command, check=True, capture_output=True, text=True, timeout=_START_S).stdout.strip()

    @contextmanager
    def database(self) -> Iterator[str]:
        """Yield the URL of an empty database."""
        if not self._free:
            self._free.append(f"test_{next(self._made)}")
            self.sql(f"CREATE DATABASE {self._free[-1]}")
        name = self._free.pop()
        yield self.url(name)
        # much faster than a new database
        self.sql("DROP SCHEMA public CASCADE; CREATE SCHEMA public", name)
        self._free.append(name)


def as_owner() -> dict[str, Any]:
    """Return arguments of `subprocess` that run a program as another user than root."""
    return {"user": _OWNER, "group": "nogroup", "extra_groups": []} if os.getuid() == 0 else {}


@contextmanager
def cluster() -> Iterator[Cluster]:
    """Run a server."""
    programs = binaries()
    folder = Path(tempfile.mkdtemp(prefix="pg-"))  # short: a socket's path has at most 107 characters
    try:
        if os.getuid() == 0:
            shutil.chown(folder, _OWNER)
        made = [
            programs / "initdb",
            "-D",
            folder / "data",
            "-A",
            "trust",
            "-U",
            _OWNER,
            "-E",
            "UTF8",
            "--locale=C",
            "-N",
        ]
        subprocess.run(made, check=True, stdout=subprocess.DEVNULL, timeout=60, **as_owner())
        server = Cluster(folder, programs)
        try:
            server.start()
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(folder)
