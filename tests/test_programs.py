"""Tests whose programs are missing are skipped with a reason that names the command to install them."""

import os
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections import Counter
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY
from tests.programs import PROGRAMS, SWITCH, find


def environment(**more: str) -> dict[str, str]:
    """Return this process's environment without the variables of CI, of the switch and of the run of pytest."""
    kept = {name: value for name, value in os.environ.items() if name not in ("CI", SWITCH) and "PYTEST" not in name}
    return kept | more


def skipped(tmp_path: Path, *files: str, **more: str) -> tuple[Counter[str], set[str]]:
    """Run the tests that need a program; return the reasons for which they were skipped, and their files."""
    report = tmp_path / "report.xml"
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-m",
        "needs",
        "-q",
        "-p",
        "no:cacheprovider",
        f"--junitxml={report}",
        *files,
    ]
    ran = subprocess.run(
        command, cwd=REPOSITORY, env=environment(**more), capture_output=True, text=True, timeout=140, check=False
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    reasons: Counter[str] = Counter()
    where: set[str] = set()
    for case in ET.parse(report).iter("testcase"):  # noqa: S314  # pytest wrote it
        mark = case.find("skipped")
        assert mark is not None, f"{case.get('classname')} {case.get('name')} ran"
        reasons[mark.get("message", "")] += 1
        where.add(f"{case.get('classname', '').replace('.', '/')}.py")
    for reason in reasons:
        assert reason in ran.stdout, "it is in the closing list"
    return reasons, where


@pytest.mark.timeout(300)  # pytest collects all tests twice
def test_with_the_switch_and_without_the_programs_the_same_tests_are_skipped(tmp_path: Path) -> None:
    switched, files = skipped(tmp_path, **{SWITCH: "all"})
    texts = " ".join(switched)
    for program in PROGRAMS.values():
        assert f"{program.title} is not installed: apt-get install {' '.join(program.packages)}" in texts
    (tmp_path / "empty").mkdir()
    assert skipped(tmp_path, *sorted(files), PATH=str(tmp_path / "empty")) == (switched, files)


def test_in_ci_a_missing_program_fails() -> None:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/browser/test_modules.py"]
    ran = subprocess.run(
        command, cwd=REPOSITORY, env=environment(CI="true", **{SWITCH: "node"}), capture_output=True, text=True,
        timeout=60, check=False,
    )  # fmt: skip
    assert ran.returncode == 1
    assert "Node.js is not installed: apt-get install nodejs" in ran.stdout


def test_a_program_is_found_in_the_path_and_in_the_sbin_beside_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(SWITCH, raising=False)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    assert find("kamailio") is None
    (tmp_path / "sbin").mkdir()
    (tmp_path / "sbin" / "kamailio").touch(mode=0o755)
    assert find("kamailio") == str(tmp_path / "sbin" / "kamailio")
    monkeypatch.setenv(SWITCH, "sipp,kamailio")
    assert find("kamailio") is None


def test_the_switch_accepts_known_programs_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(SWITCH, "chromium,postgress")
    with pytest.raises(ValueError, match="names postgress; there are all, chromium, postgres"):
        find("chromium")
