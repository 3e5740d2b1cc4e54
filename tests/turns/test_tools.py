"""Tool calls: when they run, their results, and the messages about them."""

from typing import Any

from bargein.turns.commands import Remember, RunTools, StartReply, StopTool
from bargein.turns.events import (
    AddMessage,
    DelayMessage,
    HangUp,
    Mute,
    ReplyEnded,
    ToolCallRequest,
    ToolReturned,
    ToolsCalled,
)
from bargein.turns.tools.tool_calls import MAX_ROUNDS, MAX_RUNNING
from tests.turns.talking import Call, waiting


def called(*calls: ToolCallRequest, text: str = "", plan: Any = None) -> tuple[Call, str, int]:
    """Make a call whose first reply calls tools, silently or while it says `text`."""
    call = Call(plan or waiting())
    at_ms = call.settle(call.start().user_says(100, "Hello there."))
    turn = call.reply()
    if text:
        call.model_says(at_ms, text, 3000, ended=False)
    call.feed(ToolsCalled(at_ms, turn, calls))
    call.feed(ReplyEnded(at_ms, turn))
    call.until(at_ms + 1)
    return call, turn, at_ms + 1


def weather(call_id: str = "a", **more: Any) -> ToolCallRequest:
    return ToolCallRequest(call_id, "weather", "{}", **more)


def runs(call: Call) -> list[tuple[str, ...]]:
    return [c.call_ids for c in call.commands(RunTools)]


def asked_models(call: Call) -> int:
    return sum(c.text is None for c in call.commands(StartReply))


def results(call: Call) -> dict[str, str]:
    return {m.tool_call_id: m.text for m in call.state.history if m.tool_call_id is not None}


def roles(call: Call) -> list[str]:
    return ["calls" if m.tool_calls else m.role for m in call.state.history]


def test_a_silent_reply_runs_its_tool_at_once_and_the_model_is_asked_again() -> None:
    call, turn, now = called(weather())
    assert runs(call) == [("a",)]
    assert call.outcomes() == ["spoken"]
    call.feed(ToolReturned(now + 500, "a", "Rain.", metadata="{}"))
    assert roles(call) == ["user", "calls", "tool"]
    assert call.state.history[-1] == Remember(
        "tool", "Rain.", now - 1, now + 500, turn, tool_call_id="a", metadata="{}"
    )  # fmt: skip
    assert asked_models(call) == 2
    assert call.state.tools == ()


def test_the_heard_text_stands_before_the_tool_calls() -> None:
    call, _, now = called(weather(), text="one two three four five six")
    call.feed(ToolReturned(now + 100, "a", "Rain."))
    assert asked_models(call) == 1, "one reply at a time"
    call.until(now + 1000)
    call.spoken(now + 4000)
    assert roles(call) == ["user", "assistant", "calls", "tool"]
    assert call.state.last_assistant_text == "one two three four five six"
    assert asked_models(call) == 2


def test_the_model_is_asked_once_for_all_tools_of_a_reply() -> None:
    call, _, now = called(weather("a"), ToolCallRequest("b", "time", "{}"))
    assert runs(call) == [("a", "b")]
    call.feed(ToolReturned(now + 100, "b", "Noon."))
    assert asked_models(call) == 1
    call.feed(ToolReturned(now + 200, "a", "Rain."))
    assert asked_models(call) == 2
    assert list(results(call)) == ["b", "a"]


def test_a_result_that_a_reply_has_seen_needs_no_further_reply() -> None:
    call, _, now = called(weather("a"), ToolCallRequest("b", "time", "{}"))
    call.feed(ToolReturned(now + 100, "a", "Rain."))
    at_ms = call.user_says(now + 200, "And in Celsius?")
    at_ms = call.settle(at_ms)
    assert asked_models(call) == 2
    call.model_says(at_ms, "Sure.", 300)
    call.until(at_ms + 1000)
    call.spoken(at_ms + 1400)
    call.feed(ToolReturned(at_ms + 1500, "b", "Noon.", say=""))
    call.until(at_ms + 5000)
    assert asked_models(call) == 2, "the first result was seen, and the second needs no answer"


