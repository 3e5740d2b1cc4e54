"""Tool calls in real calls: each is run once, and always gets a result."""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anyio
import pytest

from bargein.call.record.history import STILL_RUNNING
from bargein.call.record.journal import read
from bargein.call.record.replay import replay
from bargein.call.tools.executor import MOST_RESULT_CHARS
from bargein.ports import ToolCall, ToolResult
from bargein.server.agents.tool_runners import ToolRunnerFactory
from bargein.store.journals import journal_path
from bargein.testing import LlmScript, TimedReply, TranscriberScript
from bargein.turns.tools.tool_calls import MAX_RUNNING
from tests.call.harness import Caller, calling, stored
from tests.call.harness import ended as ended_as
from tests.call.stage import ASKS, Stage, staged
from tests.vapi_schema import problems

pytestmark = pytest.mark.anyio

WEATHER = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object", "properties": {}}}}
CITY = '{"city": "Berlin"}'
MESSAGES = ["tool-calls", "tool-calls-result", "tool.completed", "conversation-update", "model-output",
            "user-interrupted", "status-update", "transcript", "speech-update"]  # fmt: skip


@dataclass
class Runner:
    """A tool runner with scripted results."""

    answer: ToolResult = field(default_factory=lambda: ToolResult("It rains."))
    ran: list[ToolCall] = field(default_factory=list)
    release: anyio.Event | None = None
    closed: bool = False

    def close(self) -> None:
        self.closed = True

    async def expand(self, tool: dict[str, Any]) -> Sequence[dict[str, Any]]:
        return (tool,)

    async def run(self, tool: dict[str, Any], call: ToolCall) -> ToolResult:
        assert tool["function"]["name"] == call.name
        self.ran.append(call)
        if self.release is not None:
            await self.release.wait()
        return self.answer


@contextmanager
def hired(monkeypatch: pytest.MonkeyPatch, runner: Runner) -> Iterator[Runner]:
    """Make every call run its tools with `runner`."""
    real = ToolRunnerFactory.tools
    monkeypatch.setattr(ToolRunnerFactory, "tools", lambda *_: runner)
    yield runner
    monkeypatch.setattr(ToolRunnerFactory, "tools", real)
    assert runner.closed


Body = dict[str, Any]


def asked_then(
    calls: Sequence[tuple[str, str]], said: str = "", after: str = "So that is that."
) -> Callable[[Body], LlmScript]:
    """Return a model that calls tools when the caller speaks, and talks once it has a result."""

    def script(body: Body) -> LlmScript:
        if body["messages"][-1]["role"] == "user":
            return LlmScript(tokens=[f"{word} " for word in said.split()], calls=calls)
        return LlmScript(tokens=[f"{word} " for word in after.split()])

    return script


def tooled(stage: Stage, *tools: Body, **more: Any) -> Body:
    assistant = stage.assistant(clientMessages=MESSAGES, **more)
    return {**assistant, "model": {**assistant["model"], "tools": list(tools)}}


async def said(caller: Caller, text: str) -> None:
    await caller.until(lambda: caller.of("transcript", role="assistant", transcriptType="final", transcript=text))


async def test_a_tool_is_run_and_its_result_is_answered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answer = ToolResult("It rains.", metadata={"source": "sky"})
    with hired(monkeypatch, Runner(answer)) as runner:
        async with staged(tmp_path, llm=asked_then([("weather", CITY)], "Let me see.")) as stage:
            async with calling(stage.url, tooled(stage, WEATHER)) as caller:
                await said(caller, "So that is that.")
                await caller.send({"type": "end-call"})
                await caller.until_closed()
            first, second = [(await stage.llm.exchange(n)).body for n in (0, 1)]
            assert len(stage.llm.exchanges) == 2
            record = await stored(stage.url, caller.id, until=lambda call: call["status"] == "ended")
    assert first["tools"] == [WEATHER]
    assert [(c.name, c.arguments) for c in runner.ran] == [("weather", CITY)]
    call = {"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": CITY}}
    user, asked, result = second["messages"]
    assert user == {"role": "user", "content": "Tell me a story."}
    assert asked == {"role": "assistant", "content": "Let me see.", "tool_calls": [call]}
    assert result == {"role": "tool", "tool_call_id": "call_1", "content": "It rains."}
    (told,), (came,) = caller.of("tool-calls"), caller.of("tool-calls-result")
    city = {"city": "Berlin"}
    shown = {
        **call, "function": {"name": "weather", "arguments": city}, "name": "weather", "parameters": city,
        "arguments": city,
    }  # fmt: skip
    assert told["toolCallList"] == told["toolCalls"] == [shown]
    assert told["toolWithToolCallList"] == [{**WEATHER, "name": "weather", "toolCall": shown}]
    assert came["toolCallResult"] == {
        "name": "weather", "toolCallId": "call_1", "result": "It rains.", "metadata": {"source": "sky"}
    }  # fmt: skip
    assert caller.of("tool.completed")[0]["toolCall"] == shown
    update = caller.of("conversation-update")[-1]
    assert update["messagesOpenAIFormatted"][:3] == [user, asked, result]
    assert [m["role"] for m in update["messages"]] == ["user", "bot", "tool_calls", "tool_call_result", "bot"]
    assert [m["role"] for m in update["conversation"]] == ["user", "assistant", "assistant"]
    assert [m["role"] for m in record["messages"]] == [m["role"] for m in update["messages"]]
    assert record["messages"][3]["metadata"] == {"source": "sky"}
    assert problems("ClientMessageToolCalls", told) == []
    assert problems("ClientMessageToolCallsResult", came) == []
    assert problems("ClientMessageConversationUpdate", update) == []


