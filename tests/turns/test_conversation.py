"""The order of the history, what the model is asked, and an end of the call that the caller's words call off."""

from typing import Any

import pytest

from bargein.turns import Plan
from bargein.turns.commands import CalledTool, Remember, StartReply
from bargein.turns.conversation import CALLED_OFF, TAKEN_OVER, with_reply, with_utterance
from bargein.turns.events import (
    AddMessage,
    HandoffRequested,
    HangUp,
    ReplyEnded,
    ReplyToken,
    Say,
    ToolCallRequest,
    ToolReturned,
    ToolsCalled,
    TranscriptReceived,
    VoiceStarted,
    VoiceStopped,
)
from bargein.turns.hooks.plan import Action, Hook
from tests.turns.talking import Call, waiting

QUESTION = "hold on I have a question"
STORY = "one two three four five six seven eight nine ten"


def slow(**changes: Any) -> Plan:
    """Return a plan that waits for 2.5 s after the caller's last words."""
    return waiting(on_punctuation_ms=2500, on_no_punctuation_ms=2500, on_number_ms=2500, **changes)


def asked(call: Call) -> StartReply:
    """Return the last request to the model."""
    return next(c for c in reversed(call.commands(StartReply)) if c.text is None)


def say_in_an_open_turn(**changes: Any) -> Call:
    """Return a call in which a `say` begins to sound before the caller's turn is over."""
    call = Call(slow(**changes)).start()
    call.user_says(600, QUESTION, voice_ms=2600)
    call.feed(Say(3510, STORY))
    call.model_says(3520, STORY, 2000)
    return call


# What the caller said before.


def test_words_before_a_say_stand_before_it_and_are_answered_after_it() -> None:
    call = say_in_an_open_turn()
    assert call.remembered() == [("user", QUESTION)]
    call.spoken(5600)
    assert call.remembered() == [("user", QUESTION), ("assistant", STORY)]
    assert asked(call).unanswered, "the model is told that the say is no answer"
    call.model_says(5700, "Yes?", 400)
    call.until(6000)
    call.spoken(6200)
    assert [role for role, _ in call.remembered()] == ["user", "assistant", "assistant"]
    assert len(call.commands(StartReply)) == 2


def test_a_say_in_an_open_turn_can_be_interrupted_by_more_words() -> None:
    call = say_in_an_open_turn()
    call.hear(4400, 800)
    call.user_says(4420, "and one more")
    call.until(9000)
    assert call.remembered() == [("user", QUESTION), ("assistant", "one two three four"), ("user", "and one more")]
    assert not asked(call).unanswered


def test_a_voicemails_greeting_stands_before_the_message_that_is_left() -> None:
    call = Call(Plan(first_message="Hello, this is Ada.")).start()
    call.model_says(0, "Hello, this is Ada.", 1500)
    call.user_says(500, "You have reached us, leave a message.")
    call.feed(Say(1450, "Call us back.", interruptible=False, interrupts=True, ends_call=True))
    call.model_says(1500, "Call us back.", 900)
    call.until(2000)
    call.spoken(2600)
    assert [text for _, text in call.remembered()][-2:] == ["You have reached us, leave a message.", "Call us back."]
    assert call.ended_reason() == "assistant-ended-call-after-message-spoken"


def test_a_backchannel_before_an_answer_sounds_needs_none_even_if_it_ends_with_a_question() -> None:
    call = Call().start()
    call.settle(call.user_says(100, "A table, please."))
    call.model_says(1200, "For how many people?", 1500)
    call.user_says(1210, "okay", voice_ms=100)
    call.until(1800)
    assert call.state.reply is not None
    assert call.state.reply.audible_ms is not None
    call.spoken(3500)
    call.until(9000)
    assert call.remembered() == [("user", "A table, please."), ("assistant", "For how many people?")]
    assert len(call.commands(StartReply)) == 1


