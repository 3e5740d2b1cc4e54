"""The page's own unit tests run under node: what of it needs no browser."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

HERE = Path(__file__).parent
NODE = shutil.which("node")


@pytest.mark.skipif(NODE is None and "CI" not in os.environ, reason="node is not installed")
def test_the_pages_modules() -> None:
    assert NODE is not None, "node is needed to test the page's modules: install it (Debian: nodejs)"
    files = sorted(str(path) for path in HERE.glob("*.test.mjs"))
    assert files
    ran = subprocess.run([NODE, "--test", *files], capture_output=True, text=True, timeout=60, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "# fail 0" in ran.stdout
    assert "# tests 0" not in ran.stdout
