"""Time limits: hang, stall, silence, maximum duration."""

import pytest

from bargein.turns import Plan, State, step, wake_at
from bargein.turns.commands import Hang, SpeechUpdate
from bargein.turns.events import (
    AddMessage,
    CallStarted,
    Mute,
    ReplyEnded,
    ReplyToken,
    Say,
    SpeechQueued,
    SpeechRequested,
    Tick,
    TranscriptReceived,
    VoiceStarted,
    VoiceStopped,
)
from tests.turns.talking import CALL_ID, Call, waiting

MODEL_FAILED = "pipeline-error-vapi-llm-failed"
VOICE_FAILED = "pipeline-error-vapi-voice-failed"


def asked(**changes: object) -> Call:
    """Make a call whose model was asked at 1100."""
    call = Call(waiting(**changes)).start()
    assert call.settle(call.user_says(100, "Hello there.")) == 1100
    return call


# hang.


def test_a_late_model_is_reported_once() -> None:
    call = asked()
    call.until(5099)
    assert call.messages(Hang) == []
    call.until(20_000)
    assert call.when(Hang) == [5100]


def test_a_late_voice_is_reported() -> None:
    call = asked()
    call.feed(ReplyToken(2000, call.reply(), "Hi."))
    call.feed(SpeechRequested(2100, call.reply(), 0, 0, "Hi."))
    call.until(20_000)
    assert call.when(Hang) == [6100]


def test_a_model_that_falls_silent_again_is_reported_again() -> None:
    call = asked()
    call.until(5100)
    call.feed(ReplyToken(6000, call.reply(), "Well "))
    call.until(20_000)
    assert call.when(Hang) == [5100, 10_000]


def test_a_voice_that_falls_silent_again_is_reported_again() -> None:
    call = asked()
    call.feed(ReplyToken(1100, call.reply(), "Hi."))
    call.feed(SpeechRequested(1100, call.reply(), 0, 0, "Hi."))
    call.until(5100)
    call.feed(SpeechQueued(5200, call.reply(), 0, 300))
    call.until(12_000)
    assert call.when(Hang) == [5100, 9200]


def test_a_drained_voice_is_reported_again() -> None:
    call = asked()
    turn = call.model_says(1100, "Hi.", 500, ended=False)
    call.until(1500)
    call.hear(2000, 500, drained=True)
    call.until(6000)
    assert call.when(Hang) == [6000]
    call.feed(ReplyToken(6100, turn, " So."))
    call.feed(SpeechRequested(6100, turn, 1, 4, "So."))
    call.feed(SpeechQueued(6200, turn, 1, 300))
    call.until(12_000)
    assert call.when(Hang) == [6000, 10_200]


def test_a_reply_that_makes_progress_is_not_late() -> None:
    call = asked()
    call.model_says(1100, "Hi. " * 50, 20_000, ended=False)
    for at_ms in range(2000, 20_000, 2000):
        call.hear(at_ms, at_ms - 1500)
    assert call.messages(Hang) == []


def test_a_voice_that_stops_within_a_frame_is_late_though_it_never_drained() -> None:
    call = asked()
    call.model_says(1100, "Hi.", 510, ended=False)
    call.until(1500)
    for at_ms in (1700, 2000, 2200):
        call.hear(at_ms, min(at_ms - 1500, 500))
    call.until(9000)
    assert call.when(Hang) == [6000]


def test_a_reply_that_is_held_back_is_not_late() -> None:
    call = asked()
    call.feed(VoiceStarted(1200, 1190))
    call.model_says(1300, "Hi.", 500, ended=False)
    call.until(6000)
    assert call.messages(Hang) == []


def test_a_reply_that_has_ended_is_not_late() -> None:
    call = asked()
    call.model_says(1100, "Hi.", 9000)
    call.until(9000)
    assert call.messages(Hang) == []


# stall.


def test_a_model_that_never_answers_ends_the_call() -> None:
    call = asked()
    call.until(31_099)
    assert call.ended_reason() is None
    call.until(31_100)
    assert call.ended_reason() == MODEL_FAILED
    assert call.outcomes() == ["call-ended"]


def test_a_voice_that_never_speaks_ends_the_call() -> None:
    call = asked()
    call.feed(ReplyToken(1200, call.reply(), "Hi."))
    call.feed(SpeechRequested(1300, call.reply(), 0, 0, "Hi."))
    call.until(31_300)
    assert call.ended_reason() == VOICE_FAILED


def test_a_model_that_stops_after_a_sentence_ends_the_call() -> None:
    call = asked()
    call.model_says(1100, "Hi.", 500, ended=False)
    call.until(1500)
    call.hear(2000, 500, drained=True)
    call.until(32_000)
    assert call.ended_reason() == MODEL_FAILED


