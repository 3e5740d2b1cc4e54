"""Clients of others against the server: voicebench over Vapi's WebSocket transport, streamdouble as Twilio's stream.

Both come from the package index, unmodified, in an environment of their own in `.peers/`. `python -m bench.outsiders`
runs both against a server that it starts, and keeps their reports.
"""

from pathlib import Path

from bench.peers import ROOT
from bench.peers.environment import make_environment, program_of

HERE = Path(__file__).parent
FOLDER = ROOT / "outsiders"
REQUIREMENTS = HERE / "outsiders.txt"


def installed(name: str) -> Path:
    """Return the program of a client; install both clients if it is not there.

    Raises:
        CalledProcessError: pip failed.
    """
    program = program_of(FOLDER, name)
    if not program.exists():
        print(f"  installing {REQUIREMENTS.name} into {ROOT.name}/{FOLDER.name}", flush=True)
        make_environment(FOLDER, REQUIREMENTS)
    return program
