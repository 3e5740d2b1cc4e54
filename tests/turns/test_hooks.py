"""Hooks: when they trigger, and what they do."""

import json

import pytest

from bargein.turns import Plan
from bargein.turns.commands import CallHookTool, RunTools, StartReply
from bargein.turns.events import HangUp, HookToolCalled, ToolCallRequest, TranscriptReceived, VoiceStarted
from bargein.turns.hooks.plan import Action, Hook
from bargein.turns.hooks.triggers import CLOSING_WITHOUT_CALLER_MS
from tests.turns.talking import Call, waiting

IDLE = Hook(
    on="customer.speech.timeout",
    do=(Action(kind="say", texts=("Are you there?", "Hello?")),),
    name="idle",
    after_ms=5000,
    max_count=2,
)
NOTE = Action(kind="tool", tool=0)


def texts(call: Call) -> list[str]:
    return [c.text for c in call.commands(StartReply) if c.text is not None]


def test_hooks_survive_the_head_of_a_journal() -> None:
    prompt = Action(kind="prompt", prompt=(("system", "Say bye."),))
    plan = Plan(hooks=(IDLE, Hook(on="call.ending", do=(prompt, NOTE), reasons=(("a", "b"),))))
    assert Plan.from_json(json.loads(json.dumps(plan.to_json()))) == plan


def answered(plan: Plan) -> tuple[Call, int]:
    """Make a call whose caller has been answered; return since when it is silent."""
    call = Call(plan)
    at_ms = call.settle(call.start().user_says(100, "Hello there."))
    call.model_says(at_ms, "Yes?", 500)
    call.until(at_ms + 1000)
    call.spoken(at_ms + 1000)
    return call, at_ms + 1000


def test_idle_messages_take_turns_and_stop_at_their_limit() -> None:
    call, now = answered(waiting(hooks=(IDLE,)))
    for n, text in enumerate(["Are you there?", "Hello?"]):
        call.until(now + 4999)
        assert len(texts(call)) == n
        call.until(now + 5000)
        call.model_says(now + 5000, text, 500)
        call.spoken(now + 5500)
        now += 5500
    assert texts(call) == ["Are you there?", "Hello?"]
    call.until(now + 29_999)
    assert len(texts(call)) == 2
    assert call.ended_reason() is None
    call.until(now + 30_000)
    assert call.ended_reason() == "silence-timed-out"


def test_an_idle_message_is_dropped_when_the_caller_speaks_first() -> None:
    call, now = answered(waiting(hooks=(IDLE,)))
    call.until(now + 5000)
    assert texts(call) == ["Are you there?"]
    call.feed(TranscriptReceived(now + 5100, "I am here.", final=True))
    assert call.outcomes()[-1] == "superseded"
    assert len(call.cuts()) == 0


def test_the_end_waits_for_a_hooks_tool_up_to_a_limit() -> None:
    call, now = answered(waiting(hooks=(Hook(on="call.ending", do=(NOTE,), max_count=1),)))
    call.feed(HangUp(now + 10, "customer-ended-call"))
    (asked,) = call.commands(CallHookTool)
    call.feed(HookToolCalled(now + 10, "another turn", (ToolCallRequest("x", "note", "{}"),)))
    assert call.commands(RunTools) == []
    call.feed(HookToolCalled(now + 10, asked.turn_id, (ToolCallRequest("x", "note", "{}"),)))
    assert call.commands(RunTools) == [RunTools(asked.turn_id, ("x",))]
    call.until(now + 9 + CLOSING_WITHOUT_CALLER_MS)
    assert call.ended_reason() is None
    call.until(now + 10 + CLOSING_WITHOUT_CALLER_MS)
    assert call.ended_reason() == "customer-ended-call"


def test_a_caller_who_has_left_is_told_nothing() -> None:
    bye = Action(kind="say", texts=("Bye.",))
    call, now = answered(waiting(hooks=(Hook(on="call.ending", do=(bye,), max_count=1),)))
    call.feed(HangUp(now + 10, "customer-ended-call"))
    assert call.ended_reason() == "customer-ended-call"
    assert texts(call) == []


