"""Make the environments of the other frameworks: `python -m bench.peers install [NAME…]`."""

import argparse
import sys

from bench.peers import PEERS, ROOT, requirements_of
from bench.peers.environment import make_environment


def install(name: str) -> None:
    """Create or update the environment of a framework."""
    print(f"  {name}: {ROOT.name}/{name}", flush=True)
    make_environment(ROOT / name, requirements_of(name))


def main() -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.peers", description=__doc__)
    parser.add_argument("action", choices=["install"])
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(PEERS)}; none: all")
    given = parser.parse_args()
    unknown = [name for name in given.names if name not in PEERS]
    if unknown:
        parser.error(f"not known: {', '.join(unknown)}")
    for name in given.names or PEERS:
        install(name)
    return 0


if __name__ == "__main__":
    sys.exit(main())
