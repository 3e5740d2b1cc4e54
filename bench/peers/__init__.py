"""Other voice-agent frameworks behind Vapi's WebSocket transport, so that one benchmark can talk over them all.

`python -m bench.peers install` makes an environment for each, from the pinned list beside its server, in `.peers/`.
"""

import os
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parent.parent / ".peers"
PEERS = {"pipecat": "pipecat-ai", "livekit": "livekit-agents"}
"""The frameworks, and the package whose version counts."""


def python_of(name: str) -> Path:
    """The interpreter of a framework's environment.

    Raises:
        RuntimeError: there is none yet.
    """
    python = ROOT / name / ("Scripts" if os.name == "nt" else "bin") / "python"
    if not python.exists():
        raise RuntimeError(f"{name} is not installed: run `python -m bench.peers install {name}`")
    return python


def script_of(name: str) -> Path:
    """Its server."""
    return HERE / f"{name}_server.py"


def requirements_of(name: str) -> Path:
    """Its pinned packages."""
    return HERE / f"{name}.txt"


def version_of(name: str) -> str:
    """The version that is pinned."""
    lines = requirements_of(name).read_text(encoding="utf-8").splitlines()
    return next(line.partition("==")[2] for line in lines if line.startswith(f"{PEERS[name]}=="))
