"""No input of one call holds up the others: what its peers and its owner send costs the event loop little at a time."""

import asyncio
import gc
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest

from bargein.call.clients.controls import MOST_ADDED_CHARS, MOST_ADDED_MESSAGES
from bargein.testing import FakeLlm, FakeTranscriber, FakeVoice, LlmScript, TimedReply, TranscriberScript
from bargein.turns.caller import MOST_TRANSCRIPT_CHARS
from bargein.turns.replies.lifecycle import MOST_REPLY_CHARS
from tests.call.conftest import Log
from tests.call.harness import calling, running
from tests.call.stage import ASKS, STORY, Stage

pytestmark = pytest.mark.anyio

LONGEST_STEP_S = 0.05
"""The most processor time of one step of the server on the event loop."""

OF_SERVER: ContextVar[bool] = ContextVar("of_server")


class Steps:
    """The processor time of the longest step of the event loop, and whose it was."""

    def __init__(self) -> None:
        self.longest_s = 0.0
        self.of = ""


@asynccontextmanager
async def served(tmp_path: Path, llm: LlmScript = STORY, transcriber: TranscriberScript = ASKS) -> AsyncIterator[Stage]:
    """Run a server whose steps can be told from those of its peers and of the test."""
    token = OF_SERVER.set(True)
    async with running(tmp_path) as server:
        OF_SERVER.reset(token)
        async with FakeLlm(llm) as model, FakeVoice() as voice, FakeTranscriber(transcriber) as ears:
            yield Stage(server, model, voice, ears)


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> Iterator[Steps]:
    found = Steps()
    run = asyncio.Handle._run

    def measured(handle: asyncio.Handle) -> None:
        began = time.thread_time()
        run(handle)
        took_s = time.thread_time() - began
        if took_s > found.longest_s and handle._context.get(OF_SERVER, False):
            found.longest_s, found.of = took_s, repr(handle)

    monkeypatch.setattr(asyncio.Handle, "_run", measured)
    gc.disable()  # a collection of what other tests have left takes 100 ms
    yield found
    gc.enable()
    assert found.longest_s < LONGEST_STEP_S, f"{found.longest_s * 1000:.0f} ms in {found.of}"


def tool_pieces(size: int) -> bytes:
    """Return the events of one tool call whose arguments arrive letter by letter."""
    first = '{"choices":[{"delta":{"tool_calls":[{"index":0,"id":"a","function":{"name":"f","arguments":"{"}}]}}]}'
    piece = '{"choices":[{"delta":{"tool_calls":[{"index":0,"function":{"arguments":"}"}}]}}]}'
    return f"data: {first}\n\n".encode() + f"data: {piece}\n\n".encode() * size


REPLIES = {
    "one token of 3 MB": LlmScript(tokens=["a" * 3_000_000]),
    "one token of 900 KB": LlmScript(tokens=["a" * 900_000]),
    "300 KB without the end of a sentence": LlmScript(tokens=["word " * 60_000]),
    "20,000 tokens at once": LlmScript(tokens=["a "] * 20_000),
    "many short sentences": LlmScript(tokens=["Ah. " * 5000]),
    "the arguments of a tool, letter by letter": LlmScript(tokens=["Well. "], tail=tool_pieces(10_000)),
}


@pytest.mark.parametrize("script", REPLIES.values(), ids=REPLIES)
async def test_a_long_reply_holds_up_no_other_call(tmp_path: Path, script: LlmScript, steps: Steps) -> None:
    async with served(tmp_path, llm=script) as stage, calling(stage.url, stage.assistant()) as caller:
        await caller.until(lambda: stage.llm.exchanges, 10)
        steps.longest_s = 0.0
        with anyio.move_on_after(3):
            await caller.until_closed()


async def test_a_reply_is_cut_at_its_limit(tmp_path: Path, log: Log) -> None:
    script = LlmScript(tokens=["word " * 1000] * 100)
    async with served(tmp_path, llm=script) as stage, calling(stage.url, stage.assistant()) as caller:
        await caller.until(lambda: log.lines("a reply was cut: it is too long"), 10)
        sent = "".join(message["output"] for message in caller.of("model-output"))
        assert len(sent) == MOST_REPLY_CHARS


