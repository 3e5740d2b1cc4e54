"""Hooks in real calls, each triggered over a socket."""

from pathlib import Path
from typing import Any

import pytest

from bargein.call.record.journal import read
from bargein.call.record.replay import replay
from bargein.ports import UNANSWERED, ToolResult
from bargein.store.journals import journal_path
from bargein.testing import FakeLlm, LlmScript, TimedReply, TranscriberScript
from tests.call.harness import Caller, calling
from tests.call.harness import ended as ended_as
from tests.call.stage import STORY, staged
from tests.call.test_journal import watched_steps
from tests.call.test_tools import MESSAGES, Runner, hired
from tests.webhooks.receiver import Got, Receiver

pytestmark = pytest.mark.anyio

SILENT = TranscriberScript()
LATE = TranscriberScript(timed=[TimedReply(1200, "Tell me a story.")])
FAILED = "pipeline-error-custom-llm-500-server-error"
END = {"type": "tool", "tool": {"type": "endCall"}}
NOTE = {"type": "tool", "tool": {"type": "function", "function": {"name": "note"}, "server": {"url": "http://x.test"}}}


def says(*texts: str) -> dict[str, Any]:
    return {"type": "say", "exact": list(texts)}


def hook(on: str, *do: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"on": on, "do": list(do), **more}


async def said(caller: Caller, text: str, seconds: float = 10) -> None:
    await caller.until(
        lambda: caller.of("transcript", role="assistant", transcriptType="final", transcript=text), seconds
    )


def answers_tools(got: Got) -> dict[str, Any]:
    """An owner's server that answers every tool call."""
    called = got.message.get("toolCallList", [])
    return {"results": [{"toolCallId": call["id"], "result": "Noted."} for call in called]}


def finals(caller: Caller) -> list[str]:
    return [m["transcript"] for m in caller.of("transcript", role="assistant", transcriptType="final")]


async def test_a_silent_caller_is_asked_and_the_call_replays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    options = {"timeoutSeconds": 1, "triggerMaxCount": 2}
    hooks = [
        hook("customer.speech.timeout", says("Still there?", "Hello?"), options=options, name="idle"),
        hook("customer.speech.timeout", END, options={"timeoutSeconds": 4, "triggerMaxCount": 1}),
        hook("customer.speech.timeout", says(), options={"timeoutSeconds": 2}),
        hook("call.timeElapsed", {"type": "say"}, options={"seconds": 1}),
        hook("session.created", NOTE),
    ]
    with watched_steps(monkeypatch) as steps:
        async with staged(tmp_path, transcriber=SILENT) as stage:
            mine = stage.speaker("Hi.", hooks=hooks, endCallMessage="Goodbye then.")
            async with calling(stage.url, mine) as caller:
                await said(caller, "Still there?")
                await said(caller, "Hello?")
                await caller.until_closed()
            assert await ended_as(stage.url, caller.id) == "assistant-ended-call"
    assert finals(caller) == ["Hi.", "Still there?", "Hello?", "Goodbye then."]
    started = caller.when("speech-update", role="assistant", status="started")
    stopped = caller.when("speech-update", role="assistant", status="stopped")
    for before, after in zip(stopped[:2], started[1:3], strict=True):
        assert after - before >= 980
    with journal_path(tmp_path, caller.id).open() as lines:
        head, events = read(lines)
        assert [(moment.event, moment.commands) for moment in replay(head, events)] == steps


async def test_idle_messages_of_the_older_plan(tmp_path: Path) -> None:
    plan = {"idleMessages": ["Anyone?"], "idleTimeoutSeconds": 1, "idleMessageMaxSpokenCount": 1}
    async with (
        staged(tmp_path, transcriber=SILENT) as stage,
        calling(stage.url, stage.speaker("Hi.", messagePlan=plan)) as caller,
    ):
        await said(caller, "Anyone?")
    assert finals(caller) == ["Hi.", "Anyone?"]