def test_a_voice_that_stops_in_a_sentence_ends_the_call() -> None:
    call = asked()
    turn = call.reply()
    call.feed(ReplyToken(1200, turn, "Hi."))
    call.feed(SpeechRequested(1200, turn, 0, 0, "Hi."))
    call.feed(SpeechQueued(1200, turn, 0, 500))
    call.until(1500)
    call.hear(2000, 500, drained=True)
    call.until(32_000)
    assert call.ended_reason() == VOICE_FAILED


def test_a_say_that_is_never_spoken_is_the_voices_fault() -> None:
    call = Call().start()
    call.feed(Say(100, "Please hold."))
    call.until(30_100)
    assert call.ended_reason() == VOICE_FAILED


def test_a_reply_that_has_ended_but_is_never_played_ends_the_call() -> None:
    call = asked()
    call.model_says(1100, "Hi.", 500)
    call.until(31_500)
    assert call.ended_reason() == VOICE_FAILED


@pytest.mark.parametrize("event", ["end", "audio", "segment", "token"])
def test_progress_that_nobody_hears_does_not_count(event: str) -> None:
    """The limit runs from the request, or the last sound: a word each 15 s would be silence without an end."""
    call = asked()
    turn = call.reply()
    call.feed(ReplyToken(1200, turn, "Hi. So."))
    call.feed(SpeechRequested(1200, turn, 0, 0, "Hi."))
    match event:
        case "end":
            call.feed(SpeechQueued(1200, turn, 0, 500, done=True))
            call.until(1500)
            call.feed(ReplyEnded(20_000, turn))
        case "audio":
            call.feed(SpeechQueued(20_000, turn, 0, 0))
        case "segment":
            call.feed(SpeechRequested(20_000, turn, 1, 4, "So."))
        case _:
            call.feed(ReplyToken(20_000, turn, " And."))
    call.until(31_099)
    assert call.ended_reason() is None
    call.until(31_100)
    assert call.ended_reason() is not None


def test_a_reply_that_the_caller_holds_back_is_not_stalled() -> None:
    call = asked()
    call.model_says(1300, "Hi.", 500)
    for at_ms in range(1400, 60_000, 2000):
        call.feed(VoiceStarted(at_ms, at_ms))
        call.feed(VoiceStopped(at_ms + 1500, at_ms + 1500))
    assert call.ended_reason() is None
    call.until(70_000)
    assert call.state.reply is not None
    assert call.state.reply.audible_ms == 60_900 + 1200  # the last voice, and its grace


# Silence and maximum duration.


def test_a_call_in_which_nobody_speaks_ends() -> None:
    call = Call().start()
    call.until(29_999)
    assert call.ended_reason() is None
    call.until(30_000)
    assert call.ended_reason() == "silence-timed-out"
    assert call.decisions() == ["ending"]


def test_silence_counts_from_the_last_sound_of_the_assistant() -> None:
    call = asked(silence_timeout_ms=10_000)
    call.model_says(1100, "Hi.", 500)
    call.until(1500)
    call.spoken(2000)
    call.until(11_999)
    assert call.ended_reason() is None
    call.until(12_000)
    assert call.ended_reason() == "silence-timed-out"


def test_a_voice_without_words_is_no_speech() -> None:
    """Noise, as long as it is not so much that the transcriber must have failed: nothing answers it."""
    call = asked(silence_timeout_ms=10_000, unheard_voice_ms=5000)
    call.model_says(1100, "Hi.", 500)
    call.until(1500)
    call.spoken(2000)
    for at in (3000, 6000, 9000):
        call.voice(at, at + 1500)
        call.until(at + 2800)
    call.until(11_999)
    assert call.ended_reason() is None
    call.until(12_000)
    assert call.ended_reason() == "silence-timed-out"


def test_silence_counts_from_the_start_of_the_call() -> None:
    call = Call().start(700)
    call.until(30_699)
    assert call.ended_reason() is None
    call.until(30_700)
    assert call.ended_reason() == "silence-timed-out"


def test_a_voice_that_began_in_time_is_waited_for_until_its_words_would_have_come() -> None:
    call = Call(waiting(silence_timeout_ms=10_000)).start()
    call.voice(9900, 10_500)
    call.until(11_699)
    assert call.ended_reason() is None
    call.until(11_700)
    assert call.ended_reason() == "silence-timed-out"


def test_a_voice_that_began_in_time_breaks_the_silence_with_its_words() -> None:
    call = Call(waiting(silence_timeout_ms=10_000)).start()
    call.voice(9900, 10_500)
    call.feed(TranscriptReceived(10_700, "um", final=True))
    call.until(20_699)
    assert call.ended_reason() is None


def test_a_voice_that_lasts_has_the_whole_time_for_its_words() -> None:
    """A transcriber may report words at the end of a voice alone."""
    call = Call(waiting(silence_timeout_ms=10_000)).start()
    call.feed(VoiceStarted(9032, 9000))
    call.until(18_999)
    assert call.ended_reason() is None
    call.until(19_000)
    assert call.ended_reason() == "silence-timed-out"


