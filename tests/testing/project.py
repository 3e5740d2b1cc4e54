"""A folder with a user's tests, run by a pytest of its own that finds the plugin by its entry point."""

import os
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import NamedTuple

from tests.conftest import REPOSITORY

_SECONDS = 140


class Run(NamedTuple):
    """A run of pytest.

    Attributes:
        status: its exit status.
        output: what it printed.
    """

    status: int
    output: str


def run_pytest(folder: Path, *arguments: str, tests: str | None = None) -> Run:
    """Run pytest in a folder as a user of an installed bargein would, without the repository's configuration.

    Args:
        folder: the folder of the tests.
        arguments: pytest's arguments.
        tests: text of a file of tests to write into the folder.
    """
    if tests is not None:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "test_agent.py").write_text(tests, encoding="utf-8")
    installed = folder.parent / "installed"
    _install(installed)
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "COV_"))}
    environment["PYTHONPATH"] = os.pathsep.join((str(installed), str(REPOSITORY / "src")))
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", f"--rootdir={folder}", *arguments],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=_SECONDS,
        check=False,
        text=True,
    )
    return Run(done.returncode, done.stdout)


def _install(folder: Path) -> None:
    """Write the metadata that pip would: the entry points of pyproject.toml, so that pytest finds the plugin."""
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    metadata = folder / f"{project['name']}-{project['version']}.dist-info"
    metadata.mkdir(parents=True, exist_ok=True)
    named = f"Name: {project['name']}\nVersion: {project['version']}\n"
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\n{named}")
    points = [f"{name} = {value}" for name, value in project["entry-points"]["pytest11"].items()]
    (metadata / "entry_points.txt").write_text("\n".join(["[pytest11]", *points, ""]))
