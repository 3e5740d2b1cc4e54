"""The life of a reply: its messages, its history, and events of other turns."""

import pytest

from bargein.turns.commands import (
    CloseReply,
    EndCall,
    Hang,
    Message,
    ModelOutput,
    Play,
    Remember,
    Send,
    SpeechProgress,
    SpeechUpdate,
    StartReply,
    Transcript,
    UserInterrupted,
    VoiceInput,
)
from bargein.turns.events import (
    AddMessage,
    Event,
    Played,
    ReplyEnded,
    ReplyFailed,
    ReplyToken,
    Say,
    SpeechQueued,
    SpeechRequested,
    TimedWord,
    TranscriptReceived,
    VoiceStarted,
    VoiceStopped,
)
from tests.turns.talking import CALL_ID, Call, waiting

DEAD = "00000000-0000-0000-0000-000000000000"


def asked(**changes: object) -> Call:
    """Make a call whose model was asked at 1100; its answer may sound from 1500 on."""
    call = Call(waiting(**changes)).start()
    assert call.settle(call.user_says(100, "Hello there.")) == 1100
    return call


def told(call: Call, since: int) -> list[Message]:
    return [c.message for _, c in call.log[since:] if isinstance(c, Send)]


def late_events(turn_id: str) -> list[Event]:
    """Return every event that may still come for a turn."""
    return [
        ReplyToken(9000, turn_id, "late"),
        SpeechRequested(9000, turn_id, 0, 0, "late"),
        SpeechQueued(9000, turn_id, 0, 5000, done=True),
        Played(9000, turn_id, 5000, drained=True),
        ReplyEnded(9000, turn_id),
        ReplyFailed(9000, turn_id, "pipeline-error-custom-llm-llm-failed"),
    ]


# Turn ids.


def test_turn_ids_look_like_the_calls_and_differ() -> None:
    call = asked()
    first = call.reply()
    call.model_says(1100, "Hi.", 500)
    call.until(2000)
    call.spoken(2100)
    call.settle(call.user_says(3000, "And now?"))
    assert [first, call.reply()] == [f"{CALL_ID[:24]}{n:012x}" for n in (0, 1)]


def test_with_no_reply_running_late_events_do_nothing() -> None:
    call = asked()
    turn = call.model_says(1100, "Hi.", 500)
    call.until(2000)
    call.spoken(2100)
    before = call.state
    for event in late_events(turn):
        assert call.feed(event) == []
    assert (call.state.history, call.state.phase, call.state.reply) == (before.history, "live", None)


def test_late_events_of_a_closed_turn_do_not_change_the_running_one() -> None:
    call = asked()
    dead = call.model_says(1100, "Hi.", 500)
    call.until(2000)
    call.spoken(2100)
    call.settle(call.user_says(3000, "And now?"))
    call.until(9000)
    before, said = call.state.reply, len(call.log)
    for event in late_events(dead):
        assert call.feed(event) == []
    assert call.state.reply == before
    assert len(call.log) == said


# Model and voice.


def test_each_token_is_sent_as_it_comes_with_its_turn() -> None:
    call = asked()
    turn = call.reply()
    for text in ("With ", "", "pleasure."):
        call.feed(ReplyToken(1200, turn, text))
    assert call.messages(ModelOutput) == [ModelOutput(turn, "With "), ModelOutput(turn, "pleasure.")]


def test_a_say_has_no_model_output() -> None:
    call = Call().start()
    call.feed(Say(100, "Please hold."))
    call.model_says(200, "Please hold.", 500)
    call.feed(ReplyToken(300, call.reply(), "nonsense"))
    assert call.messages(ModelOutput) == []
    assert call.messages(VoiceInput) == [VoiceInput("Please hold.")]


def test_segments_are_taken_in_order_and_only_of_the_replys_own_text() -> None:
    call = asked()
    turn = call.reply()
    call.feed(ReplyToken(1200, turn, "With pleasure. "))
    said = len(call.log)
    call.feed(SpeechRequested(1200, turn, 1, 0, "With pleasure."))
    call.feed(SpeechRequested(1200, turn, 0, 1, "With pleasure."))
    call.feed(SpeechRequested(1200, turn, 0, 0, "With glee."))
    assert told(call, said) == []
    call.feed(SpeechRequested(1200, turn, 0, 5, "pleasure."))
    assert told(call, said) == [VoiceInput("pleasure.")]