def test_calls_of_a_closed_turn_or_of_no_model_are_dropped() -> None:
    call, turn, now = called(weather("a"))
    call.feed(ToolsCalled(now + 10, turn, (weather("b"),)))
    call.feed(ToolReturned(now + 100, "a", "Rain."))
    second = call.reply()
    call.feed(ToolsCalled(now + 200, second, (weather("a"), weather("c"), weather("c"))))
    call.feed(ToolsCalled(now + 200, second, (weather("d"),)))
    assert runs(call) == [("a",), ("c",)], "an id names one call, and a reply calls its tools once"
    call.feed(ToolsCalled(now + 300, second, ()))
    call.feed(ToolReturned(now + 400, "nobody", "?"))
    assert set(results(call)) == {"a"}


def test_an_equal_call_of_another_reply_does_not_run() -> None:
    call, _, now = called(weather("a"))
    at_ms = call.settle(call.user_says(now + 100, "Hurry up, please."))
    call.feed(ToolsCalled(at_ms, call.reply(), (weather("b"),)))
    call.feed(ReplyEnded(at_ms, call.reply()))
    call.feed(ToolReturned(at_ms + 50, "b", "a guess"))
    assert runs(call) == [("a",)]
    assert results(call) == {}
    call.feed(ToolReturned(at_ms + 100, "a", "Rain."))
    assert results(call) == {"a": "Rain.", "b": "Rain."}
    assert asked_models(call) == 3


def test_a_tool_that_is_silent_for_too_long_is_given_up() -> None:
    call, _, now = called(weather(timeout_ms=5000))
    call.until(now + 6000)
    assert [c.call_id for c in call.commands(StopTool)] == ["a"]
    assert results(call) == {"a": "The tool gave no answer within 5 seconds."}
    assert call.state.history[-1].failed
    assert asked_models(call) == 2
    call.feed(ToolReturned(now + 6100, "a", "Rain."))
    assert results(call) == {"a": "The tool gave no answer within 5 seconds."}


def test_the_silence_timeout_does_not_run_while_a_tool_is_awaited() -> None:
    call, _, now = called(weather(timeout_ms=60_000), plan=waiting(silence_timeout_ms=10_000))
    call.until(now + 50_000)
    assert call.ended_reason() is None


def test_a_blocking_tool_runs_once_its_message_has_been_heard() -> None:
    call, _, now = called(weather(start="Booking it.", blocking=True))
    assert runs(call) == []
    call.model_says(now, "Booking it.", 900)
    call.until(now + 10)
    call.spoken(now + 1000)
    assert runs(call) == [("a",)]


def test_a_blocking_tool_does_not_run_when_its_message_was_cut_by_words() -> None:
    call, _, now = called(weather(start="I book it now for you.", blocking=True))
    call.model_says(now, "I book it now for you.", 3000)
    call.until(now + 10)
    call.hear(now + 800, 700)
    call.until(call.settle(call.user_says(now + 1000, "Wait, no.")))
    call.until(now + 6000)
    assert runs(call) == []
    assert "interrupted before it began" in results(call)["a"]
    assert asked_models(call) == 2, "the caller's words are answered, with the result in the history"


def test_a_blocking_tool_runs_after_a_false_interruption() -> None:
    call, _, now = called(weather(start="one two three four", blocking=True))
    call.model_says(now, "one two three four", 2000)
    call.until(now + 10)
    call.hear(now + 600, 500)
    call.voice(now + 700, now + 1100)
    call.until(now + 4000)
    assert call.decisions().count("resumed") == 1
    assert runs(call) == []
    rest = call.commands(StartReply)[-1].text
    assert rest is not None
    call.model_says(now + 4000, rest, 1000)
    call.until(now + 4010)
    call.spoken(now + 5100)
    assert runs(call) == [("a",)]


