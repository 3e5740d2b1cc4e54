"""`python -m bench.sip`: the time until the assistant yields over SIP, in one call and among fifty."""

import sys
from pathlib import Path
from typing import Annotated

import anyio
import typer

from bench.capacity.clips import recorded
from bench.sip.measure import report
from bench.speech import HELP, SPEECH


async def _run(data: Path, calls: int, seconds: float) -> int:
    problems = await report(recorded(data), calls, seconds)
    for problem in problems:
        print(f"  ! {problem}")
    return 1 if problems else 0


def main(
    data: Annotated[Path, typer.Option(help=HELP, show_default=False)] = SPEECH,
    calls: Annotated[int, typer.Option(help="Simultaneous calls.")] = 50,
    seconds: Annotated[float, typer.Option(help="Seconds that each lasts; one alone lasts five times as long.")] = 30.0,
) -> None:
    """Measure; the exit status is 0 if all targets are met."""
    raise typer.Exit(anyio.run(_run, data, calls, seconds))


if __name__ == "__main__":
    sys.exit(typer.run(main))
