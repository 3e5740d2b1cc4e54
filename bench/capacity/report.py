"""The figures of the capacity benchmark: a table in the terminal, and JSON."""

import os
import platform
from collections.abc import Sequence
from dataclasses import asdict

from bargein import __version__
from bargein.clock import LoopClock, iso_from_epoch_ms
from bargein.wire.base import JsonObject
from bench.capacity.clips import Utterance
from bench.capacity.processes import Cores
from bench.capacity.steps import Limits, Step


def print_head(cores: Cores, clips: Sequence[Utterance]) -> None:
    """Print the head of the table."""
    where = "not pinned" if cores.server is None else f"server on core {cores.server}, load on {list(cores.others)}"
    print(f"\n  bargein {__version__}: calls on one core ({where}); {len(clips)} recordings\n")
    print("                       server              onset to silence, ms     interruptions     late frames     load")
    print(
        "  calls   held    core  a call  MB/call    p50    p95    p99    p95 msg  missed/all   share  worst    p99 ms",
        flush=True,
    )


def print_step(step: Step, failing: str | None) -> None:
    """Print a row of the table, and below it the reason for which the step failed or is doubtful."""

    def ms(value: float | None) -> str:
        return f"{value:6.0f}" if value is not None else "     -"

    print(
        f"  {step.calls:5d}  {step.held:5d}  {100 * step.cpu:5.0f}%  {100 * step.cpu / step.calls:5.2f}%  "
        f"{step.rss_mb_per_call:7.1f} {ms(step.silence_p50_ms)} {ms(step.silence_p95_ms)} {ms(step.silence_p99_ms)}"
        f"     {ms(step.message_p95_ms)}  {step.missed:5d}/{step.interruptions:<4d} {100 * step.late_share:6.2f}%"
        f"  {step.worst_late_ms:5.0f}    {step.load_late_p99_ms:6.1f}",
        flush=True,
    )
    if failing:
        print(f"        {failing}", flush=True)
    if step.disturbed:
        print(f"        other processes used {100 * (step.others_cpu or 0):.0f}% of the server's core", flush=True)


def report(steps: Sequence[Step], held: int, limits: Limits, cores: Cores) -> JsonObject:
    """Return all figures as JSON."""
    return {
        "bargein": __version__,
        "python": platform.python_version(),
        "machine": platform.machine(),
        "cores": os.cpu_count(),
        "pinned": cores.server is not None,
        "at": iso_from_epoch_ms(LoopClock().epoch_ms()),
        "clips": "recorded",
        "limits": asdict(limits),
        "held": held,
        "steps": [{**asdict(step), "void": step.void, "disturbed": step.disturbed} for step in steps],
    }
