"""Run the benchmark: `python -m bench.capacity`."""

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import anyio

from bench.capacity.run import QUICK_STEPS, STEPS, Options, run
from bench.speech import HELP, SPEECH


def _parse(arguments: Sequence[str] | None) -> tuple[Options, int]:
    parser = argparse.ArgumentParser(prog="python -m bench.capacity", description="Count the calls on one core.")
    parser.add_argument("--data", type=Path, default=SPEECH, help=HELP)
    parser.add_argument("--steps", help=f"numbers of calls (default {','.join(map(str, STEPS))})")
    parser.add_argument("--seconds", type=float, default=20.0, help="duration of each step")
    parser.add_argument("--json", type=Path, help="file for the figures")
    parser.add_argument("--quick", action="store_true", help="one call, then eight, in less than a minute")
    parser.add_argument("--at-least", type=int, help="fail when fewer calls are held (--quick: 8)")
    given = parser.parse_args(arguments)
    steps = tuple(int(step) for step in given.steps.split(",")) if given.steps else STEPS
    if min(steps) < 1:
        parser.error("a step has at least one call")
    options = Options(steps=steps, seconds=given.seconds, data=given.data, json=given.json)
    if given.quick:
        quick_steps = steps if given.steps else QUICK_STEPS
        options = replace(options, steps=quick_steps, seconds=8.0, first_seconds=14.0, tries=3)
    return options, given.at_least or (max(options.steps) if given.quick else 1)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run from the command line; return 0 if at least as many calls were held as asked for."""
    options, at_least = _parse(arguments)
    _, held = anyio.run(run, options, backend_options={"use_uvloop": True})
    return int(held < at_least)


if __name__ == "__main__":
    raise SystemExit(main())