def test_a_transcript_of_low_confidence_is_dropped_or_triggers_its_hook() -> None:
    again = Action(kind="say", texts=("Again?",))
    hook = Hook(
        on="assistant.transcriber.endpointedSpeechLowConfidence", do=(again,), confidence_min=0.2, confidence_max=0.4
    )
    call = Call(waiting(hooks=(hook,))).start()
    call.feed(TranscriptReceived(100, "mumble", final=True, confidence=0.1))
    assert texts(call) == []
    call.feed(TranscriptReceived(200, "a table for too", final=True, confidence=0.3))
    assert texts(call) == ["Again?"]
    call.feed(TranscriptReceived(300, "a table for two", final=True, confidence=0.4))
    assert call.state.caller.said == "a table for two"


def test_a_reply_over_an_earlier_voice_triggers_customer_interrupted_once() -> None:
    pardon = Action(kind="add", texts=("Be sorry.",), respond=False)
    call = Call(waiting(voice_ms=500, hooks=(Hook(on="customer.speech.interrupted", do=(pardon,)),)))
    audible_ms = call.talking()
    call.feed(VoiceStarted(max(audible_ms, call.state.now_ms) + 1, audible_ms - 20))
    assert [text for role, text in call.remembered() if role == "system"] == ["Be sorry."]


def test_a_caller_who_goes_on_with_an_answered_turn_was_interrupted() -> None:
    pardon = Action(kind="add", texts=("Be sorry.",), respond=False)
    call = Call(waiting(hooks=(Hook(on="customer.speech.interrupted", do=(pardon,)),))).start()
    call.voice(100, 700)
    call.feed(TranscriptReceived(800, "Tell me a", final=False))
    at_ms = call.settle(800)
    call.model_says(at_ms, "Well, I can.", 3000)
    call.until(at_ms + 1000)
    call.feed(TranscriptReceived(at_ms + 1000, "Tell me a story about the sea.", final=True))
    assert [text for role, text in call.remembered() if role == "system"] == ["Be sorry."]


@pytest.mark.parametrize(
    ("filters", "reason", "triggers"),
    [
        ((("customer-ended-call",),), "customer-ended-call", True),
        ((("customer-ended-call",),), "customer-busy", False),
        ((("a", "customer-busy"), ("customer-busy",)), "customer-busy", True),
        ((("a", "customer-busy"), ("b",)), "customer-busy", False),
        ((("pipeline-error",),), "call.in-progress.error-vapifault-worker-died", True),
        ((("pipeline-error",),), "silence-timed-out", False),
        ((("pipeline-error",),), "pipeline-error-openai-llm-failed", True),
    ],
)
def test_an_ending_hook_triggers_for_reasons_that_match_all_its_filters(
    filters: tuple[tuple[str, ...], ...], reason: str, triggers: bool
) -> None:
    call, now = answered(waiting(hooks=(Hook(on="call.ending", do=(NOTE,), max_count=1, reasons=filters),)))
    call.feed(HangUp(now + 10, reason))
    assert (call.ended_reason() is None) == triggers
    assert bool(call.commands(CallHookTool)) == triggers


def test_a_hook_for_a_silent_model_that_says_nothing_leaves_the_reply_running() -> None:
    plan = waiting(hooks=(Hook(on="model.response.timeout", do=(NOTE,), max_count=1),))
    call = Call(plan)
    at_ms = call.settle(call.start().user_says(100, "Hello there."))
    call.until(at_ms + plan.hang_ms + 1)
    assert len(call.commands(CallHookTool)) == 1
    assert call.outcomes() == []
    call.model_says(at_ms + plan.hang_ms + 100, "Yes?", 500)
    call.until(at_ms + plan.hang_ms + 1000)
    call.spoken(at_ms + plan.hang_ms + 1000)
    assert call.outcomes() == ["spoken"]


def test_a_hook_for_a_silent_model_that_says_something_replaces_the_reply() -> None:
    still = Action(kind="say", texts=("One moment.",))
    plan = waiting(hooks=(Hook(on="model.response.timeout", do=(still,), max_count=1),))
    call = Call(plan)
    at_ms = call.settle(call.start().user_says(100, "Hello there."))
    call.until(at_ms + plan.hang_ms + 1)
    assert call.outcomes() == ["replaced"]
    assert texts(call) == ["One moment."]
    now = at_ms + plan.hang_ms + 1
    call.model_says(now, "One moment.", 500)
    call.until(now + 1000)
    call.spoken(now + 1000)
    call.until(now + 1001)
    asked = [start for start in call.commands(StartReply) if start.text is None]
    assert len(asked) == 2, "the model is asked anew after that"