def test_a_blocking_tool_runs_when_its_message_was_heard_before_a_false_interruption() -> None:
    call, _, now = called(weather(start="one two", blocking=True))
    call.model_says(now, "one two", 1000, ended=False)
    call.until(now + 10)
    call.hear(now + 1020, 1000)
    call.voice(now + 1050, now + 1500)
    call.until(now + 5000)
    assert runs(call) == [("a",)]


def test_an_interrupted_reply_runs_no_blocking_tool_and_says_nothing_more() -> None:
    call, turn, now = called(
        weather("a", start="Booking it.", blocking=True),
        ToolCallRequest("b", "time", "{}", start="Looking at the clock."),
        text="one two three four five six seven",
    )
    assert runs(call) == [("b",)]
    call.until(now + 1000)
    call.hear(now + 1500, 500)
    call.user_says(now + 1500, "Wait, no.", 900)
    call.until(now + 8000)
    assert call.cuts() == [turn]
    assert runs(call) == [("b",)]
    assert set(results(call)) == {"a"}
    assert [c.text for c in call.commands(StartReply)] == [None, None]


def test_a_cut_reply_that_has_called_tools_is_resumed_where_it_was_cut() -> None:
    call, _, now = called(weather(), text="one two three four five six seven")
    call.until(now + 1000)
    call.hear(now + 1500, 500)
    call.voice(now + 1500, now + 1900)
    call.until(now + 5000)
    assert call.commands(StartReply)[-1].text, "the model has finished it and is not asked again"


def test_delayed_messages_come_in_time_and_not_after_the_result() -> None:
    call, _, now = called(weather(delayed=(DelayMessage(3000, "Still at it."), DelayMessage(1000, "One moment."))))
    call.until(now + 1500)
    assert call.commands(StartReply)[-1].text == "One moment."
    call.until(now + 3500)
    call.feed(ToolReturned(now + 3600, "a", "Rain."))
    call.model_says(now + 3700, "One moment.", 300)
    call.until(now + 3800)
    call.spoken(now + 4100)
    assert [c.text for c in call.commands(StartReply)] == [None, "One moment.", None]


def test_one_delay_message_at_a_time() -> None:
    delayed = (DelayMessage(1000, "One moment."), DelayMessage(1100, "Still at it."), DelayMessage(1200, "Really."))
    call, _, now = called(weather(delayed=delayed))
    call.until(now + 2000)
    assert [s.text for s in call.state.pending_says] == ["Still at it."]


def test_an_async_tool_is_not_awaited() -> None:
    call, _, now = called(weather(is_async=True))
    assert asked_models(call) == 2, "a silent reply is followed at once"
    call.model_says(now, "Done.", 300)
    call.until(now + 100)
    call.spoken(now + 500)
    call.feed(ToolReturned(now + 5000, "a", "Rain."))
    assert results(call) == {"a": "Rain."}
    assert asked_models(call) == 2
    said, _, _ = called(weather(is_async=True), text="I will let them know.")
    assert asked_models(said) == 1, "what was said is the answer"


def test_an_async_tool_is_given_up_in_silence() -> None:
    call, _, now = called(weather(is_async=True, start="Noted.", timeout_ms=2000))
    call.until(now + 3000)
    assert "no answer" in results(call)["a"]
    assert asked_models(call) == 1


def test_a_tools_message_replaces_the_models_answer() -> None:
    call, _, now = called(weather())
    call.feed(ToolReturned(now + 100, "a", "Rain.", say="It rains.", end_call_reason="done"))
    assert [c.text for c in call.commands(StartReply)] == [None, "It rains."]
    call.model_says(now + 100, "It rains.", 300)
    call.until(now + 200)
    call.spoken(now + 500)
    assert call.ended_reason() == "done"


