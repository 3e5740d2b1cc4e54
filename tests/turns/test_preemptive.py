"""Preemptive replies: begun before it is certain that the caller has finished."""

import pytest

from bargein.turns.commands import CloseReply, EndCall, KeepReply, ModelOutput, Play, RunTools, Send, StartReply
from bargein.turns.endpointing.end_of_turn import pause_ms
from bargein.turns.endpointing.preemptive import MOST_EVENTS
from bargein.turns.events import (
    AddMessage,
    HangUp,
    Mute,
    PauseJudged,
    Played,
    ReplyEnded,
    ReplyFailed,
    ReplyToken,
    Say,
    SpeechQueued,
    SpeechRequested,
    ToolCallRequest,
    ToolsCalled,
    TranscriptReceived,
    VoiceStarted,
    VoiceStopped,
)
from tests.turns.talking import Call, waiting

PLAN = waiting(adaptive_endpointing=True, preemptive=True, min_pause_ms=0)
SAID = "I would like a table."


def drafted(done: float = 0.6, at_ms: int = 1000) -> tuple[Call, str]:
    """Make a call in a pause that is likely the end, with a preemptive reply."""
    call = Call(PLAN).start()
    pause(call, at_ms, done)
    (begun,) = call.commands(StartReply)
    assert begun.said == SAID
    return call, begun.turn_id


def pause(call: Call, at_ms: int, done: float, said: str = SAID) -> None:
    call.voice(at_ms, at_ms + 700)
    call.feed(TranscriptReceived(at_ms + 850, said, final=False, complete=True))
    judgement = call.state.pause_judgement
    assert judgement is not None
    call.feed(PauseJudged(at_ms + 862, judgement.number, done))


def test_the_output_of_a_preemptive_reply_is_sent_when_the_turn_is_over() -> None:
    call, turn = drafted()
    over_ms = 1700 + pause_ms(0.6, PLAN)
    call.feed(ReplyToken(1900, turn, "Of "))
    call.feed(ReplyToken(1910, turn, "course."))
    call.feed(SpeechRequested(1920, turn, 0, 0, "Of course."))
    call.feed(SpeechQueued(1930, turn, 0, 900, done=True))
    call.feed(ReplyEnded(1940, turn))
    call.until(over_ms - 1)
    assert not call.messages(ModelOutput)
    assert not call.commands(Play)
    assert not call.remembered()
    call.until(over_ms)
    assert call.when(KeepReply) == [over_ms]
    assert [m.text for m in call.messages(ModelOutput)] == ["Of ", "course."]
    assert call.when(Play) == [over_ms], "it sounds at once"
    assert call.remembered() == [("user", SAID)]
    call.spoken(over_ms + 900)
    assert call.outcomes() == ["spoken"]
    assert call.remembered()[-1] == ("assistant", "Of course.")


def test_a_preemptive_reply_of_very_many_events_is_joined_and_loses_nothing() -> None:
    """All of them are applied in one step when the turn is over."""
    call, turn = drafted()
    over_ms = 1700 + pause_ms(0.6, PLAN)
    for _ in range(3 * MOST_EVENTS):
        call.feed(ReplyToken(1900, turn, "a "))
    call.feed(SpeechRequested(1910, turn, 0, 0, "a " * 3 * MOST_EVENTS))
    for queued_ms in range(20, 2000, 20):
        call.feed(SpeechQueued(1920, turn, 0, queued_ms))
    assert call.state.preemptive is not None
    assert len(call.state.preemptive.events) <= MOST_EVENTS + 2
    call.until(over_ms)
    assert "".join(m.text for m in call.messages(ModelOutput)) == "a " * 3 * MOST_EVENTS
    assert call.state.reply is not None
    assert call.state.reply.audio_ms == 1980


def test_a_kept_reply_goes_on_as_any_reply() -> None:
    call, turn = drafted()
    call.until(4000)
    call.feed(ReplyToken(4000, turn, "Of course."))
    assert len(call.messages(ModelOutput)) == 1
    assert len(call.commands(StartReply)) == 1


