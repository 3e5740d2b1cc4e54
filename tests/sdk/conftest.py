"""Vapi's official SDKs, each in an environment of its own, and servers that `make serve` starts."""

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from tests.conftest import BOTH, REPOSITORY
from tests.once import alone

if TYPE_CHECKING:
    from tests.postgres import Cluster

HERE = Path(__file__).resolve().parent
ENVIRONMENT = REPOSITORY / ".venv-sdk"
"""Kept between runs. The SDK needs an older pydantic-core than this package."""
PINNED = HERE / "python_sdk.txt"
NODE = HERE / "node"

KEY = "a-private-key"
INSTALL_S = 240.0
START_S = 60.0


@dataclass(frozen=True)
class Sdk:
    """A process in which an official SDK is loaded."""

    process: subprocess.Popen[str]

    def ask(self, **request: Any) -> dict[str, Any]:
        """Send a request to the process; return its answer."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(f"{json.dumps(request)}\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()  # every step of the process has a time limit
        assert line, "the SDK's process has ended"
        return json.loads(line)

    def check(self, name: str, url: str) -> None:
        """Run a check against a server."""
        answer = self.ask(check=name, url=url, key=KEY)
        assert answer["ok"], answer["why"]


@contextmanager
def started(command: Sequence[str | Path], folder: Path) -> Iterator[Sdk]:
    """Run a process that answers each line with a line."""
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=folder, env=without_settings()
    )
    with process:
        try:
            yield Sdk(process)
        finally:
            process.kill()


def without_settings(**more: str) -> dict[str, str]:
    """Return this process's environment without variables of a server's settings."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("BARGEIN_", "OPENAI_", "VAPI_"))}
    return kept | {"PYTHONUNBUFFERED": "1"} | more


@pytest.fixture(scope="session")
def python_sdk() -> Iterator[Sdk]:
    """Vapi's Python SDK; its environment is made again only if the pinned packages have changed."""
    wanted = hashlib.sha256(PINNED.read_bytes() + sys.version.encode()).hexdigest()
    stamp = ENVIRONMENT / ".made-of"
    python = ENVIRONMENT / "bin" / "python"
    with alone(ENVIRONMENT):
        if not stamp.is_file() or stamp.read_text() != wanted:
            shutil.rmtree(ENVIRONMENT, ignore_errors=True)
            run([sys.executable, "-m", "venv", ENVIRONMENT])
            run([python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", PINNED])
            stamp.write_text(wanted)
    with started([python, HERE / "python_sdk.py"], ENVIRONMENT) as sdk:
        yield sdk


@pytest.fixture(scope="session")
def node_sdk() -> Iterator[Sdk]:
    """Vapi's TypeScript SDK, under node; npm is called only if the pinned packages have changed."""
    wanted = hashlib.sha256((NODE / "package.json").read_bytes()).hexdigest()
    stamp = NODE / "node_modules" / ".made-of"
    with alone(NODE):
        if not stamp.is_file() or stamp.read_text() != wanted:
            run(["npm", "install", "--no-package-lock", "--no-audit", "--no-fund", "--loglevel=error"], NODE)
            stamp.write_text(wanted)
    with started(["node", NODE / "sdk.mjs"], NODE) as sdk:
        yield sdk


def run(command: Sequence[str | Path], folder: Path = REPOSITORY) -> None:
    ran = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=INSTALL_S, check=False)
    said = f"{' '.join(map(str, command))}:\n{ran.stdout}{ran.stderr}"
    assert ran.returncode == 0, f"an official SDK could not be installed; is there a package index?\n{said}"


@pytest.fixture(scope="session", params=BOTH)
def url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a server on each database, started with `make serve`."""
    folder = tmp_path_factory.mktemp(f"serve-{request.param}")
    if request.param == "sqlite":
        with made_to_serve(folder) as found:
            yield found
        return
    cluster: Cluster = request.getfixturevalue("cluster")
    with cluster.database() as database, made_to_serve(folder, BARGEIN_DATABASE_URL=database) as found:
        yield found


@contextmanager
def made_to_serve(folder: Path, **settings: str) -> Iterator[str]:
    """Run `make serve` on a free port."""
    log = folder / "log"
    environment = without_settings(BARGEIN_API_KEY=KEY, BARGEIN_DATA_DIR=str(folder / "data"), **settings)
    with log.open("wb") as out:
        process = subprocess.Popen(
            ["make", "serve", "PORT=0"],
            cwd=REPOSITORY,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            env=environment,
            start_new_session=True,
        )
    with process:
        try:
            yield _ready(process, log)
        finally:
            os.killpg(process.pid, signal.SIGTERM)  # make and the server, which are a process group
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                raise


def _ready(process: subprocess.Popen[bytes], log: Path) -> str:
    until = time.monotonic() + START_S
    while time.monotonic() < until and process.poll() is None:  # another process: it can only be polled
        _, announced, after = log.read_text().partition("Talk to it:")
        if announced and after.endswith("\n"):
            found = after.split()[0].rstrip("/")
            if httpx.get(f"{found}/ready", timeout=5).status_code == 200:
                return found
        time.sleep(0.05)
    raise AssertionError(f"the server did not start:\n{log.read_text()}")
