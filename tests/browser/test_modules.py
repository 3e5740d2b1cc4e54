"""The page's own unit tests, run under node: the modules that need no browser."""

import subprocess
from pathlib import Path

from tests.programs import located, needs

HERE = Path(__file__).parent


@needs("node")
def test_the_pages_modules() -> None:
    files = sorted(str(path) for path in HERE.glob("*.test.mjs"))
    assert files
    ran = subprocess.run([located("node"), "--test", *files], capture_output=True, text=True, timeout=60, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "# fail 0" in ran.stdout
    assert "# tests 0" not in ran.stdout
