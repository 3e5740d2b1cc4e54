"""Interruption by Vapi's `stopSpeakingPlan`."""

import pytest

from bargein.turns import Plan, wake_at
from bargein.turns.commands import (
    CloseReply,
    Decide,
    Play,
    Remember,
    Send,
    SpeechUpdate,
    StartReply,
    StopPlayback,
    Transcript,
    UserInterrupted,
)
from bargein.turns.events import Mute, ReplyToken, Say, TranscriptReceived, VoiceStarted, VoiceStopped
from tests.turns.talking import Call, waiting


def talking(text: str = "one two three four five six seven eight nine ten", **changes: object) -> Call:
    """A call whose assistant has been talking since 1500, on these terms."""
    call = Call(waiting(**changes))
    assert call.talking(text) == 1500
    return call


def interrupted_by(text: str, *, final: bool = False, **changes: object) -> bool:
    """Return True if words alone, without a detected voice, interrupt."""
    call = talking(**changes)
    call.feed(TranscriptReceived(4000, text, final=final))
    return call.cuts() != []


# voiceSeconds.


def test_a_voice_interrupts_once_it_has_lasted_voice_seconds() -> None:
    call = talking()
    turn = call.reply()
    call.feed(VoiceStarted(4032, 4000))
    assert wake_at(call.state, call.plan) == 4200
    call.until(4199)
    assert call.cuts() == []
    call.until(4200)
    assert call.cuts() == [turn]
    assert call.when(UserInterrupted) == [4200]


def test_a_voice_that_stops_before_does_not_interrupt() -> None:
    call = talking()
    call.voice(4000, 4150)
    call.until(8000)
    assert call.cuts() == []
    assert call.commands(Decide)[-1] == Decide("ignored", "150 ms of voice", call.reply())


def test_a_soft_onset_counts_from_its_rise() -> None:
    call = talking()
    call.feed(VoiceStarted(4032, 4000, rising_ms=3936))
    call.until(4135)
    assert call.cuts() == []
    call.until(4136)
    assert call.when(UserInterrupted) == [4136]


def test_a_rise_during_the_voice_before_is_not_counted_twice() -> None:
    call = talking()
    call.voice(3700, 3850)
    call.feed(VoiceStarted(4000, 3980, rising_ms=3800))
    call.until(5000)
    assert call.when(UserInterrupted) == [4050]


def test_a_voice_whose_end_is_known_too_late_interrupts_by_then() -> None:
    # Its end at 4190 is known at 4222 only, after the threshold at 4200.
    call = talking()
    call.feed(VoiceStarted(4032, 4000))
    call.feed(VoiceStopped(4222, 4190))
    assert len(call.cuts()) == 1


def test_with_no_voice_seconds_any_voice_interrupts_at_once() -> None:
    call = talking(voice_ms=0)
    call.feed(VoiceStarted(4032, 4000))
    assert call.when(UserInterrupted) == [4032]


def test_a_late_detector_interrupts_at_once_when_the_voice_is_long_enough() -> None:
    call = talking(voice_ms=100)
    call.feed(VoiceStarted(4250, 4000))
    assert call.when(UserInterrupted) == [4250]


@pytest.mark.parametrize(("dip_ms", "cut_at"), [(0, 4200), (1, 4200), (100, 4232), (101, 4401)])
def test_a_short_dip_does_not_end_a_run_of_voice(dip_ms: int, cut_at: int) -> None:
    call = talking()
    call.feed(VoiceStarted(4032, 4000))
    call.feed(VoiceStopped(4100, 4100))
    call.feed(VoiceStarted(4132 + dip_ms, 4100 + dip_ms))
    call.until(6000)
    assert call.when(UserInterrupted) == [cut_at]


def test_the_start_of_the_call_is_no_dip() -> None:
    call = Call(Plan(first_message="Hello, how can I help?", first_message_interruptible=True)).start()
    call.model_says(0, "Hello, how can I help?", 3000)
    call.feed(VoiceStarted(112, 80))
    call.until(1000)
    assert call.when(UserInterrupted) == [280]