def test_a_voice_that_is_detected_late_begins_over_the_words_that_sounded_meanwhile() -> None:
    call = Call()
    audible_ms = call.talking()
    call.hear(audible_ms + 400, 400)
    call.feed(VoiceStarted(audible_ms + 410, audible_ms - 30))
    call.feed(TranscriptReceived(audible_ms + 420, "no stop", final=True))
    call.feed(VoiceStopped(audible_ms + 500, audible_ms + 490))
    call.settle(audible_ms + 600)
    assert call.remembered()[1:] == [("assistant", "one"), ("user", "no stop")]
    assert call.state.history[-1].start_ms == audible_ms


def test_words_of_a_call_that_ends_meanwhile_need_no_answer() -> None:
    hook = Hook(on="call.ending", do=(Action(kind="say", texts=("Goodbye.",)),), name="end")
    call = Call(slow(hooks=(hook,), silence_timeout_ms=10_000)).start()
    call.until(10_000)
    call.user_says(10_100, QUESTION, voice_ms=300)
    call.model_says(10_800, "Goodbye.", 500)
    call.until(11_000)
    call.spoken(11_400)
    assert call.remembered() == [("user", QUESTION), ("assistant", "Goodbye.")]
    assert call.ended_reason() == "silence-timed-out"


# Where an entry stands.


def said(role: Any, text: str, start_ms: int, turn_id: str | None = None) -> Remember:
    return Remember(role, text, start_ms, start_ms + 100, turn_id)


def called(turn_id: str, start_ms: int) -> Remember:
    tools = (CalledTool(f"{turn_id}-call", "weather", "{}"),)
    return Remember("assistant", "", start_ms, start_ms, turn_id, tool_calls=tools)


def result(turn_id: str, start_ms: int) -> Remember:
    return Remember("tool", "Rain.", start_ms, start_ms, turn_id, tool_call_id=f"{turn_id}-call")


def test_an_utterance_stands_before_what_began_later_and_behind_what_began_with_it() -> None:
    first, second, third = said("user", "a", 100), said("assistant", "b", 200), said("user", "c", 200)
    assert with_utterance(with_utterance((first, second), third), said("system", "d", 150)) == (
        first, said("system", "d", 150), second, third,
    )  # fmt: skip


def test_an_utterance_never_stands_between_a_call_and_its_result() -> None:
    calls, answer, later = called("t1", 100), result("t1", 400), said("system", "x", 500)
    entry = said("assistant", "words", 300, "t2")
    assert with_utterance((calls, answer, later), entry) == (calls, answer, entry, later)


@pytest.mark.parametrize(
    ("between", "order"),
    [((), ["words", "", "Rain."]), ((said("system", "x", 250),), ["", "Rain.", "x", "words"])],
)
def test_a_replys_words_stand_before_its_calls_unless_something_was_said_between(
    between: tuple[Remember, ...], order: list[str]
) -> None:
    history = (called("t1", 200), result("t1", 210), *between)
    assert [one.text for one in with_reply(history, said("assistant", "words", 300, "t1"))] == order


def test_what_comes_while_a_reply_sounds_stands_behind_its_words_and_its_calls_too() -> None:
    history = (said("system", "x", 350), called("t1", 400), result("t1", 410))
    after = with_reply(history, said("assistant", "words", 300, "t1"))
    assert [one.text for one in after] == ["words", "x", "", "Rain."]


# The end that is called off.


def ending(text: str = "Goodbye then, it was nice.", **returned: Any) -> Call:
    """Return a call in which a reply sounds that has called `endCall`, whose result has come."""
    call = Call().start()
    at_ms = call.settle(call.user_says(100, "That is all."))
    turn = call.reply()
    call.feed(ReplyToken(at_ms, turn, text))
    call.feed(ToolsCalled(at_ms, turn, (ToolCallRequest("end", "endCall", "{}"),)))
    call.feed(
        ToolReturned(at_ms, "end", "The call is being ended.", end_call_reason="assistant-ended-call", **returned)
    )
    if text:
        call.model_says(at_ms, text, 3000)
    else:
        call.feed(ReplyEnded(at_ms, turn))
    call.until(at_ms + 600)
    return call