def test_audio_counts_for_the_latest_segment_and_never_shrinks() -> None:
    call = asked()
    turn = call.reply()
    call.feed(ReplyToken(1200, turn, "One. Two."))
    call.feed(SpeechRequested(1200, turn, 0, 0, "One."))
    call.feed(SpeechQueued(1200, turn, 0, 500))
    call.feed(SpeechQueued(1200, turn, 0, 400))
    call.feed(SpeechQueued(1200, turn, 1, 900))
    assert call.state.reply is not None
    assert call.state.reply.audio_ms == 500
    call.feed(SpeechQueued(1200, turn, 0, 600, done=True))
    call.feed(SpeechQueued(1200, turn, 0, 700, done=True))
    assert call.state.reply.audio_ms == 600
    call.feed(SpeechRequested(1200, turn, 1, 5, "Two."))
    call.feed(SpeechQueued(1200, turn, 0, 900))
    call.feed(SpeechQueued(1200, turn, 1, 300))
    assert [(s.start_ms, s.audio_ms) for s in call.state.reply.segments] == [(0, 600), (600, 300)]


def test_timings_that_have_come_stay() -> None:
    call = asked()
    turn = call.reply()
    call.feed(ReplyToken(1200, turn, "One two"))
    call.feed(SpeechRequested(1200, turn, 0, 0, "One two"))
    words = (TimedWord(3, 0, 100),)
    call.feed(SpeechQueued(1200, turn, 0, 950, words))
    call.feed(SpeechQueued(1300, turn, 0, 1000))
    call.until(1500)
    call.hear(1700, 200)
    assert call.messages(Transcript)[-1] == Transcript("assistant", final=False, text="One")


# When it sounds.


def test_a_reply_sounds_once_it_has_audio_and_its_turn_has_a_number() -> None:
    call = asked()
    turn = call.model_says(1600, "Hi.", 500)
    at_ms, play = next((t, c) for t, c in call.log if isinstance(c, Play))
    assert (at_ms, play) == (1600, Play(turn))
    assert [(m.role, m.status, m.turn) for m in call.messages(SpeechUpdate)] == [
        ("user", "started", 0),
        ("user", "stopped", 0),
        ("assistant", "started", 1),
    ]


def test_a_reply_without_audio_is_silent() -> None:
    call = asked()
    call.feed(ReplyToken(1200, call.reply(), "Hi."))
    call.feed(SpeechRequested(1200, call.reply(), 0, 0, "Hi."))
    call.until(3000)
    assert not call.commands(Play)


@pytest.mark.parametrize("words", [False, True])
def test_a_reply_does_not_begin_over_a_caller_who_speaks(words: bool) -> None:
    call = Call().start()
    call.feed(Say(100, "Please hold."))
    call.feed(VoiceStarted(150, 140))
    call.model_says(200, "Please hold.", 500)
    call.until(1000)
    assert not call.commands(Play)
    call.feed(VoiceStopped(1100, 1080))
    assert not call.commands(Play)
    if words:
        call.feed(TranscriptReceived(1500, "Hello?", final=True))
        assert call.when(Play) == [1500]
        assert call.cuts() == []  # what was said until then is no reaction to it
    else:
        call.until(3000)
        assert call.when(Play) == [2280]


def test_playout_before_the_start_is_ignored() -> None:
    call = asked()
    call.model_says(1100, "Hi.", 500)
    call.hear(1200, 500, drained=True)
    assert call.state.reply is not None
    assert call.state.reply.played_ms == 0


# What was heard.


def test_the_assistants_words_are_sent_as_they_sound() -> None:
    call = asked()
    call.model_says(1100, "aaa bbb ccc ddd", 1600)
    call.until(1500)
    said = len(call.log)
    for at_ms, position_ms in ((1600, 100), (1900, 400), (2000, 500), (2300, 800), (3100, 1600)):
        call.hear(at_ms, position_ms)
    text = "aaa bbb ccc ddd"
    assert told(call, said) == [
        Transcript("assistant", final=False, text="aaa"),
        SpeechProgress(1, text, "model", 1, 4),
        Transcript("assistant", final=False, text="aaa bbb"),
        SpeechProgress(1, text, "model", 2, 4),
        Transcript("assistant", final=True, text=text),
        SpeechProgress(1, text, "model", 4, 4),
    ]


