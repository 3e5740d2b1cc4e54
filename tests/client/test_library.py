"""The library as a user sees it: the example on its page, its controls, and what it imports."""

import re
import subprocess
import sys
from pathlib import Path

import anyio
import pytest

from bargein.client import Server, create_call, join
from bargein.clock import LoopClock
from bargein.providers.embedded import Embedded
from bargein.wire.client_controls import (
    AddMessage,
    Control,
    EndCall,
    Handoff,
    PressKeys,
    Say,
    Transfer,
    parse_client_control,
)
from tests.call.harness import serving
from tests.client.stub import StubServer
from tests.test_readme import hang_up_from_outside

pytestmark = pytest.mark.anyio

PAGE = Path(__file__).resolve().parents[2] / "docs" / "guides" / "client.md"
BEA = {"type": "assistant", "assistantName": "Bea"}
NUMBER = {"type": "number", "number": "+14155550100"}


async def test_the_example_on_the_page_runs(tmp_path: Path) -> None:
    found = re.search(r"<!-- test: client -->\n```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert found is not None
    async with serving(tmp_path, Embedded(LoopClock())) as url, anyio.create_task_group() as tasks:
        tasks.start_soon(hang_up_from_outside, url)
        program = found.group(1).replace("http://127.0.0.1:8700", url)
        with anyio.fail_after(30):
            done = await anyio.run_process([sys.executable, "-c", program], stderr=subprocess.STDOUT, check=False)
    assert done.stdout.decode().split() == ["in-progress", "ended"]
    assert done.returncode == 0


async def test_the_server_parses_every_control() -> None:
    async with StubServer() as stub:
        server = Server(url=stub.url)
        async with join(server, await create_call(server, assistant={})) as connection:
            await connection.say("Good bye.", end_call_after_spoken=True, interruptions_enabled=False)
            await connection.add_message("system", "Be brief.", trigger_response=False)
            await connection.mute()
            await connection.mute("assistant", on=False)
            await connection.transfer(NUMBER)
            await connection.handoff(BEA, "One moment.")
            await connection.press("12#")
            await connection.end_call()
            kinds = [message["type"] async for message in connection.messages()]
    assert kinds[0] == "status-update"
    say, added, mute, unmute, transfer, handoff, keys, end = map(parse_client_control, stub.controls)
    assert isinstance(say, Say)
    assert (say.content, say.end_call_after_spoken, say.interruptions_enabled) == ("Good bye.", True, False)
    assert isinstance(added, AddMessage)
    assert (added.message.role, added.trigger_response_enabled) == ("system", False)
    assert isinstance(mute, Control)
    assert isinstance(unmute, Control)
    assert (mute.control, unmute.control) == ("mute-customer", "unmute-assistant")
    assert isinstance(transfer, Transfer)
    assert (transfer.destination, transfer.content) == (NUMBER, None)
    assert isinstance(handoff, Handoff)
    assert (handoff.destination, handoff.content) == (BEA, "One moment.")
    assert isinstance(keys, PressKeys)
    assert keys.keys == "12#"
    assert isinstance(end, EndCall)


def test_importing_it_does_not_import_the_server() -> None:
    listed = "import sys, bargein.client; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", listed], capture_output=True, text=True, check=True, timeout=60)
    modules = done.stdout.split()
    ours = {name for name in modules if name.startswith("bargein.")}
    assert ours <= {name for name in ours if name.startswith(("bargein.client.", "bargein.settings."))} | {
        "bargein.audio", "bargein.audio.pcm", "bargein.client", "bargein.clock", "bargein.errors",
        "bargein.http_client", "bargein.settings", "bargein.wire", "bargein.wire.base", "bargein.wire.json",
    }  # fmt: skip
    heavy = {
        "fastapi",
        "starlette",
        "uvicorn",
        "sqlalchemy",
        "alembic",
        "onnxruntime",
        "soxr",
        "soundfile",
        "structlog",
    }
    assert not heavy & {name.partition(".")[0] for name in modules}
