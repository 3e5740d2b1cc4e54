"""The command line: `bargein serve`, `talk`, `call`, `replay`, `mark`, `tune`, `doctor`, `check`, `import`, `docs`.

Each module registers its commands in `console.app` when it is imported. A command imports what it needs when it runs,
so that `bargein --help` is quick.
"""

# `bargein --help` lists the commands in the order of these imports.
from bargein.cli import serving  # isort: split

from bargein.cli import calls, records  # isort: split

from bargein.cli import checking, sip
from bargein.cli.console import app

__all__ = ["app", "calls", "checking", "main", "records", "serving", "sip"]


def main() -> None:
    """Run the command line."""
    app()
