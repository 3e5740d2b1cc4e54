"""Runs the tests: `python -m dev.test_stages` runs every stage, and `python -m dev.test_stages NAME…` some.

The tests are split into stages because some of them measure time, and others spend their time waiting. A stage that
fails does not keep the next ones from running. What failed in a stage is run once more, alone: calls are tested in
real time, on machines that others use too, and what fails twice has failed.

At the end stand lists of what failed and of what was skipped and why, a table of the stages, and one line in the form
of pytest's own summary. The exit status is 0 if nothing failed.
"""

import argparse
import os
import subprocess
import sys
import time
import xml.etree.ElementTree as ET  # it reads what pytest wrote
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).resolve().parents[1]

ENGINE = ("tests/turns", "tests/audio")
"""The packages of these tests must be covered branch by branch."""
LAWS = (
    "tests/turns/test_laws.py",
    "tests/turns/test_evidence_laws.py",
    "tests/turns/test_smart_endpointing_laws.py",
    "tests/turns/test_preemptive_laws.py",
    "tests/turns/test_dead_air_laws.py",
    "tests/turns/test_recovery_laws.py",
    "tests/turns/test_evidence_properties.py",
)
"""Random conversations. They take six times as long while coverage is counted, and the other tests reach all branches.
Those that take longest come first."""
CALLS = ("tests/fleet", "tests/call", "tests/carriers", "tests/client", "tests/testing")
"""Tests with real calls, which mostly wait. Those that take longest come first."""
WAITING = (
    "tests/server/test_artifacts.py",
    "tests/server/test_metrics.py",
    "tests/server/test_against_vapis_schema.py",
    "tests/providers/conformance",
)
"""Tests outside of `CALLS` that wait, too: for calls, or for vendors that are slow or hang."""
TIMED = ("tests/bench",)
"""Folders in which every test measures time."""
PARTLY_TIMED = (*CALLS, "tests/providers", "tests/sdk", "tests/web", "tests/wire")
"""Folders in which tests may be marked as timed: nowhere else does the last stage look for them."""

NO_TESTS_RAN = 5
"""Pytest's exit status where no test was selected."""


@dataclass(frozen=True)
class Stage:
    """One run of pytest.

    Attributes:
        name: as given on the command line.
        arguments: pytest's own.
        marked: expression of the marks that the tests must have.
        again: whether what failed is run once more. Not where coverage is counted: a second run covers less.
    """

    name: str
    arguments: tuple[str, ...]
    marked: str = ""
    again: bool = True


def _apart(*paths: str) -> list[str]:
    return [f"--ignore={path}" for path in paths]


STAGES = (
    Stage(
        "engine",
        ("-n", "2", *ENGINE, *_apart(*LAWS), "--cov", "--cov-report=term:skip-covered", "--cov-fail-under=100"),
        again=False,
    ),
    Stage("laws", ("-n", "2", "--dist", "loadfile", "--no-loadscope-reorder", *LAWS)),
    # Tests that neither measure time nor wait for a call. Some wait a little, so that four processes fill two cores.
    # Those that take longest come first.
    Stage(
        "side-by-side",
        (
            "-n", "4", "--dist", "loadfile", "--no-loadscope-reorder",
            "tests/sdk", "tests/web", "tests/browser", "tests",
            *_apart(*ENGINE, *CALLS, *WAITING, *TIMED),
        ),
        marked="not timed",
    ),
    Stage("calls", ("-n", "6", "--dist", "worksteal", *CALLS, *WAITING), marked="not timed"),
    # These measure time: one after the other, without a tracer, and with nothing beside them.
    Stage("in-turn", (*PARTLY_TIMED, *TIMED), marked="timed"),
)  # fmt: skip


@dataclass
class Outcome:
    """The result of a stage.

    Attributes:
        passed: number of tests.
        failed: number of tests that failed, and of errors outside of any test.
        retried: number of tests that failed at first and passed when they ran alone.
        skipped: reason -> number of tests.
        failures: the failed tests by name.
        seconds: time that the stage took.
    """

    passed: int = 0
    failed: int = 0
    retried: int = 0
    skipped: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)
    seconds: float = 0.0


