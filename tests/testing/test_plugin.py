"""The plugin in a user's hands: any kind of test, reports of failures, and errors that are sentences."""

import subprocess
import sys
from functools import partial
from pathlib import Path

import anyio.to_thread
import pytest

from tests.client.stub import Cut, Script, StubServer
from tests.testing.project import Run, run_pytest

pytestmark = pytest.mark.anyio

VOICE = """
import numpy as np
import pytest
from bargein.ports import SpeechChunk


class Tone:
    async def speak(self, text):
        tone = 6000 * np.sin(2 * np.pi * 400 * np.arange(4_800) / 16_000)
        yield SpeechChunk(tone.astype(np.int16), 16_000)

    async def run(self): ...


@pytest.fixture(scope="session")
def caller_voice():
    return Tone()
"""


async def against(stub: StubServer, folder: Path, tests: str, *arguments: str) -> Run:
    """Run tests in a process of their own against a stub that runs here."""
    work = partial(run_pytest, folder, "--bargein-url", stub.url, *arguments, tests=VOICE + tests)
    return await anyio.to_thread.run_sync(work)


async def test_tests_of_any_kind_have_a_caller(tmp_path: Path) -> None:
    tests = """
@pytest.fixture
def assistant():
    return {"name": "from the fixture"}


async def test_without_a_mark(caller):
    assert await caller.wait_for_answer() == 0.0
    assert caller.messages[0]["type"] == "status-update"


@pytest.mark.anyio
async def test_with_the_mark_of_another_plugin(caller):
    assert await caller.wait_for_answer() == 0.0


def test_that_blocks(caller, model):
    assert model.answers("One.") is model
    assert caller.wait_for_answer() == 0.0
    assert caller.call_id == "c1"


async def test_of_the_server_alone(agent_server):
    assert agent_server.url.startswith("http://127.0.0.1:")


async def test_of_several_calls_at_once(new_caller, owner):
    first, second = new_caller(), new_caller({"name": "given"})
    await second.wait_for_answer()
    await first.wait_for_answer()
    with pytest.raises(AttributeError, match="shout"):
        first.shout
"""
    async with StubServer(Script(greeting_ms=200)) as stub:
        done = await against(stub, tmp_path / "project", tests)
    assert done.status == 0, done.output
    assert "5 passed" in done.output
    made = [exchange.body["assistant"] for exchange in stub.requests if exchange.path == "/call"]
    assert [one["name"] for one in made] == ["from the fixture"] * 4 + ["given"]
    assert [one.get("model", {}).get("provider") for one in made] == [None, None, "custom-llm", None, None]
    assert [one.get("server", {}).get("url", "")[-7:] for one in made] == ["", "", "", "/server", "/server"]
    assert len([control for control in stub.controls if control["type"] == "end-call"]) == 5


async def test_a_failure_shows_what_was_measured_and_keeps_the_recording(tmp_path: Path) -> None:
    tests = """
async def test_cut(caller):
    await caller.say("Hello")
    await caller.interrupt_after(0.3, "Stop")
    assert caller.silent_within_ms(1)


async def test_early(caller):
    await caller.interrupt_after(5.0, "Stop")
"""
    cuts = [Cut(message_ms=100, silence_ms=120)]
    async with StubServer(Script(cuts=cuts, answer_ms=1500)) as stub:
        done = await against(stub, tmp_path / "project", tests, "--bargein-results", "kept")
    assert done.status == 1
    assert "2 failed" in done.output
    assert "assert <no: the assistant was silent 1" in done.output
    assert "where <no: the assistant was silent" in done.output
    assert "<Caller.silent_within_ms>(1)" in done.output.replace("CallerChecks", "Caller")
    assert "✂ user-interrupted" in done.output
    assert "CallerError: the assistant was silent after 0.3 s of speech: too early for 5 s" in done.output
    assert "from_thread" not in done.output, "the inside of the plugin is of no interest"
    kept = [tmp_path / "project" / "kept" / f"test_agent-test_{name}" for name in ("cut", "early")]
    assert all((folder / f"call.{kind}").is_file() for folder in kept for kind in ("json", "txt", "wav"))


async def test_errors_are_sentences(tmp_path: Path) -> None:
    tests = """
class TestOfAFile:
    @pytest.fixture
    def assistant(self): return "none.json"

    def test_missing(self, caller): ...


def test_refused(caller): ...


def test_of_a_model_without_a_script(model):
    import httpx
    httpx.post(model.url + "/chat/completions", json={"messages": [{"role": "user", "content": "Hi"}]})


def test_of_a_tool_without_an_answer(owner):
    import httpx
    calls = [{"id": "1", "function": {"name": "pay", "arguments": {}}}]
    httpx.post(owner.url, json={"message": {"type": "tool-calls", "toolCallList": calls}})
"""
    body = {"message": ["assistant.property numWord should not exist"], "error": "Bad Request", "statusCode": 400}
    async with StubServer(Script(status=400, body=body)) as stub:
        done = await against(stub, tmp_path / "project", tests)
    assert "answered 400: assistant.property numWord should not exist" in done.output
    assert "cannot read none.json" in done.output
    assert "asked for answer 1, but none was scripted; the conversation ends with user: “Hi”" in done.output
    assert "the tool pay was called, but the test has no answer" in done.output
    assert "Traceback" not in done.output
    assert "from_thread" not in done.output


def test_a_server_that_does_not_start_says_why(tmp_path: Path) -> None:
    tests = """
@pytest.fixture(scope="session")
def bargein_settings():
    return {"BARGEIN_TURN_MODEL": "none"}


def test_of_a_call(caller): ...
"""
    done = run_pytest(tmp_path / "project", tests=VOICE + tests)
    assert done.status == 1
    assert "the server ended before it listened" in done.output
    assert "BARGEIN_TURN_MODEL" in done.output
    assert "Traceback" not in done.output


def test_a_run_without_these_fixtures_loads_nothing_of_bargein() -> None:
    program = "import sys, bargein.testing.plugin; print(*sorted(sys.modules))"
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split()
    ours = {name for name in loaded if name.startswith("bargein")}
    assert ours == {"bargein", "bargein.testing", "bargein.testing.plugin"}
    assert {"numpy", "anyio", "httpx", "pydantic", "onnxruntime", "websockets"}.isdisjoint(loaded)
