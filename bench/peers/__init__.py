"""Other voice-agent frameworks behind Vapi's WebSocket transport, so that one benchmark can measure them all.

`python -m bench.peers install` makes an environment for each, from the pinned list beside its server, in `.peers/`.
"""

import os
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parent.parent / ".peers"
PEERS = {"pipecat": "pipecat-ai", "livekit": "livekit-agents"}
"""The frameworks, and the package whose version is reported."""


def python_of(name: str) -> Path:
    """Return the interpreter of a framework's environment.

    Raises:
        RuntimeError: it is not installed.
    """
    python = ROOT / name / ("Scripts" if os.name == "nt" else "bin") / "python"
    if not python.exists():
        raise RuntimeError(f"{name} is not installed: run `python -m bench.peers install {name}`")
    return python


def script_of(name: str) -> Path:
    """Return the script of a framework's server."""
    return HERE / f"{name}_server.py"


def requirements_of(name: str) -> Path:
    """Return the file with a framework's pinned packages."""
    return HERE / f"{name}.txt"


def version_of(name: str) -> str:
    """Return the pinned version of a framework."""
    lines = requirements_of(name).read_text(encoding="utf-8").splitlines()
    return next(line.partition("==")[2] for line in lines if line.startswith(f"{PEERS[name]}=="))
