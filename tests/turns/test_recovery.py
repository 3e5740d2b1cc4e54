"""False interruptions, words that come late or are withdrawn, and background voices."""

from bargein.turns.commands import (
    CloseReply,
    Decide,
    KeepReply,
    ModelOutput,
    Play,
    Remember,
    Send,
    SpeechUpdate,
    StartReply,
    Transcript,
)
from bargein.turns.events import (
    AddMessage,
    HangUp,
    InterruptionJudged,
    Mute,
    ReplyEnded,
    ReplyFailed,
    ReplyToken,
    Say,
    SpeechQueued,
    SpeechRequested,
    TextEnded,
    TranscriptReceived,
    VoiceStarted,
    VoiceStopped,
)
from bargein.turns.plan import Plan
from tests.turns.talking import Call, waiting

TEN = "one two three four five six seven eight nine ten"


def cut_by_a_voice(text: str = TEN, *, heard_ms: int = 1300, **changes: object) -> Call:
    """Make a call whose reply was cut at 4200 by a voice of 400 ms, after four of ten words."""
    call = Call(waiting(**changes))
    call.talking(text)
    call.hear(4000, heard_ms)
    call.voice(4000, 4400)
    assert call.when(CloseReply) == [4200]
    return call


def restarted(call: Call) -> list[tuple[int, str | None]]:
    """Return when later replies were started, or kept where they were prepared, and with which text."""
    found = list[tuple[int, str | None]]()
    prepared = dict[str, str | None]()
    for at_ms, command in call.log:
        match command:
            case StartReply(turn_id, text, prepared=True):
                prepared[turn_id] = text
            case StartReply(_, text):
                found.append((at_ms, text))
            case KeepReply(turn_id) if turn_id in prepared:
                found.append((at_ms, prepared[turn_id]))
            case _:
                pass
    return found[1:]


# A voice that brings no words.


def test_after_a_cough_the_rest_of_the_answer_is_resumed() -> None:
    call = cut_by_a_voice()
    call.feed(TranscriptReceived(4700, "", final=True))
    assert restarted(call) == [(4700, "five six seven eight nine ten")]
    first, second = (c.turn_id for c in call.commands(StartReply))
    assert first != second
    assert call.messages(ModelOutput)[-1] == ModelOutput(second, "five six seven eight nine ten")
    assert call.decisions()[-1] == "resumed"


def test_without_a_transcript_a_cough_is_a_false_interruption_after_the_timeout() -> None:
    call = cut_by_a_voice()
    call.until(5599)
    assert restarted(call) == []
    call.until(5600)
    assert restarted(call) == [(5600, "five six seven eight nine ten")]


def test_the_rest_waits_for_backoff_seconds() -> None:
    call = cut_by_a_voice(backoff_ms=3000)
    call.feed(TranscriptReceived(4700, "", final=True))
    call.model_says(4800, "five six seven eight nine ten", 2000)
    call.until(7199)
    assert call.state.reply is not None
    assert call.state.reply.audible_ms is None
    call.until(7200)
    assert call.state.reply.audible_ms == 7200


def cut_by_evidence(**changes: object) -> Call:
    """Make the same call, cut at 4210 by a judgement of the sound; the voice stops at 4400."""
    call = Call(waiting(adaptive_interruption=True, **changes))
    call.talking(TEN)
    call.hear(4000, 1300)
    call.feed(VoiceStarted(4032, 4000))
    call.feed(InterruptionJudged(4210, 4000, 160, 1.0, 0.0))
    call.feed(VoiceStopped(4432, 4400))
    assert call.when(CloseReply) == [4210]
    return call


def test_after_a_false_interruption_by_evidence_the_rest_resumes_soon_without_backoff() -> None:
    call = cut_by_evidence()
    call.until(4849)
    assert restarted(call) == []
    call.until(4850)
    assert restarted(call) == [(4850, "five six seven eight nine ten")]
    call.model_says(4900, "five six seven eight nine ten", 2000)
    assert call.state.reply is not None
    assert call.state.reply.audible_ms == 4900


def test_words_within_the_timeout_make_it_a_true_interruption_with_backoff() -> None:
    call = cut_by_evidence()
    call.feed(TranscriptReceived(4500, "tomorrow", final=False))
    call.until(5500)
    assert restarted(call) == []
    call = cut_by_evidence(backoff_ms=5000)
    call.feed(TranscriptReceived(4500, "tomorrow.", final=True))
    call.until(5000)
    call.model_says(5100, "Tomorrow it is.", 1000)
    call.until(9209)
    assert call.state.reply is not None
    assert call.state.reply.audible_ms is None
    call.until(9210)
    assert call.state.reply.audible_ms == 9210