def test_only_a_short_voice_over_a_reply_is_reported_as_ignored() -> None:
    call = talking(num_words=2)
    call.voice(4000, 4200)
    assert "ignored" not in call.decisions()
    call.voice(5000, 5199)
    assert call.decisions().count("ignored") == 1
    call = Call().start()
    call.feed(Say(0, "Please hold."))
    call.voice(100, 150)
    assert "ignored" not in call.decisions()


def test_during_the_dip_itself_nothing_is_cut() -> None:
    call = talking()
    call.feed(VoiceStarted(4032, 4000))
    call.feed(VoiceStopped(4182, 4150))
    call.until(4240)
    assert call.cuts() == []


def test_dips_do_not_add_up_silence_to_a_voice() -> None:
    call = talking(voice_ms=500)
    for start in (4000, 4600, 5200):
        call.voice(start, start + 300)
    assert call.cuts() == []


def test_a_run_of_voice_cuts_only_one_reply() -> None:
    call = talking()
    call.feed(VoiceStarted(4032, 4000))
    call.until(4200)
    # The voice goes on for long and brings no words: it is taken for background, and the reply goes on over it.
    call.until(20_000)
    assert call.decisions() == ["answering", "stopped", "ignored", "resumed"]
    call.hear(20_000, 0)
    assert len(call.cuts()) == 1


def test_the_rest_of_a_run_that_has_cut_does_not_cut_what_follows() -> None:
    call = talking(backoff_ms=0)
    call.feed(VoiceStarted(4032, 4000))
    call.until(4200)
    call.feed(Say(4210, "Yes?", interrupts=True))
    call.model_says(4220, "Yes?", 2000)
    call.feed(VoiceStopped(4300, 4300))
    call.feed(TranscriptReceived(4350, "Which table", final=True))
    assert call.when(Play)[-1] == 4350
    call.feed(VoiceStarted(4380, 4370))
    call.until(5000)
    assert len(call.cuts()) == 1
    call.feed(VoiceStopped(5000, 5000))
    call.feed(VoiceStarted(5132, 5101))  # another run
    call.until(5301)
    assert len(call.cuts()) == 2


# numWords.


@pytest.mark.parametrize(
    ("num_words", "text", "cuts"),
    [
        (0, "table", True),
        (0, "...", False),
        (1, "table", True),
        (2, "table", False),
        (2, "a table", True),
        (3, "a table", False),
        (3, "a table please", True),
        (10, "a b c d e f g h i", False),
        (10, "a b c d e f g h i j", True),
        (2, "-- table ... --", False),
    ],
)
def test_num_words_words_interrupt(num_words: int, text: str, cuts: bool) -> None:
    assert interrupted_by(text, num_words=num_words) is cuts
    assert interrupted_by(text, num_words=num_words, final=True) is cuts


@pytest.mark.parametrize("num_words", [1, 2])
def test_with_num_words_a_voice_alone_never_interrupts(num_words: int) -> None:
    call = talking(num_words=num_words)
    call.feed(VoiceStarted(4032, 4000))
    call.until(8000)
    assert call.cuts() == []
    call.feed(TranscriptReceived(8001, "a table", final=False))
    assert call.when(UserInterrupted) == [8001]


def test_words_may_come_before_voice_seconds_are_over() -> None:
    call = talking(voice_ms=500)
    call.feed(VoiceStarted(4032, 4000))
    call.feed(TranscriptReceived(4100, "table", final=False))
    assert call.when(UserInterrupted) == [4100]


def test_the_words_of_one_utterance_count() -> None:
    call = talking(num_words=2)
    call.feed(TranscriptReceived(4000, "table", final=True))
    call.feed(TranscriptReceived(5000, "please", final=False))
    assert call.cuts() == []
    call.feed(TranscriptReceived(5100, "please wrap", final=False))
    assert len(call.cuts()) == 1


def test_words_from_before_the_reply_sounded_do_not_cut_it() -> None:
    call = Call(waiting(first_message_mode="assistant-speaks-first", first_message="Welcome to the desk."))
    call.start()
    call.feed(TranscriptReceived(100, "table", final=True))
    call.feed(Say(150, "Please hold the line.", interrupts=True))
    call.model_says(200, "Please hold the line.", 3000)
    call.until(1000)
    assert call.state.reply is not None
    assert call.state.reply.audible_ms == 200
    assert call.cuts() == []
    call.feed(TranscriptReceived(1001, "table please", final=False))
    assert len(call.cuts()) == 1


