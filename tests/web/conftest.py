"""The npm package, installed and built once; pages that use it, on another origin; and node to run it."""

import functools
import hashlib
import http.server
import os
import shutil
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.once import alone

PACKAGE = Path(__file__).resolve().parents[2] / "clients" / "daily-js"
INSTALL_S = 240.0
RUN_S = 60.0


@dataclass(frozen=True)
class Package:
    """`clients/daily-js`, built."""

    folder: Path

    def run(self, *command: str) -> str:
        """Run one of the package's programs under node, and return its output."""
        return _run(["node", *command], self.folder, RUN_S)


@pytest.fixture(scope="session")
def package() -> Package:
    """The package with its development dependencies; npm is called only if the lock file has changed."""
    with alone(PACKAGE):
        _install(PACKAGE)
        _build(PACKAGE)
    return Package(PACKAGE)


def _build(folder: Path) -> None:
    """Build the package, unless another process of this run has built it."""
    this_run = os.environ.get("PYTEST_XDIST_TESTRUNUID", str(os.getpid()))
    stamp = folder / "node_modules" / ".built-by"
    if not stamp.is_file() or stamp.read_text() != this_run:
        _run(["node", "build.mjs"], folder, RUN_S)
        stamp.write_text(this_run)


def _install(folder: Path) -> None:
    lock = hashlib.sha256((folder / "package-lock.json").read_bytes()).hexdigest()
    stamp = folder / "node_modules" / ".lock-sha256"
    if stamp.is_file() and stamp.read_text() == lock:
        return
    _run(["npm", "ci", "--loglevel=error"], folder, INSTALL_S)
    stamp.write_text(lock)


def _run(command: list[str], folder: Path, limit_s: float) -> str:
    ran = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=limit_s, check=False)
    assert ran.returncode == 0, f"{' '.join(command)}:\n{ran.stdout}{ran.stderr}"
    return ran.stdout


class _Files(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture(scope="session")
def site(package: Package, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a web site with the bundled test pages, on another origin than the server."""
    folder = tmp_path_factory.mktemp("site")
    package.run("test/pages/bundle.mjs", str(folder))
    for name in ("sdk", "widget"):
        page = f'<!doctype html><meta charset="utf-8"><title>{name}</title><body><script src="{name}.js"></script>'
        (folder / f"{name}.html").write_text(page)
    (folder / "favicon.ico").touch()
    shutil.copy(package.folder / "dist" / "worklet.js", folder)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(_Files, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()