def test_an_earlier_backoff_still_applies() -> None:
    call = cut_by_evidence(backoff_ms=5000)
    call.feed(TranscriptReceived(4500, "tomorrow.", final=True))
    call.until(5000)
    call.feed(ReplyToken(5100, call.reply(), "Well"))
    call.feed(VoiceStarted(5232, 5200))
    call.feed(TranscriptReceived(5300, "the", final=False))
    call.feed(VoiceStopped(5400, 5400))
    call.feed(TranscriptReceived(5500, "", final=True))
    call.until(6000)
    assert call.state.backoff_until_ms == 9210


def test_the_resumed_rest_follows_the_heard_part_in_the_history() -> None:
    call = cut_by_a_voice()
    call.feed(TranscriptReceived(4700, "", final=True))
    call.model_says(4800, "five six seven eight nine ten", 2000)
    call.spoken(8000)
    assert call.remembered()[1:] == [
        ("assistant", "one two three four"),
        ("assistant", "five six seven eight nine ten"),
    ]


def test_the_rest_can_be_interrupted_and_has_a_turn_id_of_its_own() -> None:
    call = cut_by_a_voice()
    call.feed(TranscriptReceived(4700, "", final=True))
    second = call.model_says(4800, "five six seven eight nine ten", 2000)
    call.feed(TranscriptReceived(6000, "stop", final=True))
    assert call.cuts()[1:] == [second]
    assert call.commands(Remember)[-1].source == "model"


def test_a_superseded_resumed_reply_is_named_in_user_interrupted() -> None:
    call = cut_by_a_voice()
    call.feed(TranscriptReceived(4700, "", final=True))
    second = call.reply()
    call.feed(TranscriptReceived(4800, "Which table?", final=True))
    assert call.cuts()[1:] == [second]
    assert call.outcomes() == ["interrupted", "superseded"]


def test_an_answer_that_was_heard_completely_is_not_repeated() -> None:
    call = cut_by_a_voice(heard_ms=3000)
    call.feed(TranscriptReceived(4700, "", final=True))
    assert call.decisions()[-1] == "resumed"
    call.until(20_000)
    assert restarted(call) == []
    assert call.state.false_interruption is None
    assert call.ended_reason() is None


def test_an_answer_that_the_model_had_not_finished_is_asked_for_again() -> None:
    call = Call().start()
    call.settle(call.user_says(100, "Hello there."))
    call.model_says(1100, TEN, 3000, ended=False)
    call.voice(4000, 4400)
    call.feed(TranscriptReceived(4700, "", final=True))
    assert restarted(call) == [(4700, None)]


def test_a_cut_first_message_is_resumed_as_a_first_message() -> None:
    call = Call(Plan(first_message=TEN, first_message_interruptible=True)).start()
    call.model_says(0, TEN, 3000)
    call.hear(1000, 1300)
    call.voice(1000, 1400)
    assert call.cuts() == [None]
    call.feed(TranscriptReceived(1700, "", final=True))
    assert restarted(call) == [(1700, "five six seven eight nine ten")]
    assert not call.messages(ModelOutput)
    call.model_says(1700, "five six seven eight nine ten", 2000)
    call.feed(TranscriptReceived(4000, "stop", final=False))
    assert call.cuts() == [None, None]


def test_a_given_text_is_resumed_even_if_its_synthesis_had_not_finished() -> None:
    call = Call().start()
    call.feed(Say(0, TEN))
    call.model_says(0, TEN, 3000, ended=False)
    call.hear(1000, 1300)
    call.voice(1000, 1400)
    call.feed(TranscriptReceived(1700, "", final=True))
    assert restarted(call) == [(1700, "five six seven eight nine ten")]


def test_a_say_that_was_cut_still_ends_the_call() -> None:
    call = Call().start()
    call.feed(Say(0, TEN, ends_call=True))
    call.model_says(0, TEN, 3000)
    call.hear(1000, 1300)
    call.voice(1000, 1400)
    call.feed(TranscriptReceived(1700, "", final=True))
    call.model_says(1700, "five six seven eight nine ten", 2000)
    call.until(3000)
    call.spoken(4500)
    assert call.ended_reason() == "assistant-ended-call-after-message-spoken"


def test_a_say_that_was_cut_after_its_last_word_still_ends_the_call() -> None:
    call = Call().start()
    call.feed(Say(0, "Goodbye then.", ends_call=True))
    call.model_says(0, "Goodbye then.", 3000)
    call.hear(3000, 3000)
    call.voice(2950, 3350)
    assert call.cuts() == [None]
    call.feed(TranscriptReceived(3600, "", final=True))
    assert call.ended_reason() == "assistant-ended-call-after-message-spoken"