# Phrases.


@pytest.mark.parametrize("text", ["Stop!", "oh wait", "Yeah, but", "no", "okay hold on"])
def test_an_interruption_phrase_interrupts_whatever_num_words_says(text: str) -> None:
    assert interrupted_by(text, num_words=10)


@pytest.mark.parametrize("text", ["Uh-huh.", "yeah", "okay, sure", "I see. Right."])
def test_an_acknowledgement_never_interrupts(text: str) -> None:
    assert not interrupted_by(text)
    assert not interrupted_by(text, num_words=1, final=True)


def test_a_phrase_in_both_lists_interrupts() -> None:
    assert interrupted_by("right", interruption_phrases=("right",))


def test_a_plan_may_have_no_phrases() -> None:
    assert interrupted_by("uh-huh", acknowledgement_phrases=())
    assert not interrupted_by("stop", interruption_phrases=(), num_words=2)


def test_a_voice_known_to_be_an_acknowledgement_never_interrupts_however_long() -> None:
    call = talking(voice_ms=400)
    call.feed(VoiceStarted(4032, 4000))
    call.feed(TranscriptReceived(4300, "yeah", final=False))
    call.until(8000)
    assert call.cuts() == []


def test_an_acknowledgement_that_goes_on_interrupts() -> None:
    call = talking(voice_ms=400)
    call.feed(VoiceStarted(4032, 4000))
    call.feed(TranscriptReceived(4300, "yeah", final=False))
    call.feed(TranscriptReceived(4700, "yeah I want", final=False))
    assert call.when(UserInterrupted) == [4700]


def test_the_voice_after_an_acknowledgement_counts_anew() -> None:
    call = talking()
    call.voice(4000, 4150)
    call.feed(TranscriptReceived(4400, "yeah", final=True))
    call.feed(VoiceStarted(5032, 5000))
    call.until(5199)
    assert call.cuts() == []
    call.until(5200)
    assert len(call.cuts()) == 1
    # The backchannel is no part of what the caller then says.
    call.feed(VoiceStopped(5532, 5500))
    call.feed(TranscriptReceived(5800, "What is next?", final=True))
    call.until(6000)
    assert call.remembered()[-1] == ("user", "What is next?")


def test_a_final_acknowledgement_is_dropped_when_other_words_follow() -> None:
    call = talking(num_words=2)
    call.feed(TranscriptReceived(4000, "Yeah.", final=True))
    call.feed(TranscriptReceived(5000, "What is next?", final=True))
    call.until(6000)
    assert call.remembered()[-1] == ("user", "What is next?")


def test_words_before_a_cut_belong_to_the_turn_that_cuts() -> None:
    call = talking(num_words=2)
    call.feed(TranscriptReceived(4000, "Table", final=True))
    call.feed(TranscriptReceived(5000, "for you.", final=True))
    call.until(6000)
    assert call.remembered()[-1] == ("user", "Table for you.")


# Protected speech and other speech that cannot be interrupted.


@pytest.mark.parametrize(("text", "voice"), [("stop, wait, no", True), ("stop", False)])
def test_a_protected_say_is_never_cut(text: str, voice: bool) -> None:
    call = Call().start()
    call.feed(Say(100, "This call is recorded.", interruptible=False))
    call.model_says(100, "This call is recorded.", 5000)
    if voice:
        call.feed(VoiceStarted(1032, 1000))
    call.feed(TranscriptReceived(2000, text, final=False))
    call.until(4500)
    assert call.cuts() == []
    assert call.outcomes() == []


@pytest.mark.parametrize("protected", [True, False])
def test_the_first_message_is_protected_unless_the_assistant_says_otherwise(protected: bool) -> None:
    plan = Plan(first_message="Hello, how can I help?", first_message_interruptible=not protected)
    call = Call(plan).start()
    call.model_says(50, "Hello, how can I help?", 3000)
    call.voice(1000, 2000)
    assert call.cuts() == ([] if protected else [None])


