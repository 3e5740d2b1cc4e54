"""One assistant hands the call to another."""

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


def test_the_new_one_begins_when_the_old_one_has_been_heard() -> None:
    call = Call()
    began = call.talking("I pass you on to Bea.", 2000)
    call.feed(HandoffRequested(began + 100, 0, BEA))
    assert taken_over(call) == []
    call.spoken(began + 2000)
    assert taken_over(call) == [0]
    assert replies(call) == [None, "Bea here."]
    assert call.state.plan == BEA


def test_it_goes_by_a_plan_of_its_own() -> None:
    call = Call(waiting(silence_timeout_ms=20_000)).start()
    call.feed(HandoffRequested(1000, 0, waiting(silence_timeout_ms=10_000)))
    assert replies(call) == []
    call.until(12_000)
    assert call.ended_reason() == "silence-timed-out"


def test_what_is_to_be_said_is_said_before() -> None:
    call = Call().start()
    call.feed(Say(100, "One moment."))
    call.feed(HandoffRequested(100, 0, BEA))
    assert taken_over(call) == []
    call.model_says(200, "One moment.", 300)
    call.until(300)
    call.spoken(700)
    assert replies(call) == ["One moment.", "Bea here."]


def test_a_caller_who_took_the_floor_is_answered_by_the_new_one() -> None:
    call = Call()
    began = call.talking("I pass you on to Bea, who knows all of that.", 3000)
    call.feed(HandoffRequested(began + 100, 0, BEA))
    call.hear(began + 1000, 1000)
    call.user_says(began + 1000, "Wait, who?", 900)
    call.until(began + 6000)
    assert len(call.cuts()) == 1
    assert taken_over(call) == [0]
    assert replies(call) == [None, None], "it answers, and does not greet"


def test_a_muted_one_takes_over_in_silence() -> None:
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
def test_the_new_one_is_told_what_the_plan_says(context: str, most: int, kept: list[str]) -> None:
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


def test_a_result_for_an_assistant_that_has_left_goes_nowhere() -> None:
    call = Call().start()
    at_ms = call.settle(call.user_says(100, "Hello there."))
    turn = call.reply()
    call.feed(ToolsCalled(at_ms, turn, (ToolCallRequest("a", "weather", "{}"),)))
    call.feed(ReplyEnded(at_ms, turn))
    call.feed(HandoffRequested(at_ms, 0, waiting(), "none"))
    call.feed(ToolReturned(at_ms + 100, "a", "Rain."))
    assert call.state.history == ()
    assert replies(call) == [None, None], "whoever has the call goes on"


ENDING = (Hook(on="call.ending", do=(Action(kind="tool", tool=0),), max_count=1),)


def ending(**plan: Any) -> Call:
    """A call that is ending, since its model has failed its caller, while a hook's tool runs."""
    call = Call(waiting(hooks=ENDING, **plan)).start()
    at_ms = call.settle(call.user_says(100, "Hello there."))
    call.feed(ReplyFailed(at_ms, call.reply(), "pipeline-error-openai-llm-failed"))
    (asked,) = call.commands(CallHookTool)
    call.feed(HookToolCalled(at_ms, asked.turn_id, (ToolCallRequest("x", "handoff", "{}"),)))
    assert call.ended_reason() is None
    return call


def test_a_call_that_is_ending_goes_on_with_who_takes_over_and_answers_its_caller() -> None:
    call = ending()
    call.feed(HandoffRequested(call.state.now_ms + 100, 0, BEA))
    assert taken_over(call) == [0]
    assert replies(call) == [None, None], "the caller, whom nobody has answered, is not greeted"
    call.until(call.state.now_ms + CLOSING_MS)
    assert call.state.plan == BEA
    assert call.state.phase == "live"


def test_who_takes_over_a_call_without_its_history_greets() -> None:
    call = ending()
    call.feed(HandoffRequested(call.state.now_ms + 100, 0, BEA, "none"))
    assert replies(call) == [None, "Bea here."]


def test_nobody_takes_over_a_call_whose_caller_has_gone() -> None:
    call = Call(waiting(hooks=ENDING)).start()
    call.feed(HangUp(1000, "customer-ended-call"))
    call.feed(HandoffRequested(1100, 0, BEA))
    call.until(1000 + CLOSING_WITHOUT_CALLER_MS)
    assert taken_over(call) == []
    assert call.ended_reason() == "customer-ended-call"


def test_nobody_takes_over_a_call_that_has_lasted_too_long() -> None:
    call = ending(max_duration_ms=5000)
    call.feed(HandoffRequested(5000, 0, BEA))
    call.until(30_000)
    assert taken_over(call) == []
    assert call.ended_reason() == "pipeline-error-openai-llm-failed"