async def test_who_interrupts_the_assistant_hears_its_hook_and_then_the_answer(tmp_path: Path) -> None:
    words = TranscriberScript(
        timed=[
            TimedReply(300, "Tell me a story."),
            TimedReply(3000, "Wait", "partial"),
            TimedReply(3300, "Wait, stop."),
        ]
    )
    hooks = [
        hook(
            "assistant.speech.interrupted",
            says("Sorry."),
            {"type": "message.add", "message": {"role": "system", "content": "You were cut."},
             "triggerResponseEnabled": False},
        )
    ]  # fmt: skip

    def model(body: dict[str, Any]) -> LlmScript:
        return STORY if body["messages"][-1]["content"] == "Tell me a story." else LlmScript(tokens=["Yes? "])

    async with staged(tmp_path, llm=model, transcriber=words) as stage:
        async with calling(stage.url, stage.assistant(hooks=hooks)) as caller:
            await said(caller, "Yes?", 15)
        second = (await stage.llm.exchange(1)).body["messages"]
    assert finals(caller)[-2:] == ["Sorry.", "Yes?"]
    assert caller.of("user-interrupted")[0]["turnId"]
    # The hook's words were said after the caller had begun, so that the request ends with a reminder of the caller's.
    assert [m["content"] for m in second if m["role"] == "system"] == ["You were cut.", UNANSWERED]
    spoken = [m["content"] for m in second if m["role"] != "system"]
    assert spoken[-2:] == ["Wait, stop.", "Sorry."]


