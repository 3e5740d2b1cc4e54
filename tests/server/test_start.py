"""A server that cannot start: one sentence on stderr, an exit code, and no traceback."""

import os
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

COMMAND = [sys.executable, "-c", "from bargein.cli import main; main()", "serve", "--port"]


def a_file(folder: Path) -> None:
    folder.write_text("")


def garbage(folder: Path) -> None:
    folder.mkdir()
    (folder / "bargein.db").write_bytes(b"garbage" * 2000)


def an_empty_key(folder: Path) -> None:
    folder.mkdir()
    (folder / "secret.key").write_text("")


def a_folder_as_node(folder: Path) -> None:
    (folder / "node").mkdir(parents=True)


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (a_file, "(BARGEIN_DATA_DIR) cannot be used: it is a file and no folder"),
        (garbage, "(BARGEIN_DATA_DIR) is damaged"),
        (an_empty_key, "secret.key is empty"),
        (a_folder_as_node, "node: it is a folder and no file"),
    ],
)
def test_what_cannot_be_opened_is_said_in_one_sentence(
    tmp_path: Path, spoil: Callable[[Path], None], said: str
) -> None:
    folder = tmp_path / "data"
    spoil(folder)
    stopped = started(folder, 0)
    assert stopped.returncode == 2
    *log, sentence = stopped.stderr.splitlines()
    assert sentence.startswith("bargein: ")
    assert [line for line in log if '"level": "error"' in line] == []
    assert str(folder) in sentence
    assert said in sentence
    assert "Traceback" not in stopped.stdout + stopped.stderr


def test_a_port_that_is_taken_is_said_too(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        stopped = started(tmp_path, port)
    assert stopped.returncode == 2
    assert f"cannot listen on 127.0.0.1:{port}" in stopped.stderr


def started(folder: Path, port: int) -> subprocess.CompletedProcess[str]:
    """Run a server that cannot start until it has stopped."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("BARGEIN_", "OPENAI_"))}
    return subprocess.run(
        [*COMMAND, str(port)],
        env=kept | {"BARGEIN_DATA_DIR": str(folder)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