def test_at_its_beginning_no_word_has_been_said() -> None:
    call = asked()
    call.model_says(1100, "aaa bbb", 800)
    call.until(1500)
    assert call.messages(SpeechProgress) == [SpeechProgress(1, "aaa bbb", "model", 0, 2)]


def test_each_segment_has_its_own_final() -> None:
    call = asked()
    turn = call.reply()
    call.feed(ReplyToken(1200, turn, "One. Two."))
    for number, (start, text) in enumerate([(0, "One."), (5, "Two.")]):
        call.feed(SpeechRequested(1200, turn, number, start, text))
        call.feed(SpeechQueued(1200, turn, number, 500, done=True))
    call.until(1500)
    call.hear(2250, 750)
    call.hear(2500, 1000)
    assistant = [m for m in call.messages(Transcript) if m.role == "assistant"]
    assert assistant == [Transcript("assistant", True, "One."), Transcript("assistant", True, "Two.")]
    assert [m.words_spoken for m in call.messages(SpeechProgress)] == [0, 1, 2]


def test_a_position_that_skips_a_segment_skips_no_final() -> None:
    call = asked()
    turn = call.reply()
    call.feed(ReplyToken(1200, turn, "One. Two. Three four."))
    for number, (start, text) in enumerate([(0, "One."), (5, "Two."), (10, "Three four.")]):
        call.feed(SpeechRequested(1200, turn, number, start, text))
        call.feed(SpeechQueued(1200, turn, number, 500, done=True))
    call.until(1500)
    call.hear(2900, 1400)
    assert [(m.final, m.text) for m in call.messages(Transcript) if m.role == "assistant"] == [
        (True, "One."),
        (True, "Two."),
        (False, "Three"),
    ]


def test_a_drained_segment_is_not_final_while_more_audio_may_come() -> None:
    call = asked()
    turn = call.reply()
    call.feed(ReplyToken(1200, turn, "aaa bbb"))
    call.feed(SpeechRequested(1200, turn, 0, 0, "aaa bbb"))
    call.feed(SpeechQueued(1200, turn, 0, 400, (TimedWord(3, 0, 300),)))
    call.until(1500)
    call.hear(1900, 400, drained=True)
    call.feed(SpeechQueued(2000, turn, 0, 800, done=True))
    call.hear(2500, 800, drained=True)
    assert [(m.final, m.text) for m in call.messages(Transcript) if m.role == "assistant"] == [
        (False, "aaa"),
        (True, "aaa bbb"),
    ]


def test_a_silent_segment_has_no_transcript_and_blocks_nothing() -> None:
    call = asked()
    turn = call.reply()
    call.feed(ReplyToken(1200, turn, "* One."))
    call.feed(SpeechRequested(1200, turn, 0, 0, "*"))
    call.feed(SpeechQueued(1200, turn, 0, 0, done=True))
    call.feed(SpeechRequested(1200, turn, 1, 2, "One."))
    call.feed(SpeechQueued(1200, turn, 1, 500, done=True))
    call.feed(ReplyEnded(1200, turn))
    call.until(1500)
    call.hear(2000, 500, drained=True)
    assert [m.text for m in call.messages(Transcript) if m.role == "assistant"] == ["One."]
    assert call.remembered()[-1] == ("assistant", "* One.")


def test_a_position_never_goes_back_nor_past_the_audio() -> None:
    call = asked()
    call.model_says(1100, "aaa bbb", 800)
    call.until(1500)
    call.hear(2000, 500)
    call.hear(2100, 300)
    assert call.state.reply is not None
    assert call.state.reply.played_ms == 500
    call.hear(2200, 5000)
    assert call.state.reply.played_ms == 800


def test_drained_audio_was_heard_to_its_end_whatever_was_rounded() -> None:
    call = asked()
    call.model_says(1100, "aaa bbb", 801)
    call.until(1500)
    call.hear(2301, 800, drained=True)
    assert call.remembered()[-1] == ("assistant", "aaa bbb")
    assert call.outcomes() == ["spoken"]


# How it ends.


