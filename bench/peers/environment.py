"""Environments of their own for programs that are measured, or that measure, from lists of pinned packages."""

import os
import subprocess
import venv
from pathlib import Path


def program_of(folder: Path, name: str) -> Path:
    """Return a program of an environment, whether or not it is there."""
    return folder / ("Scripts" if os.name == "nt" else "bin") / name


def make_environment(folder: Path, requirements: Path) -> None:
    """Create or update the environment in a folder.

    Raises:
        CalledProcessError: pip failed.
    """
    venv.EnvBuilder(with_pip=True).create(folder)
    command = [str(program_of(folder, "python")), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*command, "-r", str(requirements)], check=True)