def test_a_tool_that_it_calls_runs_when_the_turn_is_over() -> None:
    call, turn = drafted()
    call.feed(ToolsCalled(1900, turn, (ToolCallRequest("call_1", "book", "{}"),)))
    call.feed(ReplyEnded(1910, turn))
    call.until(1700 + pause_ms(0.6, PLAN) - 1)
    assert not call.commands(RunTools)
    call.until(4000)
    assert call.commands(RunTools) == [RunTools(turn, ("call_1",))]


@pytest.mark.parametrize("what", ["voice", "words", "say", "message", "mute", "hang up", "failure"])
def test_a_preemptive_reply_is_discarded_without_a_trace(what: str) -> None:
    call, turn = drafted()
    call.feed(ReplyToken(1900, turn, "Of course."))
    event = {
        "voice": VoiceStarted(2000, 1990),
        "words": TranscriptReceived(2000, "I would like a table for two", final=False, complete=True),
        "say": Say(2000, "One moment."),
        "message": AddMessage(2000, "system", "The caller is a regular.", respond=False),
        "mute": Mute(2000, "assistant", on=True),
        "hang up": HangUp(2000, "customer-ended-call"),
        "failure": ReplyFailed(2000, turn, "pipeline-error-custom-llm-llm-failed"),
    }[what]
    commands = call.feed(event)
    assert CloseReply(turn, "discarded") in commands
    assert call.state.preemptive is None
    call.feed(ReplyToken(2010, turn, "Late."))
    assert not any(m.turn_id == turn for m in call.messages(ModelOutput))
    assert all(turn not in str(entry) for entry in call.state.history)
    if what == "hang up":
        assert commands.index(CloseReply(turn, "discarded")) < commands.index(
            next(c for c in commands if isinstance(c, EndCall))
        )


def test_a_failed_preemptive_reply_is_discarded_and_the_model_asked_again() -> None:
    call, turn = drafted()
    call.feed(ReplyFailed(1900, turn, "pipeline-error-custom-llm-llm-failed"))
    call.until(4000)
    assert call.ended_reason() is None
    assert [c.said for c in call.commands(StartReply)] == [SAID, ""]


def test_a_pause_has_one_preemptive_reply_and_a_turn_two() -> None:
    call, _ = drafted()
    said = SAID
    for number in range(3):
        at_ms = 2100 + number * 1100
        said += " And one."
        pause(call, at_ms, 0.6, said)
    assert len([c for c in call.commands(StartReply) if c.said]) == 2
    assert call.outcomes() == ["discarded", "discarded"]
    call.until(20_000)
    assert [c.said for c in call.commands(StartReply)][-1] == ""
    assert call.state.caller.preemptive_count == 0


def test_words_that_differ_in_punctuation_only_are_the_same() -> None:
    call, _ = drafted()
    call.feed(TranscriptReceived(2000, "I would like a table", final=True))
    assert call.state.preemptive is not None


@pytest.mark.parametrize("done", [0.4, 0.99])
def test_there_is_none_where_the_end_is_unlikely_or_near(done: float) -> None:
    call = Call(PLAN).start()
    pause(call, 1000, done)
    assert not [c for c in call.commands(StartReply) if c.said]


def test_a_plan_with_its_own_pauses_has_preemptive_replies_too() -> None:
    call = Call(waiting(preemptive=True, on_punctuation_ms=800)).start()
    call.user_says(1000, SAID, voice_ms=700)
    assert [c.said for c in call.commands(StartReply)] == [SAID]
    call.until(4000)
    assert call.when(KeepReply) == [2000 + 800]


def test_playout_of_a_preemptive_reply_is_ignored() -> None:
    call, turn = drafted()
    call.feed(Played(1900, turn, 100))
    assert call.state.preemptive is not None
    assert call.state.preemptive.events == ()


def test_a_caller_who_goes_on_after_the_end_supersedes_the_kept_reply() -> None:
    call, _ = drafted()
    call.feed(VoiceStarted(2000, 1990))
    call.feed(VoiceStopped(2500, 2480))
    call.feed(TranscriptReceived(2700, f"{SAID} For two.", final=True))
    call.until(9000)
    assert call.remembered()[0] == ("user", f"{SAID} For two.")
    assert len([c for _, c in call.log if isinstance(c, Send) and isinstance(c.message, ModelOutput)]) == 0