def result_of(call: Call) -> str:
    return next(m.text for m in call.state.history if m.tool_call_id == "end")


@pytest.mark.parametrize("goodbye", [None, "Have a nice day."])
def test_an_end_that_the_callers_words_called_off_is_told(goodbye: str | None) -> None:
    call = ending(say=goodbye)
    assert result_of(call) == "The call is being ended."
    call.hear(2800, 1200)
    call.user_says(2850, QUESTION)
    call.until(9000)
    assert result_of(call) == CALLED_OFF
    assert [c.text for c in call.commands(StartReply)] == [None, None], "the goodbye is not said"
    call.model_says(9100, "Yes?", 400)
    call.until(9200)
    call.spoken(9600)
    call.until(12_000)
    assert call.ended_reason() is None
    assert call.state.ending_calls == ()


def test_an_end_that_is_not_called_off_stays_as_it_is() -> None:
    call = ending()
    call.spoken(4600)
    assert call.ended_reason() == "assistant-ended-call"
    assert result_of(call) == "The call is being ended."


@pytest.mark.parametrize(("words", "ends"), [("okay", True), (QUESTION, False)])
def test_words_before_the_goodbye_sounds_call_the_end_off_unless_they_only_acknowledge(words: str, ends: bool) -> None:
    call = ending(text="", say="Have a nice day.")
    at_ms = call.state.now_ms
    call.user_says(at_ms + 10, words, voice_ms=300)
    if ends:
        call.model_says(call.state.now_ms, "Have a nice day.", 800)
        call.until(call.state.now_ms + 100)
        call.spoken(call.state.now_ms + 1000)
    call.until(at_ms + 6000)
    assert (call.ended_reason() is not None) == ends
    assert (result_of(call) == CALLED_OFF) != ends


def test_an_end_is_called_off_by_the_assistant_that_takes_over() -> None:
    call = ending()
    call.feed(HandoffRequested(2300, 0, waiting()))
    call.spoken(4600)
    assert result_of(call) == TAKEN_OVER
    assert call.ended_reason() is None


def test_a_transfer_that_has_been_carried_out_is_not_called_off() -> None:
    call = Call().start()
    at_ms = call.settle(call.user_says(100, "An agent, please."))
    turn = call.model_says(at_ms, "One moment.", 3000, ended=False)
    call.feed(ToolsCalled(at_ms, turn, (ToolCallRequest("end", "transferCall", "{}"),)))
    call.feed(ReplyEnded(at_ms, turn))
    call.feed(ToolReturned(at_ms, "end", "Transferred.", say="", end_call_reason="assistant-forwarded-call"))
    call.until(at_ms + 600)
    call.hear(at_ms + 1000, 400)
    call.user_says(at_ms + 1010, QUESTION)
    call.settle(at_ms + 2200)
    assert result_of(call) == "Transferred."
    call.model_says(call.state.now_ms, "Yes?", 300)
    call.until(call.state.now_ms + 1500)
    call.spoken(call.state.now_ms + 400)
    assert call.ended_reason() == "assistant-forwarded-call"


# Typed words.


@pytest.mark.parametrize(
    ("text", "plan", "outcomes"),
    [
        ("stop", {}, ["interrupted"]),
        ("stop", {"num_words": 5}, ["interrupted"]),
        ("Tell me a joke.", {}, ["interrupted"]),
        ("Tell me a joke.", {"num_words": 5}, []),
        ("okay, yeah", {}, []),
        ("okay, yeah", {"num_words": 1}, []),
        ("really", {"adaptive_interruption": True}, []),
        ("Tell me a joke.", {"adaptive_interruption": True}, ["interrupted"]),
        ("...", {}, []),
    ],
)
def test_typed_words_stop_the_assistant_as_spoken_ones_would(
    text: str, plan: dict[str, Any], outcomes: list[str]
) -> None:
    call = Call(waiting(**plan))
    call.talking()
    turn = call.reply()
    call.hear(3500, 900)
    call.feed(AddMessage(3600, "user", text))
    assert call.outcomes() == outcomes
    assert call.cuts() == [turn] * len(outcomes)
    heard = STORY
    if outcomes:
        heard = "one two three"
    else:
        call.spoken(5600)
    assert call.remembered()[1:] == [("assistant", heard), ("user", text)]
    call.until(9000)
    assert len(call.commands(StartReply)) == 2, "it is answered in any case"
    assert not asked(call).unanswered


