"""`python -m bench.telephony`: the time until the assistant yields on each carrier, and the audio heard after that.

Run it in the repository's root. Each carrier is a loopback with the carrier's real protocol and a playout buffer like
its own; SIP is measured at the packets of a real SIP telephone (`bench.sip`).
"""

import statistics
import sys
from pathlib import Path
from typing import Annotated

import anyio
import structlog
import typer
from tests.carriers.loopbacks import LOOPBACKS

from bench.capacity.clips import recorded
from bench.sip.measure import report
from bench.speech import HELP, SPEECH
from bench.telephony.measure import HEAD, Figures, measure

CLEAR_P50_MS = 260.0
"""The target for the median time from speech to the carrier's `clear`, with voiceSeconds 0.2."""
AFTER_MS = 40.0
"""The target for the audio that a caller hears after the `clear`, by the carrier's buffer."""


def _problems(figures: Figures) -> list[str]:
    found: list[str] = []
    if statistics.median(figures.clear) > CLEAR_P50_MS:
        found.append(f"{figures.provider}: the median is over {CLEAR_P50_MS:g} ms")
    if sum(figures.old):
        found.append(f"{figures.provider}: audio of the interrupted turn was sent after the clear")
    if max(figures.after) > AFTER_MS:
        found.append(f"{figures.provider}: the caller heard more than {AFTER_MS:g} ms after the clear")
    return found


async def _run(data: Path, cuts: int, sip_calls: int, sip_seconds: float) -> int:
    clips = recorded(data)
    problems: list[str] = []
    print(f"\n  {HEAD}", flush=True)
    for kind in LOOPBACKS:
        if not kind.native:
            figures = await measure(kind, clips, cuts)
            print(f"  {figures.line()}", flush=True)
            problems += _problems(figures)
    if sip_calls > 0:
        print("\n  SIP, at the telephones' packets", flush=True)
        problems += await report(clips, sip_calls, sip_seconds)
    for problem in problems:
        print(f"  ! {problem}")
    return 1 if problems else 0


def main(
    data: Annotated[Path, typer.Option(help=HELP, show_default=False)] = SPEECH,
    cuts: Annotated[int, typer.Option(help="Interruptions on each carrier.")] = 12,
    sip_calls: Annotated[int, typer.Option(help="Simultaneous SIP calls, after one alone; 0: no SIP.")] = 50,
    sip_seconds: Annotated[
        float, typer.Option(help="Seconds of a SIP call; one alone lasts five times as long.")
    ] = 30.0,
) -> None:
    """Measure; the exit status is 0 if all targets are met."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    raise typer.Exit(anyio.run(_run, data, cuts, sip_calls, sip_seconds))


if __name__ == "__main__":
    sys.exit(typer.run(main))