def test_a_reply_is_over_once_it_has_ended_and_been_played() -> None:
    call = asked()
    turn = call.model_says(1100, "aaa bbb", 800, ended=False)
    call.until(1500)
    call.hear(2300, 800, drained=True)
    assert call.outcomes() == []
    said = len(call.log)
    call.feed(ReplyEnded(2400, turn))
    assert [c for _, c in call.log[said:]] == [
        CloseReply(turn, "spoken"),
        Send(SpeechUpdate("assistant", "stopped", 1)),
        Remember("assistant", "aaa bbb", 1500, 2400, turn),
    ]


def test_more_audio_after_draining_must_be_played_too() -> None:
    call = asked()
    turn = call.model_says(1100, "aaa bbb", 800, ended=False)
    call.until(1500)
    call.hear(2300, 800, drained=True)
    call.feed(ReplyToken(2400, turn, " ccc"))
    call.feed(SpeechRequested(2400, turn, 1, 8, "ccc"))
    call.feed(SpeechQueued(2500, turn, 1, 400, done=True))
    call.feed(ReplyEnded(2600, turn))
    assert call.outcomes() == []
    call.hear(2900, 1200, drained=True)
    assert call.outcomes() == ["spoken"]
    assert call.remembered()[-1] == ("assistant", "aaa bbb ccc")


def test_repeated_audio_events_do_not_change_playout() -> None:
    call = asked()
    turn = call.model_says(1100, "aaa bbb", 800, ended=False)
    call.feed(ReplyToken(1200, turn, " ccc"))
    call.feed(SpeechRequested(1200, turn, 1, 8, "ccc"))
    call.feed(SpeechQueued(1300, turn, 1, 400))
    call.until(1500)
    call.hear(1900, 400)
    call.feed(SpeechQueued(1900, turn, 1, 400, done=True))
    call.feed(ReplyEnded(1900, turn))
    assert call.outcomes() == []


def test_a_segment_without_audio_leaves_the_reply_drained() -> None:
    call = asked()
    turn = call.model_says(1100, "aaa bbb", 800, ended=False)
    call.until(1500)
    call.hear(2300, 800, drained=True)
    call.feed(ReplyToken(2400, turn, " ."))
    call.feed(SpeechRequested(2400, turn, 1, 8, "."))
    call.feed(SpeechQueued(2500, turn, 1, 0, done=True))
    call.feed(ReplyEnded(2600, turn))
    assert call.outcomes() == ["spoken"]


def test_text_that_was_never_synthesized_was_not_heard() -> None:
    call = asked()
    turn = call.reply()
    call.feed(ReplyToken(1200, turn, "One. Two."))
    call.feed(SpeechRequested(1200, turn, 0, 0, "One."))
    call.feed(SpeechQueued(1200, turn, 0, 500, done=True))
    call.feed(ReplyEnded(1200, turn))
    call.until(1500)
    call.spoken(2000)
    assert call.remembered()[-1] == ("assistant", "One.")


def test_cut_in_a_later_segment_its_final_is_what_was_heard_of_that_segment() -> None:
    call = asked()
    turn = call.reply()
    call.feed(ReplyToken(1200, turn, "One. aaa bbb."))
    for number, (start, text, audio_ms) in enumerate([(0, "One.", 500), (5, "aaa bbb.", 900)]):
        call.feed(SpeechRequested(1200, turn, number, start, text))
        call.feed(SpeechQueued(1200, turn, number, audio_ms, done=True))
    call.until(1500)
    call.hear(2000, 500)
    call.hear(2500, 1000)
    call.feed(TranscriptReceived(2501, "stop", final=False))
    assert [m.text for m in call.messages(Transcript) if m.role == "assistant"] == ["One.", "aaa", "aaa"]
    assert call.remembered()[-1] == ("assistant", "One. aaa")


def test_a_say_is_remembered_as_such() -> None:
    call = Call().start()
    call.feed(Say(100, "Please hold."))
    turn = call.model_says(200, "Please hold.", 500)
    call.spoken(700)
    assert call.commands(Remember) == [Remember("assistant", "Please hold.", 200, 700, turn, source="force-say")]
    assert {m.source for m in call.messages(SpeechProgress)} == {"force-say"}


# modelOutputInMessagesEnabled.


def test_the_history_may_hold_the_model_output_instead_of_the_heard_text() -> None:
    call = asked(remember_model_output=True)
    call.model_says(1100, " one two three four ", 1000)
    call.until(1500)
    call.hear(2000, 500)
    call.feed(TranscriptReceived(2001, "stop", final=False))
    assert call.remembered()[-1] == ("assistant", "one two three four")


