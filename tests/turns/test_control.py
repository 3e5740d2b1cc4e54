"""The start of a call, and a client's messages: say, add-message, control, end."""

import pytest

from bargein.turns import Plan
from bargein.turns.commands import (
    CloseReply,
    EndCall,
    Hang,
    Play,
    Remember,
    Send,
    SpeechUpdate,
    StartReply,
    StopPlayback,
    Transcript,
)
from bargein.turns.events import (
    AddMessage,
    CallFailed,
    CallStarted,
    HangUp,
    Mute,
    Say,
    SayFirstMessage,
    Tick,
    TranscriptReceived,
    VoiceStarted,
    VoiceStopped,
)
from bargein.turns.plan import FirstMessageMode
from bargein.turns.roles import Role
from tests.turns.talking import Call, waiting

GREETING = "Hello, how can I help?"


def texts(call: Call) -> list[str | None]:
    """Return the text of each reply; None: the model was asked."""
    return [c.text for c in call.commands(StartReply)]


# The start.


@pytest.mark.parametrize(
    ("mode", "first_message", "begun"),
    [
        ("assistant-speaks-first", GREETING, [GREETING]),
        ("assistant-speaks-first", None, [None]),
        ("assistant-speaks-first", "", [None]),
        ("assistant-speaks-first-with-model-generated-message", GREETING, [None]),
        ("assistant-waits-for-user", GREETING, []),
    ],
)
def test_first_message_modes(mode: FirstMessageMode, first_message: str | None, begun: list[str | None]) -> None:
    call = Call(Plan(first_message_mode=mode, first_message=first_message)).start()
    assert texts(call) == begun


def test_the_first_message_sounds_without_delay() -> None:
    call = Call(Plan(first_message=GREETING)).start()
    call.model_says(0, GREETING, 1000)
    assert call.when(Play) == [0]


@pytest.mark.parametrize("protected", [True, False])
def test_a_generated_first_message_is_protected_in_the_same_way(protected: bool) -> None:
    plan = Plan(
        first_message_mode="assistant-speaks-first-with-model-generated-message",
        first_message_interruptible=not protected,
    )
    call = Call(plan).start()
    turn = call.model_says(30, GREETING, 3000)
    call.feed(TranscriptReceived(1000, "stop", final=True))
    assert call.cuts() == ([] if protected else [turn])


def test_events_before_the_start_of_a_call_are_ignored() -> None:
    call = Call()
    for event in (TranscriptReceived(1, "Hello.", final=True), Say(1, "Hi."), Tick(5), AddMessage(5, "user", "x")):
        assert call.feed(event) == []
    assert call.state.now_ms == 0
    call.feed(CallStarted(2000))
    assert (call.state.phase, call.state.started_ms) == ("live", 2000)


def test_a_call_starts_once() -> None:
    call = Call(Plan(first_message=GREETING)).start()
    assert call.feed(CallStarted(500)) == []
    assert call.state.started_ms == 0


def test_a_call_may_end_before_it_starts() -> None:
    call = Call()
    assert call.feed(HangUp(10, "customer-ended-call")) == [EndCall("customer-ended-call")]
    assert call.feed(CallStarted(20)) == []


def test_events_after_the_end_of_a_call_are_ignored() -> None:
    call = Call().start()
    call.feed(HangUp(100, "customer-ended-call"))
    said = len(call.log)
    for event in (
        CallStarted(200),
        TranscriptReceived(200, "Hello.", final=True),
        Say(200, "Hi."),
        HangUp(200, "x"),
        Tick(900_000),
    ):
        assert call.feed(event) == []
    assert len(call.log) == said


# say.


def test_a_say_is_spoken_at_once_when_nobody_speaks() -> None:
    call = Call().start()
    call.feed(Say(100, "Please hold."))
    call.model_says(150, "Please hold.", 500)
    assert texts(call) == ["Please hold."]
    assert call.when(Play) == [150]


def test_says_queue_in_order_behind_the_running_reply() -> None:
    call = Call().start()
    for text in ("One.", "Two.", "Three."):
        call.feed(Say(100, text))
    for number, text in enumerate(("One.", "Two.", "Three."), 1):
        assert texts(call)[-1] == text
        assert len(texts(call)) == number
        call.model_says(100 + 1000 * number, text, 500)
        call.spoken(600 + 1000 * number)
    assert call.outcomes() == ["spoken"] * 3


def test_an_interrupting_say_replaces_the_running_reply_and_precedes_the_queue() -> None:
    call = Call()
    call.talking()
    call.hear(3500, 900)
    turn = call.reply()
    call.feed(Say(3600, "Later.", interrupts=False))
    said = len(call.log)
    call.feed(Say(4000, "Fire!", interrupts=True))
    commands = [c for _, c in call.log[said:]]
    assert commands[:2] == [StopPlayback(turn), CloseReply(turn, "replaced")]
    assert texts(call)[-1] == "Fire!"
    assert call.cuts() == []
    assert call.remembered()[-1] == ("assistant", "one two three")
    assert not call.commands(Remember)[-1].interrupted
    call.model_says(4100, "Fire!", 500)
    call.spoken(4600)
    assert texts(call)[-1] == "Later."