@pytest.mark.parametrize(
    "event",
    [TranscriptReceived(9000, "um", final=False), Say(9000, "Hi."), AddMessage(9000, "system", "x", respond=False)],
)
def test_what_breaks_the_silence(event: TranscriptReceived | Say | AddMessage) -> None:
    call = Call(waiting(silence_timeout_ms=10_000)).start()
    call.feed(event)
    call.until(10_500)
    assert call.ended_reason() is None


def test_a_caller_who_speaks_is_not_silent_but_background_is() -> None:
    call = Call(waiting(silence_timeout_ms=3000)).start()
    call.feed(VoiceStarted(1000, 1000))
    call.until(5999)
    assert call.ended_reason() is None
    call.until(6000)
    assert call.ended_reason() == "silence-timed-out"


def test_an_assistant_who_speaks_is_not_silent() -> None:
    call = Call(waiting(silence_timeout_ms=3000))
    call.talking()
    for at_ms in (4000, 5000, 6000):
        call.hear(at_ms, at_ms - 3500)
    assert call.ended_reason() is None


def test_silence_counts_from_the_end_of_what_the_assistant_said() -> None:
    call = Call(waiting(silence_timeout_ms=3000))
    call.talking()
    call.hear(3500, 2000)
    call.spoken(4500)
    call.until(7499)
    assert call.ended_reason() is None
    call.until(7500)
    assert call.ended_reason() == "silence-timed-out"


def test_a_pending_say_breaks_the_silence_too() -> None:
    call = Call(waiting(silence_timeout_ms=3000)).start()
    call.feed(Mute(100, "assistant", on=True))
    call.feed(Say(200, "Please hold."))
    call.until(9000)
    assert call.ended_reason() is None


@pytest.mark.parametrize("started_ms", [0, 700])
def test_no_call_is_longer_than_its_plan_allows(started_ms: int) -> None:
    call = Call(waiting(max_duration_ms=20_000)).start(started_ms)
    call.talking() if started_ms == 0 else call.user_says(1000, "Hello")
    call.until(started_ms + 19_999)
    assert call.ended_reason() is None
    call.until(started_ms + 20_000)
    assert call.ended_reason() == "exceeded-max-duration"


# speech-update.


def test_the_caller_has_stopped_after_three_tenths_of_a_second() -> None:
    call = Call().start()
    call.feed(VoiceStarted(1032, 1000))
    call.feed(VoiceStopped(1532, 1500))
    call.feed(VoiceStarted(1732, 1700))
    call.feed(VoiceStopped(2032, 2000))
    call.until(2299)
    assert [m.status for m in call.messages(SpeechUpdate)] == ["started"]
    call.until(2300)
    assert call.messages(SpeechUpdate) == [SpeechUpdate("user", "started", 0), SpeechUpdate("user", "stopped", 0)]


def test_one_turn_may_have_several_runs_of_speech() -> None:
    call = Call().start()
    call.user_says(1000, "I would like")
    call.user_says(2100, "a table for")
    assert [(m.status, m.turn) for m in call.messages(SpeechUpdate)] == [("started", 0), ("stopped", 0)] * 2


def test_turns_are_counted_over_both_sides() -> None:
    call = asked()
    call.model_says(1100, "Hi.", 500)
    call.until(1500)
    call.spoken(2000)
    call.settle(call.user_says(3000, "And now?"))
    call.model_says(4000, "So.", 500)
    call.until(5000)
    assert [m.turn for m in call.messages(SpeechUpdate) if m.status == "started"] == [0, 1, 2, 3]


# The order of times.


def test_a_call_that_is_not_live_needs_no_ticks() -> None:
    assert wake_at(State(call_id=CALL_ID), Plan()) is None


def test_time_never_runs_backwards() -> None:
    state, _ = step(State(call_id=CALL_ID), CallStarted(500), waiting())
    state, _ = step(state, Tick(300), waiting())
    assert state.now_ms == 500


def test_a_voice_cannot_begin_later_than_it_was_detected_nor_end_before_it_began() -> None:
    call = Call().start()
    call.feed(VoiceStarted(1000, 1500))
    assert call.state.caller.onset_ms == 1000
    call.feed(VoiceStopped(1200, 900))
    assert call.state.caller.offset_ms == 1000
    call.feed(VoiceStarted(2000, 2000))
    call.feed(VoiceStopped(2300, 9000))
    assert call.state.caller.offset_ms == 2300


def test_a_repeated_voice_event_changes_nothing() -> None:
    call = Call().start()
    call.feed(VoiceStarted(1000, 1000))
    before = call.state.caller
    assert call.feed(VoiceStarted(1100, 1100)) == []
    assert call.state.caller == before
    call.feed(VoiceStopped(1200, 1200))
    before = call.state.caller
    assert call.feed(VoiceStopped(1300, 1300)) == []
    assert call.state.caller == before
