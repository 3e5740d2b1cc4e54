"""Run the checks: `python -m bench.torture`."""

import argparse
import logging
import os
import shlex
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import anyio

from bargein.clock import LoopClock
from bench.speech import HELP, SPEECH
from bench.torture.options import PARTS, Database, Options
from bench.torture.report import PartResult, publish, read_json, summary, write_json

_DATABASES: dict[str, tuple[Database, ...]] = {
    "sqlite": ("sqlite",),
    "postgres": ("postgres",),
    "both": ("sqlite", "postgres"),
}
_QUICK = Options(quick=True, kills=10, inputs=150, minutes=0.3, calls=6)
"""The short form for CI: some 100 s for all parts, which run beside each other."""


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m bench.torture", description="Check what bargein promises under faults."
    )
    parser.add_argument("--parts", default=",".join(PARTS), help=f"of {','.join(PARTS)} (all)")
    parser.add_argument("--seed", type=int, default=1, help="seed of every random choice (1)")
    parser.add_argument("--quick", action="store_true", help="the short form, some 100 s for all parts")
    parser.add_argument("--database", choices=_DATABASES, default="sqlite", help="for kill and disk (sqlite)")
    parser.add_argument("--minutes", type=float, help="duration of soak (480; quick: 0.3)")
    parser.add_argument("--kills", type=int, help="number of kills on each database (1000; quick: 10)")
    parser.add_argument("--inputs", type=int, help="number of inputs of fuzz (20000; quick: 150)")
    parser.add_argument("--only", type=int, metavar="INDEX", help="run this input of fuzz alone")
    parser.add_argument("--calls", type=int, help="simultaneous calls of soak (20; quick: 6)")
    parser.add_argument("--data", type=Path, default=SPEECH, help=HELP)
    parser.add_argument("--csv", type=Path, help="file to which soak adds a line each minute")
    parser.add_argument("--from-csv", type=Path, help="run nothing: report the soak of this CSV")
    parser.add_argument("--report", type=Path, nargs="+", metavar="FILE", help="run nothing: report these results")
    parser.add_argument("--out", type=Path, help="file for all results as JSON")
    parser.add_argument("--publish", type=Path, metavar="PAGE", help="write the table between its markers")
    return parser


def _options(given: argparse.Namespace) -> Options:
    base = _QUICK if given.quick else Options()
    changes = {name: getattr(given, name) for name in ("minutes", "kills", "inputs", "calls")}
    return replace(
        base,
        **{name: value for name, value in changes.items() if value is not None},
        parts=tuple(part for part in PARTS if part in given.parts.split(",")),
        seed=given.seed,
        databases=_DATABASES[given.database],
        only=given.only,
        data=given.data,
        soak_csv=given.csv,
    )


_LANES = (("peers",), ("disk",), ("kill", "soak"), ("fuzz",))
"""The parts that run side by side in the short form."""


async def run(options: Options) -> list[PartResult]:
    """Run the parts, one after the other; in the short form several at once, because most of them mostly wait."""
    found: dict[str, list[PartResult]] = {}
    if options.quick and len(options.parts) > 1:
        async with anyio.create_task_group() as tasks:
            for lane in _LANES:
                tasks.start_soon(_run_lane, [part for part in lane if part in options.parts], options, found)
    else:
        for part in options.parts:
            found[part] = await _run_part(part, options)
            print(f"\n{summary(found[part])}\n", flush=True)
    return [result for part in options.parts for result in found[part]]


async def _run_lane(parts: Sequence[str], options: Options, found: dict[str, list[PartResult]]) -> None:
    """Run parts one after the other. What is broken is tried once more: a stall of the machine looks like a fault."""
    for part in parts:
        found[part] = await _run_apart(part, options)
        if any(result.broken for result in found[part]):
            print(f"{part} is tried once more", flush=True)
            found[part] = await _run_apart(part, options)


async def _run_apart(part: str, options: Options) -> list[PartResult]:
    """Run a part in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "results.json"
        command = [sys.executable, "-m", "bench.torture", "--quick", "--parts", part, "--out", str(out)]
        command += ["--seed", str(options.seed), "--data", str(options.data)]
        command += ["--database", "both" if len(options.databases) > 1 else options.databases[0]]
        done = await anyio.run_process(command, check=False, stderr=subprocess.STDOUT)
        print(done.stdout.decode(errors="replace"), flush=True)
        if out.exists():
            return read_json(out)
        return [PartResult(part=part, broken=[f"it ended with status {done.returncode}"])]


async def _run_part(part: str, options: Options) -> list[PartResult]:
    logging.disable()  # what carriers on loopback log about mutated requests; servers have logs of their own
    # A part is imported when it runs: some need programs or packages that others do not.
    match part:
        case "kill":
            from bench.torture import kill  # noqa: PLC0415

            return [await kill.run(options, database) for database in options.databases]
        case "fuzz":
            from bench.torture.fuzz import run as fuzz  # noqa: PLC0415

            return [await fuzz.run(options)]
        case "disk":
            from bench.torture import outages  # noqa: PLC0415

            return await outages.run(options)
        case "peers":
            from bench.torture import peers  # noqa: PLC0415

            return [await peers.run(options)]
        case "soak":
            from bench.torture import soak  # noqa: PLC0415

            return [await soak.run(options)]
        case _:
            raise ValueError(part)


def _from_csv(path: Path) -> list[PartResult]:
    from bench.torture.soak import read_csv, result_of  # noqa: PLC0415  # see `_run_part`

    return [result_of(read_csv(path))]


def _sign(results: Sequence[PartResult], arguments: Sequence[str]) -> None:
    """Note in results when and with which command they were made; where they are written to does not matter."""
    kept = list(arguments)
    for name in ("--out", "--publish", "--csv"):
        if name in kept:
            del kept[kept.index(name) : kept.index(name) + 2]
    for result in results:
        result.date = datetime.fromtimestamp(LoopClock().epoch_ms() / 1000, UTC).strftime("%Y-%m-%d")
        result.command = f"python -m bench.torture {shlex.join(kept)}".rstrip()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run from the command line; return 0 if every promise was kept."""
    parser = _parser()
    given = parser.parse_args(arguments)
    unknown = set(given.parts.split(",")) - set(PARTS)
    if unknown:
        parser.error(f"there is no part {', '.join(sorted(unknown))}")
    signal.signal(signal.SIGTERM, lambda *_: os.kill(os.getpid(), signal.SIGINT))  # so that its processes are ended
    if given.report:
        results = [result for path in given.report for result in read_json(path)]
    elif given.from_csv is not None:
        results = _from_csv(given.from_csv)
    else:
        results = anyio.run(run, _options(given), backend_options={"use_uvloop": True})
    print(f"\n{summary(results)}\n", flush=True)
    if not given.report:
        _sign(results, sys.argv[1:] if arguments is None else arguments)
    if given.out is not None:
        write_json(results, given.out)
    if given.publish is not None:
        publish(results, given.publish)
    return int(any(result.broken for result in results))


if __name__ == "__main__":
    raise SystemExit(main())