def test_a_say_without_words_is_ignored() -> None:
    call = Call()
    call.talking()
    said = len(call.log)
    call.feed(Say(4000, "  ", interrupts=True))
    assert len(call.log) == said


def test_a_say_goes_before_the_answer_to_the_caller() -> None:
    call = Call().start()
    call.feed(Say(100, "One."))
    call.feed(Say(100, "Two."))
    call.model_says(200, "One.", 500)
    call.user_says(300, "Which one?", voice_ms=100)
    assert call.cuts() == [None]
    call.until(900)
    assert texts(call) == ["One.", "Two."]


# add-message.


def test_a_message_is_answered_at_once_when_nobody_speaks() -> None:
    call = Call().start()
    call.feed(AddMessage(100, "system", "The caller is a regular."))
    assert [type(c) for t, c in call.log if t == 100] == [Remember, StartReply]
    assert call.remembered() == [("system", "The caller is a regular.")]
    assert texts(call) == [None]


def test_a_message_may_need_no_answer() -> None:
    call = Call().start()
    call.feed(AddMessage(100, "system", "The caller is a regular.", respond=False))
    call.until(20_000)
    assert texts(call) == []
    assert call.remembered() == [("system", "The caller is a regular.")]


@pytest.mark.parametrize(("role", "respond"), [("system", True), ("system", False), ("user", False)])
def test_an_instruction_and_a_silent_message_never_cut_the_running_reply(role: Role, respond: bool) -> None:
    call = Call()
    call.talking()
    call.feed(AddMessage(3500, role, "Stop being long.", respond=respond))
    assert call.outcomes() == []
    call.spoken(4500)
    assert call.outcomes() == ["spoken"]
    assert texts(call) == [None, None] if respond else [None]
    assert call.remembered()[1:] == [
        ("assistant", "one two three four five six seven eight nine ten"),
        (role, "Stop being long."),
    ]


def test_many_messages_are_answered_once() -> None:
    call = Call()
    call.talking()
    for at_ms in (3200, 3300, 3400):
        call.feed(AddMessage(at_ms, "system", "More.", respond=at_ms == 3300))
    call.spoken(4500)
    call.model_says(4600, "So.", 500)
    call.until(5000)
    call.spoken(5100)
    call.until(10_000)
    assert texts(call) == [None, None]


def test_a_message_is_answered_together_with_the_caller_who_is_speaking() -> None:
    call = Call().start()
    call.feed(VoiceStarted(132, 100))
    call.feed(AddMessage(200, "system", "The caller is a regular."))
    call.until(500)
    assert texts(call) == []
    call.feed(VoiceStopped(732, 700))
    call.feed(TranscriptReceived(1000, "A table, please.", final=True))
    call.until(1100)
    assert call.remembered() == [("user", "A table, please."), ("system", "The caller is a regular.")]
    call.model_says(1200, "Yes.", 500)
    call.until(2000)
    call.spoken(2000)
    call.until(9000)
    assert texts(call) == [None]


def test_a_message_waits_for_a_caller_whose_turn_is_not_over() -> None:
    call = Call().start()
    call.user_says(100, "A table for")
    call.feed(AddMessage(1100, "system", "The caller is a regular."))
    call.until(2499)
    assert texts(call) == []
    call.until(2500)
    assert texts(call) == [None]


def test_a_message_is_answered_after_a_say_that_waits() -> None:
    call = Call().start()
    call.feed(Say(50, "One."))
    call.feed(Say(60, "Two."))
    call.feed(AddMessage(100, "system", "More."))
    for number, text in enumerate(("One.", "Two.")):
        call.model_says(200 + 1000 * number, text, 500)
        call.spoken(700 + 1000 * number)
    assert texts(call) == ["One.", "Two.", None]


# control.


def test_mute_assistant_silences_it_and_keeps_it_silent() -> None:
    call = Call()
    call.talking()
    call.hear(3500, 900)
    turn = call.reply()
    said = len(call.log)
    call.feed(Mute(3600, "assistant", on=True))
    assert [c for _, c in call.log[said:]] == [
        StopPlayback(turn),
        CloseReply(turn, "muted"),
        Send(SpeechUpdate("assistant", "stopped", 1)),
        Send(Transcript("assistant", final=True, text="one two three")),
        Remember("assistant", "one two three", 1500, 3600, turn),
    ]
    call.feed(Say(3700, "Please hold."))
    call.feed(AddMessage(3800, "system", "More."))
    call.user_says(4000, "Hello?")
    call.until(10_000)
    assert len(texts(call)) == 1
    call.feed(Mute(10_000, "assistant", on=False))
    assert texts(call)[1:] == ["Please hold."]