# The place at which it resumes.

BOOKED = "Your table is booked, for two people at nine. The garden is open until eleven."


def cut_in(text: str, heard_ms: int, audio_ms: int = 8000, **changes: object) -> Call:
    """Make a call whose reply of evenly spoken text was cut by a voice without words after so much of it."""
    call = Call(waiting(**changes))
    call.talking(text, audio_ms)
    call.hear(4000, heard_ms)
    call.voice(4000, 4400)
    call.feed(TranscriptReceived(4700, "", final=True))
    return call


def test_little_of_a_clause_is_said_again_with_the_clause() -> None:
    # The clause begins at 2260, and "two" ends at 3080.
    call = cut_in(BOOKED, 3100)
    assert restarted(call) == [(4700, "for two people at nine. The garden is open until eleven.")]
    assert call.remembered()[-1] == ("assistant", "Your table is booked, for two")


def test_after_more_of_a_clause_it_goes_on_with_the_word_that_was_cut() -> None:
    call = cut_in(BOOKED, 3900)
    assert restarted(call) == [(4700, "at nine. The garden is open until eleven.")]


def test_a_clause_that_was_heard_to_its_end_is_not_repeated() -> None:
    call = cut_in(BOOKED, 4800)
    assert restarted(call) == [(4700, "The garden is open until eleven.")]


def test_a_clause_is_repeated_once() -> None:
    call = cut_in(BOOKED, 3100)
    rest = "for two people at nine. The garden is open until eleven."
    call.model_says(4800, rest, 100 * len(rest))
    call.hear(6000, 450)
    call.voice(6000, 6400)
    call.feed(TranscriptReceived(6700, "", final=True))
    assert restarted(call)[1:] == [(6700, "two people at nine. The garden is open until eleven.")]


def test_without_smooth_resumption_it_goes_on_with_the_word_that_was_cut() -> None:
    call = cut_in(BOOKED, 3100, smooth_resume=False)
    assert restarted(call) == [(4700, "people at nine. The garden is open until eleven.")]


# An answer that is not complete.


def cut_while_generated(text: str, *, text_ended: bool, **changes: object) -> Call:
    call = Call(waiting(**changes)).start()
    call.settle(call.user_says(100, "Hello there."))
    call.model_says(1100, text, 8000, ended=False)
    if text_ended:
        call.feed(TextEnded(1200, call.reply()))
    call.until(4000)
    call.hear(4000, 3000)
    call.voice(4000, 4400)
    call.feed(TranscriptReceived(4700, "", final=True))
    return call


def test_the_rest_of_a_finished_text_is_resumed_though_its_speech_is_not_finished() -> None:
    call = cut_while_generated(BOOKED + " Until", text_ended=True)
    assert restarted(call) == [(4700, "for two people at nine. The garden is open until eleven. Until")]
    assert not call.state.response_pending


def test_the_complete_sentences_of_an_unfinished_text_are_said_and_the_model_is_asked_after_them() -> None:
    call = cut_while_generated(BOOKED + " Until", text_ended=False)
    rest = "for two people at nine. The garden is open until eleven."
    assert restarted(call) == [(4700, rest)]
    call.model_says(4800, rest, 2000)
    call.until(5300)
    call.spoken(7000)
    assert restarted(call)[1:] == [(7000, None)]


def test_words_over_that_rest_are_answered_and_the_model_is_asked_once() -> None:
    call = cut_while_generated(BOOKED + " Until", text_ended=False)
    call.model_says(4800, "for two people at nine. The garden is open until eleven.", 2000)
    call.until(5500)
    call.user_says(6000, "Which garden?")
    call.until(8000)
    assert restarted(call)[1:] == [(7000, None)]
    assert not call.state.response_pending


def test_without_smooth_resumption_the_model_is_asked_again_at_once() -> None:
    call = cut_while_generated(BOOKED + " Until", text_ended=False, smooth_resume=False)
    assert restarted(call) == [(4700, None)]


# The voice is asked for the rest before it is certain that it is needed.


