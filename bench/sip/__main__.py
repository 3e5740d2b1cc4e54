"""`python -m bench.sip`: how soon the assistant yields over SIP, alone and among fifty calls."""

import sys
from pathlib import Path
from typing import Annotated

import anyio
import typer

from bench.capacity_clips import Utterance, recorded, synthesised
from bench.sip.measure import HEAD, measure

P50_MS = 270.0
"""The most that the median may be."""
WORSE_MS = 60.0
"""The most that the 95th percentile of many calls may lie above that of one."""


async def _run(data: Path | None, calls: int, seconds: float) -> int:
    clips: list[Utterance] = await synthesised() if data is None else recorded(data)
    print(f"\n  {HEAD}", flush=True)
    alone = await measure(clips, 1, seconds)
    print(f"  {alone.line()}", flush=True)
    problems = [] if alone.percentile(50) <= P50_MS else [f"the median is over {P50_MS:g} ms"]
    if calls > 1:
        many = await measure(clips, calls, seconds)
        print(f"  {many.line()}", flush=True)
        if many.dropped:
            problems.append(f"{many.dropped} calls were dropped")
        if not many.percentile(95) <= alone.percentile(95) + WORSE_MS:
            problems.append(f"the 95th percentile of {calls} calls is more than {WORSE_MS:g} ms over that of one")
    for problem in problems:
        print(f"  ! {problem}")
    return 1 if problems else 0


def main(
    data: Annotated[Path | None, typer.Option(help="Recordings of speech with a MANIFEST.tsv.")] = None,
    calls: Annotated[int, typer.Option(help="How many calls at once.")] = 50,
    seconds: Annotated[float, typer.Option(help="How long each lasts.")] = 30.0,
) -> None:
    """Measure; the exit status tells whether the targets are met."""
    raise typer.Exit(anyio.run(_run, data, calls, seconds))


if __name__ == "__main__":
    sys.exit(typer.run(main))