@pytest.mark.parametrize(("event", "text"), [(AddMessage(200, "system", "More."), None), (Say(200, "Hi."), "Hi.")])
def test_says_and_messages_during_a_mute_are_spoken_after_it(event: AddMessage | Say, text: str | None) -> None:
    call = Call().start()
    call.feed(Mute(100, "assistant", on=True))
    call.feed(event)
    call.until(5000)
    assert texts(call) == []
    call.feed(Mute(5000, "assistant", on=False))
    assert texts(call) == [text]


def test_a_caller_is_answered_once_the_assistant_may_speak() -> None:
    call = Call().start()
    call.feed(Mute(50, "assistant", on=True))
    call.user_says(100, "Hello there.")
    call.until(5000)
    assert texts(call) == []
    call.feed(Mute(5000, "assistant", on=False))
    assert texts(call) == [None]
    assert call.when(StartReply) == [5000]


def test_unmuting_an_assistant_who_speaks_changes_nothing() -> None:
    call = Call()
    call.talking()
    assert call.feed(Mute(4000, "assistant", on=False)) == []


def test_a_muted_caller_counts_as_silent() -> None:
    call = Call().start()
    call.feed(VoiceStarted(132, 100))
    call.feed(TranscriptReceived(500, "A table for", final=False))
    call.feed(Mute(600, "customer", on=True))
    call.until(5000)
    assert call.when(StartReply) == [600 + 1500]


def test_muting_a_silent_assistant_says_nothing() -> None:
    call = Call().start()
    assert call.feed(Mute(100, "assistant", on=True)) == []
    assert call.feed(Mute(200, "assistant", on=False)) == []


def test_mute_customer_ends_a_voice_that_was_heard() -> None:
    call = Call()
    call.talking()
    call.feed(VoiceStarted(4032, 4000))
    call.feed(Mute(4100, "customer", on=True))
    call.until(8000)
    assert call.cuts() == []
    assert [m.status for m in call.messages(SpeechUpdate) if m.role == "user"] == ["started", "stopped"] * 2
    call.feed(Mute(8000, "customer", on=False))
    call.feed(TranscriptReceived(8100, "stop", final=True))
    assert len(call.cuts()) == 1


@pytest.mark.parametrize("on", [True, False])
def test_a_mute_does_not_delay_the_answer_to_what_was_said_before(on: bool) -> None:
    call = Call().start()
    call.user_says(100, "A table for")
    call.feed(Mute(2000, "customer", on=on))
    call.until(2500)
    assert call.when(StartReply) == [2500]


def test_unmuting_a_customer_who_is_heard_changes_nothing() -> None:
    call = Call()
    call.talking()
    call.feed(VoiceStarted(4032, 4000))
    call.feed(Mute(4100, "customer", on=False))
    call.until(4200)
    assert len(call.cuts()) == 1


def test_muting_a_silent_customer_says_nothing() -> None:
    call = Call().start()
    assert call.feed(Mute(100, "customer", on=True)) == []
    assert call.feed(VoiceStarted(200, 190)) == []
    assert call.feed(TranscriptReceived(300, "Hello.", final=True)) == []


def test_say_first_message() -> None:
    call = Call(waiting(first_message=GREETING)).start()
    call.feed(SayFirstMessage(100))
    assert texts(call) == [GREETING]
    call.model_says(200, GREETING, 3000)
    call.feed(TranscriptReceived(1000, "stop", final=True))
    assert call.cuts() == []  # it is as protected as ever
    assert call.commands(StartReply)[0].turn_id == call.reply()


def test_say_first_message_may_be_interruptible() -> None:
    call = Call(waiting(first_message=GREETING, first_message_interruptible=True)).start()
    call.feed(SayFirstMessage(100))
    call.model_says(200, GREETING, 3000)
    call.feed(TranscriptReceived(1000, "stop", final=True))
    assert call.cuts() == [None]


def test_without_a_first_message_there_is_none_to_say() -> None:
    call = Call().start()
    assert call.feed(SayFirstMessage(100)) == []


# The end.


def test_hanging_up_ends_everything_that_runs() -> None:
    call = Call()
    call.talking()
    call.hear(3500, 900)
    turn = call.reply()
    said = len(call.log)
    call.feed(HangUp(3600, "customer-ended-call"))
    commands = [c for _, c in call.log[said:]]
    assert commands[:2] == [StopPlayback(turn), CloseReply(turn, "call-ended")]
    assert commands[-1] == EndCall("customer-ended-call")
    assert call.remembered()[-1] == ("assistant", "one two three")
    assert call.cuts() == []


def test_a_failed_transcriber_is_reported_and_ends_the_call() -> None:
    call = Call().start()
    commands = call.feed(CallFailed(100, "pipeline-error-custom-transcriber-failed", "refused"))
    assert commands == [Send(Hang()), EndCall("pipeline-error-custom-transcriber-failed", "refused")]
