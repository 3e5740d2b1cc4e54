"""Handoff from one assistant to another."""

from typing import Any

import pytest

from bargein.turns import Plan
from bargein.turns.commands import CallHookTool, StartReply, SwitchAssistant
from bargein.turns.events import (
    HandoffRequested,
    HangUp,
    HookToolCalled,
    Mute,
    ReplyEnded,
    ReplyFailed,
    Say,
    ToolCallRequest,
    ToolReturned,
    ToolsCalled,
)
from bargein.turns.hooks.plan import Action, Hook
from bargein.turns.hooks.triggers import CLOSING_MS, CLOSING_WITHOUT_CALLER_MS
from tests.turns.talking import Call, waiting

BEA = Plan(first_message="Bea here.", voice_ms=500)


def taken_over(call: Call) -> list[int]:
    return [c.successor for c in call.commands(SwitchAssistant)]


def replies(call: Call) -> list[str | None]:
    return [c.text for c in call.commands(StartReply)]


def test_the_new_assistant_begins_when_the_old_one_has_been_heard() -> None:
    call = Call()
    began = call.talking("I pass you on to Bea.", 2000)
    call.feed(HandoffRequested(began + 100, 0, BEA))
    assert taken_over(call) == []
    call.spoken(began + 2000)
    assert taken_over(call) == [0]
    assert replies(call) == [None, "Bea here."]
    assert call.state.plan == BEA


def test_the_new_assistant_has_its_own_plan() -> None:
    call = Call(waiting(silence_timeout_ms=20_000)).start()
    call.feed(HandoffRequested(1000, 0, waiting(silence_timeout_ms=10_000)))
    assert replies(call) == []
    call.until(12_000)
    assert call.ended_reason() == "silence-timed-out"


def test_pending_says_come_before_the_handoff() -> None:
    call = Call().start()
    call.feed(Say(100, "One moment."))
    call.feed(HandoffRequested(100, 0, BEA))
    assert taken_over(call) == []
    call.model_says(200, "One moment.", 300)
    call.until(300)
    call.spoken(700)
    assert replies(call) == ["One moment.", "Bea here."]


def test_a_caller_who_interrupts_is_answered_by_the_new_assistant() -> None:
    call = Call()
    began = call.talking("I pass you on to Bea, who knows all of that.", 3000)
    call.feed(HandoffRequested(began + 100, 0, BEA))
    call.hear(began + 1000, 1000)
    call.user_says(began + 1000, "Wait, who?", 900)
    call.until(began + 6000)
    assert len(call.cuts()) == 1
    assert taken_over(call) == [0]
    assert replies(call) == [None, None], "it answers, and does not greet"


def test_a_muted_assistant_takes_over_in_silence() -> None:
    call = Call().start()
    call.feed(Mute(50, "assistant", on=True))
    call.feed(Say(100, "One moment."))
    call.feed(HandoffRequested(200, 0, BEA))
    assert taken_over(call) == [0]
    assert replies(call) == []


@pytest.mark.parametrize(
    ("context", "most", "kept"),
    [
        ("all", 0, ["user", "assistant", "calls", "tool"]),
        ("none", 0, []),
        ("userAndAssistantMessages", 0, ["user", "assistant"]),
        ("lastNMessages", 0, []),
        ("lastNMessages", 1, []),
        ("lastNMessages", 2, ["calls", "tool"]),
        ("lastNMessages", 9, ["user", "assistant", "calls", "tool"]),
    ],
)
def test_the_new_assistant_sees_the_history_that_the_plan_says(context: str, most: int, kept: list[str]) -> None:
    call = Call().start()
    at_ms = call.settle(call.user_says(100, "Hello there."))
    turn = call.model_says(at_ms, "One moment.", 600, ended=False)
    call.feed(ToolsCalled(at_ms, turn, (ToolCallRequest("a", "handoff", "{}"),)))
    call.feed(ReplyEnded(at_ms, turn))
    call.feed(ToolReturned(at_ms + 10, "a", "Handed over.", say=""))
    call.until(at_ms + 1000)
    call.feed(HandoffRequested(at_ms + 1000, 0, waiting(), context, most))  # type: ignore[arg-type]
    call.spoken(at_ms + 1200)
    assert taken_over(call) == [0]
    assert ["calls" if m.tool_calls else m.role for m in call.state.history] == kept


def test_a_result_for_the_previous_assistant_is_dropped() -> None:
    call = Call().start()
    at_ms = call.settle(call.user_says(100, "Hello there."))
    turn = call.reply()
    call.feed(ToolsCalled(at_ms, turn, (ToolCallRequest("a", "weather", "{}"),)))
    call.feed(ReplyEnded(at_ms, turn))
    call.feed(HandoffRequested(at_ms, 0, waiting(), "none"))
    call.feed(ToolReturned(at_ms + 100, "a", "Rain."))
    assert call.state.history == ()
    assert replies(call) == [None, None], "the present assistant goes on"


ENDING = (Hook(on="call.ending", do=(Action(kind="tool", tool=0),), max_count=1),)


def ending(**plan: Any) -> Call:
    """Make a call that is ending because its model failed, while a hook's tool runs."""
    call = Call(waiting(hooks=ENDING, **plan)).start()
    at_ms = call.settle(call.user_says(100, "Hello there."))
    call.feed(ReplyFailed(at_ms, call.reply(), "pipeline-error-openai-llm-failed"))
    (asked,) = call.commands(CallHookTool)
    call.feed(HookToolCalled(at_ms, asked.turn_id, (ToolCallRequest("x", "handoff", "{}"),)))
    assert call.ended_reason() is None
    return call


def test_a_closing_call_goes_on_with_the_new_assistant_which_answers() -> None:
    call = ending()
    call.feed(HandoffRequested(call.state.now_ms + 100, 0, BEA))
    assert taken_over(call) == [0]
    assert replies(call) == [None, None], "an unanswered caller is answered, not greeted"
    call.until(call.state.now_ms + CLOSING_MS)
    assert call.state.plan == BEA
    assert call.state.phase == "live"


def test_an_assistant_that_takes_over_without_history_greets() -> None:
    call = ending()
    call.feed(HandoffRequested(call.state.now_ms + 100, 0, BEA, "none"))
    assert replies(call) == [None, "Bea here."]


def test_no_handoff_happens_once_the_caller_has_left() -> None:
    call = Call(waiting(hooks=ENDING)).start()
    call.feed(HangUp(1000, "customer-ended-call"))
    call.feed(HandoffRequested(1100, 0, BEA))
    call.until(1000 + CLOSING_WITHOUT_CALLER_MS)
    assert taken_over(call) == []
    assert call.ended_reason() == "customer-ended-call"


def test_no_handoff_happens_after_the_maximum_duration() -> None:
    call = ending(max_duration_ms=5000)
    call.feed(HandoffRequested(5000, 0, BEA))
    call.until(30_000)
    assert taken_over(call) == []
    assert call.ended_reason() == "pipeline-error-openai-llm-failed"