def test_the_rest_is_prepared_once_the_caller_is_silent_and_sounds_at_once() -> None:
    call = cut_by_evidence()
    call.until(4559)
    assert len(call.commands(StartReply)) == 1
    call.until(4560)
    prepared = call.commands(StartReply)[-1]
    assert prepared == StartReply(prepared.turn_id, "five six seven eight nine ten", prepared=True)
    told = len(call.log)
    call.feed(SpeechRequested(4570, prepared.turn_id, 0, 0, "five six seven eight nine ten"))
    call.feed(SpeechQueued(4700, prepared.turn_id, 0, 2000, done=True))
    call.feed(ReplyEnded(4700, prepared.turn_id))
    call.until(4849)
    assert not [c for _, c in call.log[told:] if c != Send(SpeechUpdate("user", "stopped", 2))]
    commands = call.until(4850)
    assert [type(c) for c in commands[:3]] == [Decide, KeepReply, Send]
    assert Send(ModelOutput(prepared.turn_id, "five six seven eight nine ten")) in commands
    assert Play(prepared.turn_id) in commands
    call.spoken(7000)
    assert call.outcomes() == ["interrupted", "spoken"]
    assert call.remembered()[-1] == ("assistant", "five six seven eight nine ten")


def test_words_discard_what_was_prepared() -> None:
    call = cut_by_evidence()
    call.until(4600)
    call.feed(TranscriptReceived(4700, "tomorrow", final=False))
    assert call.outcomes() == ["interrupted", "discarded"]
    call.until(4710)
    assert call.state.preemptive is None
    call.feed(TranscriptReceived(4750, "", final=True))  # they are withdrawn: it is not prepared again
    assert restarted(call) == [(4750, "five six seven eight nine ten")]
    assert call.outcomes() == ["interrupted", "discarded"]


def test_what_was_prepared_stays_while_a_noise_goes_on() -> None:
    call = cut_by_evidence()
    call.voice(4600, 5000)
    call.until(5449)
    assert call.state.preemptive is not None
    call.until(5450)
    assert restarted(call) == [(5450, "five six seven eight nine ten")]
    assert len(call.commands(StartReply)) == 2


def test_a_backchannel_keeps_what_was_prepared() -> None:
    call = cut_by_evidence()
    call.feed(TranscriptReceived(4600, "Uh-huh", final=False))
    call.until(5049)
    assert restarted(call) == []
    call.until(5050)  # 450 ms after the last word, although no final has come
    assert restarted(call) == [(5050, "five six seven eight nine ten")]


def test_a_yes_to_a_question_discards_what_was_prepared() -> None:
    call = Call(waiting(adaptive_interruption=True))
    call.talking(TEN + "?")
    call.hear(4000, 1300)
    call.feed(VoiceStarted(4032, 4000))
    call.feed(InterruptionJudged(4210, 4000, 160, 1.0, 0.0))
    call.feed(VoiceStopped(4432, 4400))
    call.feed(TranscriptReceived(4600, "Yes.", final=True))
    assert call.outcomes() == ["interrupted", "discarded"]
    call.until(5000)
    assert call.remembered()[-1] == ("user", "Yes.")


def test_a_prepared_rest_whose_voice_fails_is_asked_for_again() -> None:
    call = cut_by_evidence()
    call.until(4600)
    call.feed(ReplyFailed(4650, call.commands(StartReply)[-1].turn_id, "pipeline-error-custom-voice-failed"))
    assert call.outcomes() == ["interrupted", "discarded"]
    call.until(4850)
    assert restarted(call) == [(4850, "five six seven eight nine ten")]
    assert call.ended_reason() is None


def test_a_say_that_replaces_the_reply_discards_what_was_prepared() -> None:
    call = cut_by_evidence()
    call.until(4600)
    call.feed(Say(4650, "Sorry.", interrupts=True))
    assert call.outcomes() == ["interrupted", "discarded"]
    assert restarted(call) == [(4650, "Sorry.")]


def test_the_end_of_the_call_discards_what_was_prepared() -> None:
    call = cut_by_evidence()
    call.until(4600)
    call.feed(HangUp(4650, "customer-ended-call"))
    assert call.outcomes() == ["interrupted", "discarded"]


def test_nothing_is_prepared_without_smooth_resumption_or_where_numbers_decide() -> None:
    for call in (cut_by_evidence(smooth_resume=False), cut_by_a_voice()):
        call.until(9000)
        assert not any(c.prepared for c in call.commands(StartReply))


def test_a_prepared_first_message_has_no_model_output() -> None:
    call = Call(Plan(first_message=TEN, first_message_interruptible=True, adaptive_interruption=True)).start()
    call.model_says(0, TEN, 3000)
    call.hear(1000, 1300)
    call.feed(VoiceStarted(1032, 1000))
    call.feed(InterruptionJudged(1172, 1000, 160, 1.0, 0.0))
    call.feed(VoiceStopped(1432, 1400))
    call.until(1850)
    assert restarted(call) == [(1850, "five six seven eight nine ten")]
    assert not call.messages(ModelOutput)