TRANSCRIPTS: dict[str, Any] = {
    "a final of 200 KB": TranscriberScript(timed=[TimedReply(300, "hum " * 50_000)]),
    "partials that grow": TranscriberScript(timed=[TimedReply(300, "hum " * n, "partial") for n in range(1, 2000, 10)]),
    "10,000 partials at once": TranscriberScript(timed=[TimedReply(300, f"hum {n}", "partial") for n in range(10_000)]),
    "1,000 finals at once": TranscriberScript(timed=[TimedReply(300, f"hum {n} " * 20) for n in range(1000)]),
}


@pytest.mark.parametrize("script", TRANSCRIPTS.values(), ids=TRANSCRIPTS)
async def test_long_transcripts_hold_up_no_other_call(tmp_path: Path, script: TranscriberScript, steps: Steps) -> None:
    async with served(tmp_path, transcriber=script) as stage, calling(stage.url, stage.assistant()) as caller:
        steps.longest_s = 0.0
        await caller.until(lambda: caller.of("transcript", role="user"), 10)
        with anyio.move_on_after(3):
            await caller.until_closed()
        assert all(len(m["transcript"]) <= MOST_TRANSCRIPT_CHARS for m in caller.of("transcript", role="user"))


RULES = [
    {"type": "customer", "regex": "(a|a)+$", "timeoutSeconds": 1},
    {"type": "customer", "regex": r"(\w+\s?)+!", "timeoutSeconds": 1},
    {"type": "customer", "regex": r"(?:[ab]?){300}c", "timeoutSeconds": 1},
]


async def test_rules_hold_up_no_other_call(tmp_path: Path, steps: Steps) -> None:
    said = TranscriberScript(timed=[TimedReply(300 + 20 * n, "a" * (40 + n) + "!", "partial") for n in range(50)])
    plan = {"startSpeakingPlan": {"customEndpointingRules": RULES}}
    async with served(tmp_path, transcriber=said) as stage, calling(stage.url, stage.assistant(**plan)) as caller:
        steps.longest_s = 0.0
        await caller.until(lambda: len(caller.of("transcript", role="user")) >= 50, 10)


async def test_templates_and_long_says_hold_up_no_other_call(tmp_path: Path, steps: Steps) -> None:
    nested = "{% for a in (1..1000) %}{% for b in (1..1000) %}{{ a }}{% endfor %}{% endfor %}"
    async with served(tmp_path, transcriber=ASKS) as stage, calling(stage.url, stage.assistant()) as caller:
        steps.longest_s = 0.0
        for _ in range(100):
            await caller.send({"type": "say", "content": nested})
        await caller.send({"type": "say", "content": "word " * 5_000, "interruptAssistantEnabled": True})
        await caller.until(lambda: caller.of("voice-input", input=("word " * 48)[:-1]), 10)
        await anyio.sleep(1)


async def test_clients_add_messages_up_to_a_limit(tmp_path: Path, steps: Steps) -> None:
    def refused() -> list[dict[str, Any]]:
        return [message for _, message in caller.messages if message.get("statusCode") == 400]

    plain = {"clientMessages": ["transcript"]}
    added = {"type": "add-message", "message": {"role": "system", "content": "hum"}, "triggerResponseEnabled": False}
    long = {**added, "message": {"role": "system", "content": "hum " * 10_000}}
    async with served(tmp_path) as stage:
        async with calling(stage.url, stage.assistant(**plain)) as caller:
            steps.longest_s = 0.0
            for _ in range(MOST_ADDED_MESSAGES + 1):
                await caller.send(added)
            await caller.until(refused, 30)
            assert len(refused()) == 1
        async with calling(stage.url, stage.assistant()) as caller:
            for _ in range(MOST_ADDED_CHARS // 40_000 + 1):
                await caller.send(long)
            await caller.until(refused, 30)


BODIES: dict[str, dict[str, Any]] = {
    "many messages": {"model": {"provider": "vapi", "messages": [{"role": "system", "content": "a"}] * 20_000}},
    "many hooks": {"hooks": [{"on": "call.ending", "do": [{"type": "say", "exact": "a"}]}] * 15_000},
    "many rules": {"startSpeakingPlan": {"customEndpointingRules": RULES * 4000}},
    "many tools": {"model": {"provider": "vapi", "tools": [{"type": "endCall"}] * 30_000}},
}


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
async def test_a_large_assistant_holds_up_no_call(tmp_path: Path, body: dict[str, Any], steps: Steps) -> None:
    async with served(tmp_path) as stage, httpx.AsyncClient(base_url=stage.url) as client:
        steps.longest_s = 0.0
        answer = await client.post("/assistant", json=body, timeout=30)
        assert answer.status_code in {201, 400}
