"""Other voice-agent frameworks behind Vapi's WebSocket transport, so that one benchmark can measure them all.

`python -m bench.peers install` makes an environment for each, from the pinned list beside its server, in `.peers/`.
"""

from pathlib import Path

from bench.peers.environment import program_of

HERE = Path(__file__).parent
ROOT = HERE.parent.parent / ".peers"
PEERS = {"pipecat": "pipecat-ai", "livekit": "livekit-agents"}
"""The frameworks, and the package whose version is reported."""

BEST = {
    "pipecat-best": (
        "a minimum of 2 words before an interruption (counted in partial transcripts), smart-turn with a longest wait "
        "of 1.5 s (default: 3 s)"
    ),
    "livekit-best": (
        "interruption.min_duration 0.25 s (default: 0.5), false_interruption_timeout 0.8 s (2.0), "
        "endpointing.min_delay 0.2 s (0.3) and max_delay 2 s (2.5), preemptive_tts, no echo warm-up, partial "
        "transcripts; its turn detector v1-mini, which is the default too; its adaptive interruption model runs in its "
        "cloud only and was not measured"
    ),
}
"""The same frameworks with settings of their own for interruptions and short turns, and what is set."""

CONTENDERS = (*PEERS, *BEST)
"""Everything that the benchmark can be run against: each framework with its defaults, and with other settings."""


def framework_of(name: str) -> str:
    """Return the framework of a contender."""
    return name.removesuffix("-best")


def python_of(name: str) -> Path:
    """Return the interpreter of a contender's environment.

    Raises:
        RuntimeError: it is not installed.
    """
    framework = framework_of(name)
    python = program_of(ROOT / framework, "python")
    if not python.exists():
        raise RuntimeError(f"{framework} is not installed: run `python -m bench.peers install {framework}`")
    return python


def script_of(name: str) -> Path:
    """Return the script of a contender's server."""
    return HERE / f"{framework_of(name)}_server.py"


def requirements_of(name: str) -> Path:
    """Return the file with a contender's pinned packages."""
    return HERE / f"{framework_of(name)}.txt"


def version_of(name: str) -> str:
    """Return the pinned version of a contender's framework."""
    lines = requirements_of(name).read_text(encoding="utf-8").splitlines()
    return next(line.partition("==")[2] for line in lines if line.startswith(f"{PEERS[framework_of(name)]}=="))