# Words that turn out to be a backchannel, or not.


def test_an_acknowledgement_after_the_cut_makes_it_a_false_interruption() -> None:
    call = cut_by_a_voice()
    call.feed(TranscriptReceived(4700, "Uh-huh.", final=True))
    assert restarted(call) == [(4700, "five six seven eight nine ten")]
    assert call.commands(Decide)[-1].why == 'false interruption: "Uh-huh." was a backchannel, so the assistant goes on'
    call.model_says(4800, "five six seven eight nine ten", 2000)
    call.spoken(8000)
    call.until(12_000)
    assert [role for role, _ in call.remembered()] == ["user", "assistant", "assistant"]


def test_the_acknowledgement_is_not_answered_when_little_is_left_to_say() -> None:
    call = cut_by_a_voice(heard_ms=2700)
    call.feed(TranscriptReceived(4700, "Uh-huh.", final=True))
    call.model_says(4800, "nine ten", 300)
    call.until(5200)
    call.spoken(5500)
    call.until(9000)
    assert restarted(call) == [(4700, "nine ten")]


def test_a_yes_to_a_question_that_was_cut_answers_it() -> None:
    call = cut_by_a_voice("one two three four five six seven eight nine ten?")
    call.feed(TranscriptReceived(4700, "Yes.", final=True))
    call.until(4800)
    assert restarted(call) == [(4800, None)]
    assert call.remembered()[-1] == ("user", "Yes.")


def test_a_question_is_resumed_after_a_cough() -> None:
    call = cut_by_a_voice("one two three four five six seven eight nine ten?")
    call.feed(TranscriptReceived(4700, "", final=True))
    assert restarted(call) == [(4700, "five six seven eight nine ten?")]


def test_real_words_after_the_cut_are_answered() -> None:
    call = cut_by_a_voice()
    call.feed(TranscriptReceived(4700, "Which table?", final=True))
    call.until(4800)
    assert restarted(call) == [(4800, None)]
    assert call.state.false_interruption is None


def test_nothing_is_resumed_while_the_caller_holds_the_turn() -> None:
    call = Call()
    call.talking()
    call.hear(4000, 1300)
    call.feed(VoiceStarted(4032, 4000))
    call.feed(TranscriptReceived(4500, "", final=True))
    call.until(7000)
    assert restarted(call) == []
    call.feed(TranscriptReceived(7000, "well", final=False))
    call.feed(VoiceStopped(7500, 7500))
    call.feed(TranscriptReceived(7700, "Well, yes.", final=True))
    call.until(9000)
    assert call.remembered()[-1] == ("user", "Well, yes.")


def test_nothing_is_resumed_while_the_assistant_is_muted() -> None:
    call = cut_by_a_voice()
    call.feed(Mute(4500, "assistant", on=True))
    call.feed(TranscriptReceived(4700, "", final=True))
    assert restarted(call) == []
    call.feed(Mute(6000, "assistant", on=False))
    assert restarted(call) == [(6000, "five six seven eight nine ten")]


def test_a_pending_say_comes_after_the_resumed_reply() -> None:
    call = Call()
    call.talking()
    call.feed(Say(3500, "By the way."))
    call.hear(4000, 1300)
    call.voice(4000, 4400)
    call.until(4500)
    assert restarted(call) == []
    call.feed(TranscriptReceived(4700, "", final=True))
    assert restarted(call) == [(4700, "five six seven eight nine ten")]
    call.model_says(4800, "five six seven eight nine ten", 2000)
    call.spoken(8000)
    assert restarted(call)[1:] == [(8000, "By the way.")]


def test_a_say_during_an_open_interruption_waits_too() -> None:
    call = cut_by_a_voice()
    call.feed(Say(4500, "By the way."))
    call.feed(TranscriptReceived(4700, "", final=True))
    assert restarted(call) == [(4700, "five six seven eight nine ten")]


def test_a_pending_say_comes_before_the_answer_to_real_words() -> None:
    call = Call()
    call.talking()
    call.feed(Say(3500, "By the way."))
    call.voice(4000, 4400)
    call.feed(TranscriptReceived(4700, "Which table?", final=True))
    assert restarted(call) == [(4700, "By the way.")]
    call.model_says(4800, "By the way.", 500)
    call.until(6000)
    call.spoken(6000)
    call.until(6100)
    assert restarted(call)[1:] == [(6000, None)]
    assert call.state.false_interruption is None


