"""The runner of the tests: every stage runs, failed tests are retried once, and the end lists the results."""

from pathlib import Path

import pytest
from dev import test_stages
from dev.test_stages import Outcome, Stage, closing, main, read, run

FINE = """
import pytest
def test_it(): pass
def test_elsewhere(): pytest.skip("X is not installed: apt-get install x")
"""
BROKEN = "def test_it(): assert False\n"
FLAKY = """
from pathlib import Path
MARK = Path(__file__).with_suffix(".mark")
def test_it():
    first = not MARK.exists()
    MARK.touch()
    assert not first
def test_other(): pass
"""


def stage(tmp_path: Path, name: str, text: str, *more: str) -> Stage:
    file = tmp_path / name / f"test_{name}.py"
    file.parent.mkdir()
    file.write_text(text)
    return Stage(name, (str(file), f"--rootdir={file.parent}", *more))


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Disable pytest's plugins, which take seconds to load and are not needed in these runs."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    monkeypatch.delenv("PYTEST_ADDOPTS", raising=False)


def test_what_fails_once_is_tried_alone_and_what_fails_twice_has_failed(tmp_path: Path) -> None:
    flaky = run(stage(tmp_path, "flaky", FLAKY))
    assert (flaky.passed, flaky.failed, flaky.retried) == (2, 0, 1)
    broken = run(stage(tmp_path, "broken", BROKEN))
    assert (broken.passed, broken.failed, broken.retried) == (0, 1, 0)
    outside = run(stage(tmp_path, "outside", "import nothing_of_that_name\n"))
    assert (outside.passed, outside.failed) == (0, 1)
    assert run(stage(tmp_path, "unmarked", ""), "needs").failed == 0


def test_the_second_try_is_made_by_one_process() -> None:
    given = ["-n", "2", "tests", "--dist", "loadfile", "--no-loadscope-reorder", "-m", "not timed"]
    assert test_stages._without_workers(given) == ["tests", "-m", "not timed"]


def test_all_stages_run_and_the_last_line_is_in_pytests_form(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    stages = (stage(tmp_path, "broken", BROKEN), stage(tmp_path, "fine", FINE), stage(tmp_path, "flaky", FLAKY))
    monkeypatch.setattr(test_stages, "STAGES", stages)
    assert main([]) == 1
    *_, failures, _, table, last = capsys.readouterr().out.rstrip().split("\n\n")
    assert failures.strip().splitlines()[1:] == ["broken: test_broken::test_it"]
    assert [line.split()[:4] for line in table.splitlines()[2:]] == [
        ["broken", "0", "1", "0"],
        ["fine", "1", "0", "1"],
        ["flaky", "2", "0", "0"],
    ]
    assert table.endswith("1 passed at the second try")
    assert last.startswith("=")
    assert " 1 failed, 3 passed, 1 skipped in " in last
    assert main(["fine"]) == 0
    out = capsys.readouterr().out
    assert "    1 test: X is not installed: apt-get install x" in out
    assert " 1 passed, 1 skipped in " in out.splitlines()[-1]


def test_reasons_are_counted_over_all_stages() -> None:
    one, other = Outcome(passed=3, seconds=1.5), Outcome(passed=1, seconds=2)
    one.skipped["no X"] = 2
    other.skipped.update({"no X": 1, "no Y": 1})
    lines = closing({"one": one, "other": other}).splitlines()
    assert lines[2:4] == ["    3 tests: no X", "    1 test: no Y"]
    assert lines[-1].strip("= ") == "4 passed, 4 skipped in 3.50s"


def test_a_run_that_breaks_off_or_covers_too_little_has_failed(tmp_path: Path) -> None:
    assert read(tmp_path / "nothing.xml", -9, may_be_empty=False).failed == 1
    report = tmp_path / "report.xml"
    report.write_text('<testsuites><testsuite><testcase classname="a" name="b"/></testsuite></testsuites>')
    assert read(report, 0, may_be_empty=False).failed == 0
    assert read(report, 1, may_be_empty=False) == Outcome(
        passed=1, failed=1, failures=["pytest ended with status 1: an error outside of the tests, or low coverage"]
    )
    assert read(report, test_stages.NO_TESTS_RAN, may_be_empty=True).failed == 0
    assert read(report, test_stages.NO_TESTS_RAN, may_be_empty=False).failed == 1


def test_there_is_no_test_that_no_stage_runs() -> None:
    """Each stage leaves out tests of the others."""
    by_name = {one.name: one for one in test_stages.STAGES}
    left_out = {one.removeprefix("--ignore=") for one in by_name["side-by-side"].arguments if one.startswith("--ig")}
    elsewhere = {*by_name["engine"].arguments, *by_name["calls"].arguments, *by_name["in-turn"].arguments}
    assert left_out <= elsewhere
    assert by_name["in-turn"].marked == "timed"
    assert by_name["side-by-side"].marked == by_name["calls"].marked == "not timed"