def test_a_typed_interruption_is_followed_by_the_backoff_and_never_resumed() -> None:
    call = Call(waiting(backoff_ms=2000))
    call.talking()
    call.hear(3500, 900)
    call.feed(AddMessage(3600, "user", "stop"))
    call.model_says(3700, "I have stopped.", 500)
    call.until(5599)
    assert call.state.reply is not None
    assert call.state.reply.audible_ms is None
    call.until(5600)
    assert call.state.reply.audible_ms == 5600
    assert "resumed" not in call.decisions()


def test_words_typed_before_an_answer_sounds_replace_it() -> None:
    call = Call().start()
    call.feed(AddMessage(100, "user", "What time is it?"))
    call.feed(ReplyToken(150, call.reply(), "It is "))
    call.feed(AddMessage(200, "user", "In Rome, I mean."))
    assert call.outcomes() == ["superseded"]
    assert call.remembered() == [("user", "What time is it?"), ("user", "In Rome, I mean.")]
    assert len(call.commands(StartReply)) == 2


def test_protected_speech_is_not_stopped_by_typing() -> None:
    call = Call().start()
    call.feed(Say(100, STORY, interruptible=False))
    call.model_says(150, STORY, 2000)
    call.feed(AddMessage(500, "user", "stop"))
    assert call.outcomes() == []
    call.spoken(2200)
    assert call.remembered() == [("assistant", STORY), ("user", "stop")]
    assert not asked(call).unanswered


def test_a_typed_answer_replaces_a_message_about_silence() -> None:
    hook = Hook(on="customer.speech.timeout", do=(Action(kind="say", texts=("Are you there?",)),), after_ms=5000)
    call = Call(waiting(hooks=(hook,)))
    call.talking()
    call.spoken(4500)
    call.until(9500)
    assert asked_texts(call)[-1] == "Are you there?"
    call.feed(AddMessage(9600, "user", "I am."))
    assert call.outcomes()[-1] == "superseded"
    assert asked_texts(call)[-1] is None


def asked_texts(call: Call) -> list[str | None]:
    return [c.text for c in call.commands(StartReply)]


def test_typed_words_during_a_false_interruption_are_the_interruption() -> None:
    call = Call()
    call.talking()
    call.hear(3500, 900)
    call.feed(VoiceStarted(3532, 3500))
    call.until(3700)
    assert call.state.false_interruption is not None
    call.feed(AddMessage(3750, "user", "wait"))
    assert call.state.false_interruption is None
    call.feed(VoiceStopped(3832, 3800))
    call.until(9000)
    assert "resumed" not in call.decisions()


def test_typed_words_call_off_an_end() -> None:
    call = ending()
    call.feed(AddMessage(2800, "user", "Wait, one more thing."))
    assert result_of(call) == CALLED_OFF
    assert asked_texts(call) == [None, None]


def test_typed_words_that_do_not_stop_a_goodbye_do_not_call_off_the_end() -> None:
    call = ending(text="", say="Have a nice day.")
    call.model_says(call.state.now_ms, "Have a nice day.", 800)
    call.until(call.state.now_ms + 200)
    call.feed(AddMessage(call.state.now_ms, "user", "okay"))
    call.spoken(call.state.now_ms + 900)
    assert call.ended_reason() == "assistant-ended-call"
    assert result_of(call) == "The call is being ended."


# What goes on by itself.


def test_a_model_that_goes_on_with_a_reply_that_was_cut_is_not_told_to_answer() -> None:
    call = Call()
    call.talking()
    call.feed(HangUp(9000, "customer-ended-call"))
    assert not asked(call).unanswered