def test_an_interrupting_say_replaces_the_reply_that_was_cut() -> None:
    call = cut_by_a_voice()
    call.feed(Say(4500, "Sorry.", interrupts=True))
    assert restarted(call) == [(4500, "Sorry.")]
    call.feed(TranscriptReceived(4700, "", final=True))
    call.model_says(4800, "Sorry.", 500)
    call.until(6000)
    call.spoken(6000)
    call.until(20_000)
    assert len(restarted(call)) == 1


def test_a_message_is_answered_after_the_resumed_reply() -> None:
    call = Call()
    call.talking()
    call.feed(AddMessage(3500, "system", "The caller is a regular."))
    call.hear(4000, 1300)
    call.voice(4000, 4400)
    call.feed(TranscriptReceived(4700, "", final=True))
    call.model_says(4800, "five six seven eight nine ten", 2000)
    call.spoken(8000)
    assert restarted(call) == [(4700, "five six seven eight nine ten"), (8000, None)]


# A reply that is superseded before it sounds.


def test_words_before_the_answer_sounds_supersede_it() -> None:
    call = Call().start()
    call.settle(call.user_says(100, "A table, please."))
    first = call.reply()
    call.feed(VoiceStarted(1200, 1190))
    assert call.outcomes() == []
    call.feed(TranscriptReceived(1400, "for two", final=False))
    assert call.outcomes() == ["superseded"]
    assert call.cuts() == []  # nobody has been told of it
    call.feed(VoiceStopped(1500, 1490))
    call.feed(TranscriptReceived(1700, "for two people.", final=True))
    call.until(1800)
    assert call.remembered() == [("user", "A table, please."), ("user", "for two people.")]
    assert call.reply() != first


def test_a_superseded_reply_with_output_is_named_in_user_interrupted() -> None:
    call = Call().start()
    call.settle(call.user_says(100, "A table, please."))
    first = call.reply()
    call.feed(ReplyToken(1200, first, "With "))
    call.feed(TranscriptReceived(1300, "for two", final=False))
    assert call.cuts() == [first]
    assert call.commands(Decide)[-1].what == "superseded"
    assert call.remembered() == [("user", "A table, please.")]


def test_an_acknowledgement_supersedes_nothing() -> None:
    call = Call().start()
    call.settle(call.user_says(100, "A table, please."))
    call.feed(TranscriptReceived(1300, "okay", final=True))
    assert call.outcomes() == []


def test_an_acknowledgement_before_the_answer_sounds_is_part_of_what_follows() -> None:
    call = Call().start()
    call.settle(call.user_says(100, "A table, please."))
    call.feed(TranscriptReceived(1300, "Yes.", final=True))
    call.feed(TranscriptReceived(1500, "For two people.", final=True))
    call.until(1600)
    assert call.remembered()[1:] == [("user", "Yes. For two people.")]


def test_a_protected_or_given_text_is_not_superseded() -> None:
    call = Call().start()
    call.feed(Say(100, "Please hold."))
    call.feed(TranscriptReceived(200, "for two", final=True))
    assert call.outcomes() == []
    call = Call(Plan(first_message_mode="assistant-speaks-first-with-model-generated-message")).start()
    call.feed(TranscriptReceived(200, "for two", final=True))
    assert call.outcomes() == []


def test_withdrawn_words_bring_the_superseded_answer_back() -> None:
    call = Call().start()
    call.settle(call.user_says(100, "A table, please."))
    call.feed(VoiceStarted(1200, 1190))
    call.feed(VoiceStopped(1300, 1290))
    call.feed(TranscriptReceived(1400, "the", final=False))
    assert call.outcomes() == ["superseded"]
    call.feed(TranscriptReceived(1600, "", final=True))
    assert restarted(call) == [(1600, None)]


def test_a_superseded_answer_that_was_complete_is_not_asked_for_twice() -> None:
    call = Call(waiting(wait_ms=2000)).start()
    call.settle(call.user_says(100, "A table, please."))
    call.model_says(1200, "With pleasure.", 800)
    call.feed(TranscriptReceived(1400, "the", final=False))
    call.feed(TranscriptReceived(1600, "", final=True))
    assert restarted(call) == [(1600, "With pleasure.")]


# Words that come after their partial has been answered.


def answered_early() -> Call:
    """Make a call in which a partial was answered at 3100 without its final; the answer is silent so far."""
    call = Call().start()
    call.voice(1000, 1700)
    call.feed(TranscriptReceived(1900, "A table, please.", final=False))
    call.until(3100)
    assert call.remembered() == [("user", "A table, please.")]
    return call


def test_the_final_of_an_answered_partial_is_no_new_turn() -> None:
    call = answered_early()
    call.feed(TranscriptReceived(3500, "A table, please.", final=True))
    assert call.messages(Transcript)[-1] == Transcript("user", final=True, text="A table, please.")
    call.until(8000)
    assert call.outcomes() == []
    assert call.remembered() == [("user", "A table, please.")]