def test_model_output_is_kept_of_a_finished_reply() -> None:
    call = asked(remember_model_output=True)
    turn = call.reply()
    call.feed(ReplyToken(1200, turn, "*One.* Two."))
    call.feed(SpeechRequested(1200, turn, 0, 1, "One."))
    call.feed(SpeechQueued(1200, turn, 0, 500, done=True))
    call.feed(ReplyEnded(1200, turn))
    call.until(1500)
    call.spoken(2000)
    assert call.remembered()[-1] == ("assistant", "*One.* Two.")


def test_model_output_is_kept_of_a_silent_reply() -> None:
    call = asked(remember_model_output=True)
    turn = call.reply()
    call.feed(ReplyToken(1200, turn, "[thinks]"))
    call.feed(ReplyEnded(1300, turn))
    assert call.commands(Remember)[-1] == Remember("assistant", "[thinks]", 1100, 1300, turn)


def test_model_output_is_not_kept_of_a_reply_that_never_sounded() -> None:
    call = asked(remember_model_output=True)
    call.feed(ReplyToken(1200, call.reply(), "With "))
    call.feed(TranscriptReceived(1300, "for two", final=False))
    assert call.outcomes() == ["superseded"]
    assert call.remembered() == [("user", "Hello there.")]


# The end of the call.


@pytest.mark.parametrize(
    ("text", "ends"), [("Thank you, goodbye!", True), ("Good bye", False), ("A good goodbyeing", False)]
)
def test_an_end_call_phrase_ends_the_call_once_it_was_said(text: str, ends: bool) -> None:
    call = asked(end_call_phrases=("goodbye",))
    call.model_says(1100, text, 800)
    call.until(1500)
    assert call.ended_reason() is None
    call.spoken(2300)
    assert (call.ended_reason() == "assistant-said-end-call-phrase") is ends
    assert ("ending" in call.decisions()) is ends


def test_an_end_call_phrase_that_was_cut_off_ends_nothing() -> None:
    call = asked(end_call_phrases=("goodbye",))
    call.model_says(1100, "Thank you, goodbye!", 800)
    call.until(1500)
    call.hear(2000, 500)
    call.feed(TranscriptReceived(2001, "wait", final=True))
    call.until(2200)
    assert call.ended_reason() is None


def test_end_call_after_spoken() -> None:
    call = Call().start()
    call.feed(Say(100, "Good luck.", ends_call=True))
    call.model_says(200, "Good luck.", 500)
    call.until(600)
    assert call.ended_reason() is None
    call.spoken(700)
    assert call.ended_reason() == "assistant-ended-call-after-message-spoken"
    assert call.remembered() == [("assistant", "Good luck.")]


def test_a_failure_is_reported_and_ends_the_call_with_its_reason() -> None:
    call = asked()
    turn = call.model_says(1100, "aaa bbb", 800, ended=False)
    call.until(1500)
    call.hear(1900, 400)
    said = len(call.log)
    call.feed(ReplyFailed(2000, turn, "pipeline-error-custom-voice-failed", "500"))
    commands = [c for _, c in call.log[said:]]
    assert CloseReply(turn, "failed") in commands
    assert commands[-2:] == [Send(Hang()), EndCall("pipeline-error-custom-voice-failed", "500")]
    assert call.remembered()[-1] == ("assistant", "aaa")
    assert UserInterrupted not in map(type, told(call, said))


def test_the_end_of_a_call_remembers_what_was_heard_and_what_the_caller_was_saying() -> None:
    call = asked(num_words=5)
    call.model_says(1100, "aaa bbb", 800)
    call.until(1500)
    call.hear(1900, 400)
    call.feed(TranscriptReceived(2000, "Table please", final=False))
    call.feed(AddMessage(2050, "system", "The caller is a regular.", respond=False))
    call.feed(ReplyFailed(2100, call.reply(), "pipeline-error-custom-voice-failed"))
    assert call.remembered()[1:] == [
        ("assistant", "aaa"),
        ("user", "Table please"),
        ("system", "The caller is a regular."),
    ]


def test_a_reply_is_asked_with_the_turn_it_answers() -> None:
    call = asked()
    kinds = [type(c) for t, c in call.log if t == 1100]
    assert kinds.index(Remember) < kinds.index(StartReply)