def test_protected_speech_is_answered_once_it_is_over() -> None:
    call = Call(Plan(first_message="Hello, how can I help?")).start()
    call.model_says(50, "Hello, how can I help?", 3000)
    call.user_says(1000, "A table, please.")
    call.spoken(3050)
    call.until(3200)
    assert call.remembered() == [("assistant", "Hello, how can I help?"), ("user", "A table, please.")]
    assert len(call.commands(StartReply)) == 2


def test_a_finished_reply_cannot_be_interrupted() -> None:
    call = talking()
    call.spoken(4500)
    call.user_says(5000, "Stop, wait.")
    assert call.cuts() == []
    assert call.outcomes() == ["spoken"]


def test_a_muted_caller_does_not_interrupt() -> None:
    call = talking()
    call.feed(Mute(3900, "customer", on=True))
    call.feed(VoiceStarted(4032, 4000))
    call.feed(TranscriptReceived(4500, "stop", final=True))
    call.until(6000)
    assert call.cuts() == []
    assert not call.messages(Transcript)[1:]


# The order of an interruption's commands.


def test_playback_stops_before_any_message_is_sent() -> None:
    call = talking()
    call.hear(3900, 900)
    turn = call.reply()
    start = len(call.log)
    call.feed(VoiceStarted(4032, 4000))
    call.hear(4190, 1290)
    call.until(4200)
    cut = [c for t, c in call.log[start:] if t == 4200]
    stop = Decide("stopped", "200 ms of voice, voiceSeconds is 0.2", turn)
    assert cut[:4] == [
        StopPlayback(turn),
        CloseReply(turn, "interrupted"),
        Send(UserInterrupted(turn)),
        Send(SpeechUpdate("assistant", "stopped", 1)),
    ]
    assert cut[4:] == [
        Send(Transcript("assistant", final=True, text="one two three four")),
        Remember("assistant", "one two three four", 1500, 4200, turn, interrupted=True),
        stop,
    ]


def test_the_reason_of_a_cut_is_logged() -> None:
    why: list[str] = []
    for text, changes in (("oh stop", {}), ("a table", {"num_words": 2}), ("table", {})):
        call = talking(**changes)
        call.feed(TranscriptReceived(4000, text, final=False))
        why.append(call.commands(Decide)[-1].why)
    assert why == ['"stop" is an interruption phrase', "2 words, numWords is 2", "1 words, numWords is 0"]


def test_a_cut_before_the_first_heard_word_adds_nothing_to_the_history() -> None:
    call = talking()
    before = call.remembered()
    call.feed(TranscriptReceived(4000, "stop", final=False))
    assert len(call.cuts()) == 1
    assert call.remembered() == before


def test_tokens_after_the_cut_are_dropped() -> None:
    call = talking()
    turn = call.reply()
    call.feed(TranscriptReceived(4000, "stop", final=False))
    said = len(call.log)
    call.feed(ReplyToken(4001, turn, "eleven"))
    assert len(call.log) == said


# backoffSeconds.


@pytest.mark.parametrize(("backoff_ms", "sounds_at"), [(0, 5100), (500, 5100), (1000, 5200), (2500, 6700)])
def test_after_a_cut_the_assistant_is_silent_for_backoff_seconds(backoff_ms: int, sounds_at: int) -> None:
    call = talking(backoff_ms=backoff_ms)
    call.feed(VoiceStarted(4032, 4000))
    call.feed(VoiceStopped(4432, 4400))
    assert call.when(UserInterrupted) == [4200]
    call.feed(TranscriptReceived(4600, "What is next?", final=True))
    call.until(4700)
    call.model_says(4750, "Eleven.", 500)  # asked at 4700, so that waitSeconds end at 5100
    call.until(8000)
    assert call.when(Play)[-1] == sounds_at


def test_a_say_waits_for_backoff_seconds_too() -> None:
    call = talking()
    call.feed(TranscriptReceived(4000, "stop", final=True))
    call.feed(Say(4050, "Sorry.", interrupts=True))
    call.model_says(4060, "Sorry.", 500)
    call.until(5500)
    assert call.when(Play)[-1] == 5000