def test_one_more_word_is_no_new_turn_and_a_late_partial_is_not_sent() -> None:
    call = answered_early()
    told = len(call.log)
    call.feed(TranscriptReceived(3400, "A table please sir", final=False))
    assert len(call.log) == told
    call.feed(TranscriptReceived(3500, "A table please sir.", final=True))
    assert call.outcomes() == []


def test_two_more_words_are_a_new_turn() -> None:
    call = answered_early()
    call.feed(TranscriptReceived(3500, "A table, please, for two.", final=True))
    assert call.outcomes() == ["superseded"]
    call.until(4100)
    assert call.remembered()[-1] == ("user", "A table, please, for two.")


def test_new_words_that_shrink_again_stay_in_the_turn() -> None:
    call = answered_early()
    call.feed(TranscriptReceived(3400, "A table please for two", final=False))
    call.feed(TranscriptReceived(3600, "Tables!", final=True))
    call.until(3700)
    assert call.remembered()[-1] == ("user", "Tables!")


def test_after_the_late_final_the_next_words_count_again() -> None:
    call = answered_early()
    call.feed(TranscriptReceived(3500, "A table, please.", final=True))
    call.feed(TranscriptReceived(4000, "Hello?", final=True))
    assert call.outcomes() == ["superseded"]


def test_after_a_new_voice_the_next_words_count_again() -> None:
    call = answered_early()
    call.feed(VoiceStarted(3500, 3480))
    call.feed(TranscriptReceived(3700, "Hello", final=False))
    assert call.outcomes() == ["superseded"]


def test_a_late_final_without_words_changes_nothing() -> None:
    call = answered_early()
    call.feed(TranscriptReceived(3500, "", final=True))
    assert call.outcomes() == []
    assert call.state.caller.committed_words == 0
    call.feed(TranscriptReceived(4000, "Hello?", final=True))
    assert call.outcomes() == ["superseded"]


def test_a_partial_without_words_changes_nothing() -> None:
    call = Call().start()
    call.feed(TranscriptReceived(1000, "A table", final=False))
    told = len(call.log)
    call.feed(TranscriptReceived(1100, "...", final=False))
    assert len(call.log) == told
    assert call.state.caller.said == "A table"


# Words that are withdrawn.


def test_a_withdrawn_partial_is_not_answered() -> None:
    call = Call().start()
    call.voice(1000, 1700)
    call.feed(TranscriptReceived(1800, "the", final=False))
    call.feed(TranscriptReceived(2000, " ", final=True))
    call.until(20_000)
    assert restarted(call) == []
    assert not call.commands(StartReply)


def test_a_withdrawn_partial_leaves_the_earlier_words() -> None:
    call = Call().start()
    call.user_says(1000, "A table, please.")
    call.voice(1950, 2300)
    call.feed(TranscriptReceived(2400, "the", final=False))
    call.feed(TranscriptReceived(2500, "", final=True))
    call.until(2600)
    assert call.remembered() == [("user", "A table, please.")]


def test_a_final_stands_when_an_empty_one_follows() -> None:
    call = Call().start()
    call.user_says(1000, "A table")
    call.feed(TranscriptReceived(2000, "", final=True))
    call.until(4000)
    assert call.remembered() == [("user", "A table")]


def test_a_voice_that_goes_on_holds_the_turn_though_its_words_were_withdrawn() -> None:
    call = cut_by_a_voice()
    call.feed(VoiceStarted(4600, 4590))
    call.feed(TranscriptReceived(4700, "", final=True))
    call.until(5000)
    assert restarted(call) == []
    call.feed(VoiceStopped(5032, 5000))
    call.until(6199)
    assert restarted(call) == []  # more words may come of what was said since
    call.until(6200)
    assert len(restarted(call)) == 1


# A voice that never stops.


def test_a_voice_without_words_is_background_after_a_while() -> None:
    call = Call().start()
    call.user_says(1000, "A table, please.", voice_ms=500)
    call.settle(1800)
    call.feed(VoiceStarted(1950, 1940))
    call.model_says(2000, TEN, 3000)
    call.until(6939)
    assert call.state.reply is not None
    assert call.state.reply.audible_ms is None
    call.until(6940)
    assert call.state.reply.audible_ms == 6940
    assert call.decisions()[-1] == "ignored"
    call.until(9000)
    assert call.cuts() == []