def main(arguments: Sequence[str] | None = None) -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(prog="python -m dev.test_stages", description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("stages", nargs="*", metavar="NAME", help=f"of {', '.join(s.name for s in STAGES)} (all)")
    parser.add_argument("--marked", help="run only tests with these marks (an expression as pytest's -m takes it)")
    given = parser.parse_args(arguments)
    unknown = set(given.stages) - {stage.name for stage in STAGES}
    if unknown:
        parser.error(f"there is no stage {', '.join(sorted(unknown))}")
    chosen = [stage for stage in STAGES if not given.stages or stage.name in given.stages]
    outcomes = {stage.name: run(stage, given.marked) for stage in chosen}
    print(closing(outcomes), flush=True)
    return int(any(outcome.failed for outcome in outcomes.values()))


def run(stage: Stage, marked: str | None = None) -> Outcome:
    """Run a stage, and what failed of it once more.

    Args:
        stage: which one.
        marked: an expression of marks, to run only some tests of it: in one process, without counting coverage.
    """
    print(f"\n{f' stage {stage.name} ':#^80}\n", flush=True)
    began = time.perf_counter()
    expression = " and ".join(f"({one})" for one in (stage.marked, marked) if one)
    arguments = stage.arguments
    if marked:
        arguments = [one for one in _without_workers(arguments) if not one.startswith("--cov")]
    command = [*arguments, *(("-m", expression) if expression else ()), "-o", f"cache_dir=.pytest_cache/{stage.name}"]
    with TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        status = _pytest([*command, "--cache-clear"], report)
        outcome = read(report, status, may_be_empty=bool(marked))
        if outcome.failed and stage.again and report.is_file():
            print(f"\n{f' stage {stage.name}: what failed, once more ':#^80}\n", flush=True)
            report.unlink()
            alone = [*_without_workers(command), "--last-failed", "--last-failed-no-failures=none"]
            second = read(report, _pytest(alone, report), may_be_empty=False)
            outcome.retried, outcome.failed, outcome.failures = second.passed, second.failed, second.failures
            outcome.passed += second.passed
            outcome.skipped += second.skipped
    outcome.seconds = time.perf_counter() - began
    return outcome


def _pytest(arguments: Sequence[str], report: Path) -> int:
    command = [sys.executable, "-m", "pytest", *arguments, f"--junitxml={report}"]
    return subprocess.run(command, cwd=ROOT, env=os.environ, check=False).returncode  # noqa: S603  # the tests of this repository


def _without_workers(command: Sequence[str]) -> list[str]:
    """Leave out the options of `pytest-xdist`: the number of processes and the distribution of tests."""
    kept: list[str] = []
    left = iter(command)
    for one in left:
        if one in ("-n", "--dist"):
            next(left)
        elif one != "--no-loadscope-reorder":
            kept.append(one)
    return kept


def read(report: Path, status: int, *, may_be_empty: bool) -> Outcome:
    """Read pytest's report of a run.

    Args:
        report: JUnit's XML; where there is none the run broke off, which counts as one failure.
        status: pytest's exit status. Where it says that something failed and no test has, that counts as one failure:
            an error outside of the tests, or too little coverage.
        may_be_empty: whether it is no failure that no test was selected.
    """
    outcome = Outcome()
    if report.is_file():
        for case in ET.parse(report).iter("testcase"):  # noqa: S314  # see above
            skipped = case.find("skipped")
            if case.find("failure") is not None or case.find("error") is not None:
                outcome.failed += 1
                outcome.failures.append(f"{case.get('classname')}::{case.get('name')}")
            elif skipped is not None and skipped.get("type") == "pytest.skip":
                outcome.skipped[skipped.get("message", "")] += 1
            else:
                outcome.passed += 1
    fine = status == 0 or (status == NO_TESTS_RAN and may_be_empty)
    if not fine and not outcome.failed:
        outcome.failed = 1
        outcome.failures.append(f"pytest ended with status {status}: an error outside of the tests, or low coverage")
    return outcome


def closing(outcomes: dict[str, Outcome]) -> str:
    """Write the lists of what failed and of what was skipped, the table of the stages, and the line of their sum."""
    total = Outcome()
    for outcome in outcomes.values():
        total.passed += outcome.passed
        total.failed += outcome.failed
        total.retried += outcome.retried
        total.skipped += outcome.skipped
        total.seconds += outcome.seconds
    failures = [f"{name}: {one}" for name, outcome in outcomes.items() for one in outcome.failures]
    lines = ["", f"{' failed ':=^80}", *failures] if failures else []
    lines += ["", f"{' skipped ':=^80}"]
    lines += [f"{count:5} {_tests(count)}: {reason}" for reason, count in sorted(total.skipped.items())] or ["nothing"]
    lines += ["", f"{' stages ':=^80}", "stage           passed   failed  skipped  seconds"]
    for name, outcome in outcomes.items():
        row = f"{name:14}{outcome.passed:8}{outcome.failed:9}{outcome.skipped.total():9}{outcome.seconds:9.1f}"
        lines.append(row + (f"   {outcome.retried} passed at the second try" if outcome.retried else ""))
    counts = {"failed": total.failed, "passed": total.passed, "skipped": total.skipped.total()}
    said = ", ".join(f"{count} {what}" for what, count in counts.items() if count) or "no tests ran"
    return "\n".join([*lines, "", f"{f' {said} in {total.seconds:.2f}s ':=^80}"])


def _tests(count: int) -> str:
    return "test" if count == 1 else "tests"


if __name__ == "__main__":
    raise SystemExit(main())