INTERRUPTS = TranscriberScript(
    timed=[
        TimedReply(200, "Tell me a story."),
        TimedReply(2400, "Wait", "partial"),
        TimedReply(2700, "Wait, in Celsius."),
    ]
)


async def test_a_tool_in_flight_outlives_an_interruption_and_is_run_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    long_talk = " ".join(f"word{n:02d}" for n in range(40))

    def script(body: Body) -> LlmScript:
        last = body["messages"][-1]
        if last["role"] == "user" and "Celsius" not in last["content"]:
            return LlmScript(tokens=[f"{w} " for w in long_talk.split()], calls=[("weather", CITY)])
        if last["role"] == "user":  # and the model is so bold as to ask again for what still runs
            return LlmScript(tokens=["Sure."], calls=[("weather", CITY)])
        return LlmScript(tokens=["It ", "rains."])

    runner = Runner(release=anyio.Event())
    with hired(monkeypatch, runner):
        async with staged(tmp_path, llm=script, transcriber=INTERRUPTS) as stage:
            async with calling(stage.url, tooled(stage, WEATHER)) as caller:
                await caller.until(lambda: caller.of("user-interrupted"))
                assert len(runner.ran) == 1
                await said(caller, "Sure.")
                assert runner.release is not None
                runner.release.set()
                await said(caller, "It rains.")
                await caller.send({"type": "end-call"})
                await caller.until_closed()
            bodies = [exchange.body["messages"] for exchange in stage.llm.exchanges]
            assert await ended_as(stage.url, caller.id) == "customer-ended-call"
    assert len(runner.ran) == 1, "it is not run again"
    assert len(bodies) == 3, "a result triggers one reply"
    cut = caller.of("user-interrupted")[0]["turnId"]
    after = caller.messages[[m for _, m in caller.messages].index(caller.of("user-interrupted")[0]) :]
    assert not [m for _, m in after if m["type"] == "tool-calls"]
    assert not [m for _, m in after if m.get("turnId") == cut and m["type"] == "model-output"]
    # While the tool ran, the model was told so; what it had said is what was heard.
    _, heard, running, user = bodies[1]
    assert long_talk.startswith(heard["content"])
    assert len(heard["content"]) < len(long_talk)
    assert running == {"role": "tool", "tool_call_id": heard["tool_calls"][0]["id"], "content": STILL_RUNNING}
    assert user == {"role": "user", "content": "Wait, in Celsius."}
    # And then both calls have the one result.
    results = [m["content"] for m in bodies[2] if m["role"] == "tool"]
    assert results == ["It rains.", "It rains."]
    assert [m["role"] for m in bodies[2]] == ["user", "assistant", "tool", "user", "assistant", "tool"]
    with journal_path(tmp_path, caller.id).open() as lines:
        head, events = read(lines)
        *_, last = replay(head, events)
    assert [m.text for m in last.state.history if m.role == "tool"] == results


async def test_what_a_model_may_not_call_is_told_to_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = [("nonsense", "{}"), ("weather", "{broken"), ("weather", "[1]"), ("weather", "{}")]
    with hired(monkeypatch, Runner(ToolResult("x" * 5_000_000))) as runner:
        async with staged(tmp_path, llm=asked_then(calls)) as stage:
            async with calling(stage.url, tooled(stage, WEATHER)) as caller:
                await said(caller, "So that is that.")
            body = (await stage.llm.exchange(1)).body
    results = [m["content"] for m in body["messages"] if m["role"] == "tool"]
    assert results[:3] == [
        "Not run: there is no tool called nonsense.",
        "Not run: its arguments are not a JSON object.",
        "Not run: its arguments are not a JSON object.",
    ]
    assert results[3].startswith("xxx")
    assert "5000000" in results[3]
    assert len(results[3]) < MOST_RESULT_CHARS + 100
    assert len(runner.ran) == 1
    assert ["error" in m["toolCallResult"] for m in caller.of("tool-calls-result")] == [True, True, True, False]