def test_new_words_give_a_background_voice_the_turn_again() -> None:
    call = Call(waiting(num_words=3)).start()
    call.feed(VoiceStarted(100, 100))
    call.until(5100)
    assert not call.state.caller.holds_turn
    call.feed(TranscriptReceived(6000, "A table", final=False))
    assert call.state.caller.holds_turn
    call.until(10_999)
    assert call.state.caller.holds_turn
    call.until(11_000)
    assert not call.state.caller.holds_turn


def test_repeated_words_of_a_background_voice_do_not_hold_the_turn() -> None:
    call = Call().start()
    call.feed(Say(0, "This call is recorded.", interruptible=False))
    call.model_says(0, "This call is recorded.", 9000)
    call.feed(VoiceStarted(132, 100))
    for at_ms in range(1000, 9000, 500):
        call.feed(TranscriptReceived(at_ms, "A table, please.", final=False))
    call.spoken(9000)
    assert call.when(StartReply) == [0, 9000]


def test_a_dip_does_not_wake_a_background_voice() -> None:
    call = Call().start()
    call.feed(VoiceStarted(100, 100))
    call.until(5200)
    call.feed(VoiceStopped(5300, 5280))
    call.feed(VoiceStarted(5350, 5340))
    assert not call.state.caller.holds_turn
    call.feed(VoiceStopped(6000, 6000))
    call.feed(VoiceStarted(7000, 7000))
    assert call.state.caller.holds_turn


def test_no_words_are_awaited_after_a_background_voice() -> None:
    call = Call().start()
    call.feed(VoiceStarted(100, 100))
    call.until(5200)
    call.feed(VoiceStopped(5300, 5280))
    assert not call.state.caller.holds_turn


def test_an_empty_final_does_not_give_a_background_voice_the_turn() -> None:
    call = Call().start()
    call.feed(VoiceStarted(100, 100))
    call.until(5200)
    call.feed(TranscriptReceived(5300, "", final=True))
    assert not call.state.caller.holds_turn


def test_a_background_voice_settles_a_false_interruption() -> None:
    call = Call()
    call.talking()
    call.hear(4000, 1300)
    call.feed(VoiceStarted(4032, 4000))
    call.until(8999)
    assert restarted(call) == []
    call.until(9000)
    assert restarted(call) == [(9000, "five six seven eight nine ten")]


# "Yes" while the assistant talks.


def test_a_backchannel_during_a_reply_is_not_answered() -> None:
    call = Call()
    call.talking()
    call.feed(TranscriptReceived(4000, "Yeah.", final=True))
    call.spoken(5001)
    call.until(9000)
    assert len(call.commands(StartReply)) == 1
    assert call.commands(Decide)[-1].why == '"Yeah." was a backchannel'


def test_a_yes_over_the_last_word_is_answered() -> None:
    call = Call()
    call.talking()
    call.feed(TranscriptReceived(4000, "Yeah.", final=True))
    call.spoken(5000)
    call.until(5000)
    assert restarted(call) == [(5000, None)]


def test_a_yes_during_a_question_answers_it() -> None:
    call = Call()
    call.talking(TEN + "?")
    call.feed(TranscriptReceived(4000, "Yes.", final=True))
    call.spoken(6000)
    assert call.remembered()[-1] == ("user", "Yes.")


def test_a_backchannel_does_not_belong_to_the_next_turn() -> None:
    call = Call()
    call.talking()
    call.feed(TranscriptReceived(4000, "Yeah.", final=False))
    call.spoken(6000)
    call.feed(TranscriptReceived(6100, "Yeah.", final=True))
    assert call.messages(Transcript)[-1] == Transcript("user", final=True, text="Yeah.")
    call.user_says(7000, "What is next?")
    call.until(8000)
    assert call.remembered()[-1] == ("user", "What is next?")


def test_a_resumed_reply_takes_no_tokens() -> None:
    call = cut_by_a_voice()
    call.feed(TranscriptReceived(4700, "", final=True))
    told = len(call.log)
    call.feed(ReplyToken(4800, call.reply(), "eleven"))
    assert len(call.log) == told


def test_a_reply_without_audio_is_over_when_it_ends() -> None:
    call = Call().start()
    call.settle(call.user_says(100, "Hello there."))
    turn = call.reply()
    call.feed(ReplyToken(1200, turn, "..."))
    call.feed(SpeechRequested(1200, turn, 0, 0, "..."))
    call.feed(SpeechQueued(1300, turn, 0, 0, done=True))
    call.feed(ReplyEnded(1400, turn))
    assert call.log[-1] == (1400, CloseReply(turn, "spoken"))
    assert Send(ModelOutput(turn, "...")) in [c for _, c in call.log]