async def test_time_elapsed_calls_a_tool_and_asks_the_model_what_to_say(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prompt = {"type": "say", "prompt": "Wrap up: {{transcript}}"}
    hooks = [hook("call.timeElapsed", NOTE, prompt, options={"seconds": 1})]
    with hired(monkeypatch, Runner(ToolResult("Noted."))) as runner:
        async with staged(tmp_path, llm=LlmScript(tokens=["Time ", "flies. "]), transcriber=SILENT) as stage:
            mine = stage.speaker("Hi.", hooks=hooks, clientMessages=MESSAGES)
            async with calling(stage.url, mine) as caller:
                await said(caller, "Time flies.")
            asked = (await stage.llm.exchange(0)).body
    assert [one.name for one in runner.ran] == ["note"]
    assert asked["messages"][-1] == {"role": "system", "content": "Wrap up: AI: Hi."}
    assert "tools" not in asked
    assert len(caller.of("tool-calls")) == len(caller.of("tool-calls-result")) == 1
    assert len(stage.llm.exchanges) == 1, "a hook's tool asks nobody for an answer"


async def test_the_older_actions_call_a_function_and_transfer_the_caller(tmp_path: Path) -> None:
    number = {"type": "number", "number": "+14155550100"}
    fails = [{"type": "oneOf", "key": "call.endedReason", "oneOf": ["pipeline-error"]}]
    async with (
        Receiver([answers_tools]) as owner,
        staged(tmp_path, llm=LlmScript(status=500), transcriber=LATE) as stage,
    ):
        function = {"type": "function", "function": {"name": "note"}, "server": {"url": owner.url}}
        mine = stage.assistant(
            server={"url": owner.url},
            serverMessages=["phone-call-control"],
            hooks=[
                hook("call.timeElapsed", function, options={"seconds": 1}),
                hook("call.ending", says("One moment."), {"type": "transfer", "destination": number}, filters=fails),
            ],
        )
        async with calling(stage.url, mine) as caller:
            await caller.until_closed()
        assert await ended_as(stage.url, caller.id) == FAILED
    (called,) = owner.of("tool-calls")
    assert called["toolCallList"][0]["function"]["name"] == "note"
    (forward,) = owner.of("phone-call-control")
    assert (forward["request"], forward["destination"]) == ("forward", number)
    assert finals(caller) == ["One moment."]
    assert [m["status"] for m in caller.of("status-update")] == ["in-progress", "forwarding", "ended"]


async def test_a_call_whose_model_fails_is_saved_by_another_assistant(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with watched_steps(monkeypatch) as steps:
        async with (
            staged(tmp_path, llm=LlmScript(status=500), transcriber=LATE) as stage,
            FakeLlm(LlmScript(tokens=["Once ", "upon ", "a ", "time. "])) as other,
        ):
            bea = stage.assistant(name="Bea")
            bea["model"] = {**bea["model"], "url": other.url}
            pass_on = {"type": "handoff", "destinations": [{"type": "assistant", "assistant": bea}]}
            hooks = [hook("call.ending", says("One moment."), {"type": "tool", "tool": pass_on})]
            async with calling(stage.url, stage.assistant(hooks=hooks)) as caller:
                await said(caller, "Once upon a time.")
                await caller.send({"type": "end-call"})
                await caller.until_closed()
            asked = (await other.exchange(0)).body["messages"]
            assert await ended_as(stage.url, caller.id) == "customer-ended-call"
    assert finals(caller) == ["One moment.", "Once upon a time."]
    assert [m["content"] for m in asked if m["role"] == "user"] == ["Tell me a story."]
    with journal_path(tmp_path, caller.id).open() as lines:
        head, events = read(lines)
        assert [(moment.event, moment.commands) for moment in replay(head, events)] == steps


async def test_who_has_hung_up_is_told_nothing_but_the_tool_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hooks = [hook("call.ending", says("Never."), NOTE)]
    with hired(monkeypatch, Runner()) as runner:
        async with staged(tmp_path, transcriber=SILENT) as stage:
            async with calling(stage.url, stage.speaker("Hi.", hooks=hooks)) as caller:
                await said(caller, "Hi.")
            assert await ended_as(stage.url, caller.id) == "customer-ended-call"
    assert finals(caller) == ["Hi."]
    assert [one.name for one in runner.ran] == ["note"]


async def test_a_caller_who_is_cut_by_the_assistant(tmp_path: Path) -> None:
    words = TranscriberScript(
        timed=[TimedReply(300, "Tell me a", "partial"), TimedReply(6000, "Tell me a story about the sea.")]
    )
    hooks = [hook("customer.speech.interrupted", says("Pardon me."))]
    async with (
        staged(tmp_path, llm=STORY, transcriber=words) as stage,
        calling(stage.url, stage.assistant(hooks=hooks)) as caller,
    ):
        await said(caller, "Pardon me.", 20)


async def test_a_model_that_is_late(tmp_path: Path) -> None:
    def model(body: dict[str, Any]) -> LlmScript:
        del body
        return LlmScript(tokens=["At ", "last. "], first_token_ms=0 if len(stage.llm.exchanges) > 1 else 60_000)

    async with staged(tmp_path, llm=model) as stage:
        hooks = [hook("model.response.timeout", says("Bear with me."))]
        async with calling(stage.url, stage.assistant(hooks=hooks)) as caller:
            await said(caller, "At last.", 20)
    assert finals(caller) == ["Bear with me.", "At last."]
    assert caller.of("hang")


async def test_a_transcript_that_is_in_doubt_is_asked_about_and_one_that_is_worse_is_dropped(tmp_path: Path) -> None:
    words = TranscriberScript(
        timed=[
            TimedReply(300, "Mumble.", confidence=0.1),
            TimedReply(900, "A table for too.", confidence=0.3),
            TimedReply(4000, "A table for two.", confidence=0.9),
        ]
    )
    on = "assistant.transcriber.endpointedSpeechLowConfidence"
    hooks = [hook(on, says("Once more, please."), options={"confidenceMin": 0.2, "confidenceMax": 0.4})]
    async with staged(tmp_path, llm=LlmScript(tokens=["Done. "]), transcriber=words) as stage:
        async with calling(stage.url, stage.assistant(hooks=hooks)) as caller:
            await said(caller, "Done.")
        asked = (await stage.llm.exchange(0)).body["messages"]
    assert finals(caller) == ["Once more, please.", "Done."]
    assert [m["content"] for m in asked if m["role"] == "user"] == ["A table for two."]