def test_a_system_message_follows_the_result() -> None:
    call, _, now = called(weather("a"), ToolCallRequest("b", "time", "{}"))
    call.feed(ToolReturned(now + 100, "a", "Rain.", system_message="Be brief."))
    call.feed(ToolReturned(now + 200, "b", "Noon."))
    assert roles(call) == ["user", "calls", "tool", "tool", "system"]


def test_a_tool_ends_the_call_once_nothing_is_left_to_be_said() -> None:
    call, _, now = called(weather(), text="Goodbye then, and thank you.")
    call.feed(ToolReturned(now + 10, "a", "ending", end_call_reason="assistant-ended-call"))
    call.until(now + 1000)
    assert call.ended_reason() is None
    call.spoken(now + 4000)
    assert call.ended_reason() == "assistant-ended-call"


def test_a_caller_who_speaks_again_cancels_the_end_by_a_tool() -> None:
    call, _, now = called(weather(), text="Goodbye then, and thank you for your call today.")
    call.feed(ToolReturned(now + 10, "a", "ending", end_call_reason="assistant-ended-call"))
    call.until(now + 1000)
    call.hear(now + 1500, 500)
    call.until(call.settle(call.user_says(now + 1500, "Wait, one more thing.", 900)))
    assert call.ended_reason() is None
    assert asked_models(call) == 2
    assert call.state.end_call_reason is None


def test_a_muted_assistant_ends_the_call_without_a_word() -> None:
    call, _, now = called(weather(start="Bye."), text="Goodbye.")
    call.feed(ToolReturned(now + 10, "a", "ending", end_call_reason="assistant-ended-call"))
    call.feed(Mute(now + 100, "assistant", on=True))
    assert call.ended_reason() == "assistant-ended-call"


def test_every_call_has_its_result_when_the_call_is_over() -> None:
    call, _, now = called(weather("a"), ToolCallRequest("b", "time", "{}", start="Well.", blocking=True))
    call.feed(HangUp(now + 100, "customer-ended-call"))
    assert results(call) == dict.fromkeys("ab", "The call ended before the tool had answered.")


def test_more_tools_than_can_run_at_once_are_refused() -> None:
    call, _, now = called(*(ToolCallRequest(f"c{n}", "f", f"{n}") for n in range(MAX_RUNNING + 2)))
    assert len(runs(call)[0]) == MAX_RUNNING
    assert len(results(call)) == 2
    for n in range(MAX_RUNNING):
        call.feed(ToolReturned(now + 100, f"c{n}", "ok"))
    assert asked_models(call) == 2


def test_a_model_that_calls_tools_for_ever_is_stopped() -> None:
    call, _, now = called(weather("c0"))
    for n in range(1, MAX_ROUNDS + 1):
        call.feed(ToolReturned(now + n, f"c{n - 1}", "ok"))
        reply = call.reply()
        call.feed(ToolsCalled(now + n, reply, (weather(f"c{n}"),)))
        call.feed(ReplyEnded(now + n, reply))
    assert call.commands(StartReply)[-1].tools is False
    assert "too many tool calls in a row" in results(call)[f"c{MAX_ROUNDS}"]
    assert call.state.reply is None, "it is not asked again until the caller speaks"
    call.feed(AddMessage(now + 100, "system", "Go on."))
    assert call.commands(StartReply)[-1].tools is True


def test_the_same_start_message_of_two_tools_is_said_once() -> None:
    call, _, _ = called(
        weather("a", start="One moment."), ToolCallRequest("b", "time", "{}", start="One moment."), text="Hm."
    )
    assert [s.text for s in call.state.pending_says] == ["One moment."]
    assert runs(call) == [("a", "b")]


def test_a_tool_whose_message_was_replaced_does_not_run() -> None:
    call, _, now = called(weather(start="Booking it.", blocking=True))
    call.feed(Mute(now + 10, "assistant", on=True))
    assert "interrupted before it began" in results(call)["a"]
    call.feed(Mute(now + 100, "assistant", on=False))
    assert asked_models(call) == 2