async def test_twenty_tools_at_once_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = [("weather", json.dumps({"city": n})) for n in range(20)]
    with hired(monkeypatch, Runner()) as runner:
        async with staged(tmp_path, llm=asked_then(calls)) as stage:
            async with calling(stage.url, tooled(stage, WEATHER)) as caller:
                await said(caller, "So that is that.")
            body = (await stage.llm.exchange(1)).body
    assert len(runner.ran) == MAX_RUNNING
    results = [m["content"] for m in body["messages"] if m["role"] == "tool"]
    assert len(results) == 20
    assert sum("Not run" in text for text in results) == 20 - MAX_RUNNING


async def test_without_anybody_to_run_it_a_tool_fails_in_words(tmp_path: Path) -> None:
    async with staged(tmp_path, llm=asked_then([("weather", CITY)])) as stage:
        async with calling(stage.url, tooled(stage, WEATHER)) as caller:
            await said(caller, "So that is that.")
        body = (await stage.llm.exchange(1)).body
    assert body["messages"][-1]["content"] == "It failed: there is no server to ask: no server.url is set."


async def test_end_call_ends_the_call_once_the_goodbye_has_been_heard(tmp_path: Path) -> None:
    async with staged(tmp_path, llm=asked_then([("endCall", "")], "Goodbye and thank you.")) as stage:
        async with calling(stage.url, tooled(stage, {"type": "endCall"})) as caller:
            await caller.until_closed()
        assert await ended_as(stage.url, caller.id) == "assistant-ended-call"
        assert len(stage.llm.exchanges) == 1
    assert (
        caller.of("transcript", role="assistant", transcriptType="final")[-1]["transcript"] == "Goodbye and thank you."
    )


async def test_dtmf_says_honestly_that_a_socket_has_no_keys(tmp_path: Path) -> None:
    async with staged(tmp_path, llm=asked_then([("dtmf", '{"dtmf": "12#"}')])) as stage:
        async with calling(stage.url, tooled(stage, {"type": "dtmf"})) as caller:
            await said(caller, "So that is that.")
        body = (await stage.llm.exchange(1)).body
    assert "no telephone keys" in body["messages"][-1]["content"]


async def test_the_tools_messages_are_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    messages = [
        {"type": "request-start", "content": "Looking it up.", "blocking": True},
        {"type": "request-response-delayed", "content": "Still looking.", "timingMilliseconds": 300},
        {"type": "request-complete", "content": "Found it.", "endCallAfterSpokenEnabled": True},
    ]
    runner = Runner(release=anyio.Event())
    with hired(monkeypatch, runner):
        async with staged(tmp_path, llm=asked_then([("weather", CITY)])) as stage:
            async with calling(stage.url, tooled(stage, {**WEATHER, "messages": messages})) as caller:
                await caller.until(lambda: caller.of("speech-update", role="assistant", status="started"))
                assert not runner.ran, "it waits until its message has been heard"
                await said(caller, "Looking it up.")
                await said(caller, "Still looking.")
                assert runner.release is not None
                runner.release.set()
                await caller.until_closed()
            assert await ended_as(stage.url, caller.id) == "assistant-ended-call-after-message-spoken"
            assert len(stage.llm.exchanges) == 1, "the message goes in place of the model's answer"
    assert caller.of("transcript", role="assistant", transcriptType="final")[-1]["transcript"] == "Found it."


async def test_an_async_tool_keeps_nobody_waiting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    runner = Runner(release=anyio.Event())
    with hired(monkeypatch, runner):
        async with staged(tmp_path, llm=asked_then([("weather", CITY)]), transcriber=ASKS) as stage:
            async with calling(stage.url, tooled(stage, {**WEATHER, "async": True})) as caller:
                await said(caller, "So that is that.")
                assert runner.release is not None
                runner.release.set()
                await caller.until(lambda: caller.of("tool-calls-result"))
            assert len(stage.llm.exchanges) == 2, "its result brings no reply"
    assert caller.of("tool-calls-result")[0]["toolCallResult"]["result"] == "It rains."
