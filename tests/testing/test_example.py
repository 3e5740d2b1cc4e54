"""The example project runs as it is, in a folder of its own, without a key: with a server that the plugin starts."""

import shutil
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY
from tests.testing.project import run_pytest

EXAMPLE = REPOSITORY / "examples" / "testing"


@pytest.mark.timed
@pytest.mark.timeout(300)  # it may run twice
def test_the_example_passes(tmp_path: Path) -> None:
    folder = tmp_path / "project"
    shutil.copytree(EXAMPLE, folder, ignore=shutil.ignore_patterns("__pycache__"))
    done = run_pytest(folder, "-v")
    if done.status and "this machine was busy" in done.output:  # then its times say nothing
        shutil.rmtree(folder / "bargein-results")
        done = run_pytest(folder, "-v")
    assert done.status == 0, done.output
    assert "3 passed" in done.output
    assert not (folder / "bargein-results").exists()


def test_the_guide_shows_the_example() -> None:
    guide = (REPOSITORY / "docs" / "guides" / "testing.md").read_text(encoding="utf-8")
    example = (EXAMPLE / "test_trattoria.py").read_text(encoding="utf-8")
    assert f"```python\n{example}```" in guide
