"""The other frameworks of the interruption benchmark: pinned, and in environments of their own."""

import re
import sys
from pathlib import Path

import bench.peers
import pytest
from bench.capacity.processes import printing
from bench.interruption.__main__ import main
from bench.peers import PEERS, python_of, requirements_of, script_of, version_of

from tests.bench.collection import make


@pytest.mark.parametrize("name", PEERS)
def test_every_package_of_a_framework_is_pinned_to_a_version(name: str) -> None:
    lines = requirements_of(name).read_text(encoding="utf-8").splitlines()
    assert all(re.fullmatch(r"[\w.-]+==[\w.]+", line) for line in lines if not line.startswith("#"))
    assert re.fullmatch(r"[\d.]+", version_of(name))
    assert script_of(name).exists()
    compile(script_of(name).read_text(encoding="utf-8"), name, "exec")


def test_a_framework_that_is_not_installed_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(bench.peers, "ROOT", tmp_path)
    with pytest.raises(RuntimeError, match="is not installed"):
        python_of("pipecat")
    with pytest.raises(SystemExit):
        main(["--data", str(make(tmp_path)), "--against", "livekit"])
    assert "livekit is not installed" in capsys.readouterr().err


def test_an_unknown_part_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--data", str(tmp_path), "--parts", "command,nonsense"])
    assert "there is no part: nonsense" in capsys.readouterr().err


@pytest.mark.anyio
async def test_a_process_prints_its_urls_or_the_error_has_the_end_of_its_log(tmp_path: Path) -> None:
    program = 'import sys; print(\'{"url": "x"}\', flush=True); sys.stdin.read()'
    async with printing([sys.executable, "-c", program], ()) as (urls, pid):
        assert urls == {"url": "x"}
        assert pid > 0
    log = tmp_path / "log"
    with pytest.raises(RuntimeError, match="no luck today"):
        async with printing([sys.executable, "-c", "raise SystemExit('no luck today')"], (), log):
            pass
