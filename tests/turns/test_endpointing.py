"""The end of the caller's turn: Vapi's plans and their order."""

import pytest

from bargein.turns import wake_at
from bargein.turns.commands import JudgePause, Remember, StartReply
from bargein.turns.endpointing.rules import unfinished
from bargein.turns.events import AddMessage, PauseJudged, TranscriptReceived, VoiceStarted, VoiceStopped
from bargein.turns.plan import WAIT_FUNCTION, Plan, Rule
from tests.turns.talking import Call, waiting


def answered_at(call: Call, limit_ms: int = 20_000) -> int:
    """Return when the model is asked."""
    call.until(limit_ms)
    times = call.when(StartReply)
    assert len(times) == 1
    return times[0]


def after_final(text: str, plan: Plan) -> int:
    """Return how long after its final an utterance is answered; its voice ended 300 ms before the final."""
    call = Call(plan).start()
    final_ms = call.user_says(1000, text, voice_ms=700)
    assert final_ms == 2000
    unjudged(call)
    return answered_at(call) - final_ms


def unjudged(call: Call) -> None:
    """Answer the judgement without a probability."""
    for question in call.commands(JudgePause):
        call.feed(PauseJudged(call.state.now_ms, question.number, None))


# The transcription plan.


@pytest.mark.parametrize(
    ("text", "pause_ms"),
    [
        ("I would like a table.", 100),
        ("Really?", 100),
        ("Go!", 100),
        ('He said "yes."', 100),
        ("元気です。", 100),
        ("I would like a table", 1500),
        ("I would like a table,", 1500),
        ("A table for 2", 500),
        ("A table for two", 500),
        ("It is four seven.", 500),
        ("nineteen", 500),
        ("There is someone", 1500),
        ("It is often", 1500),
    ],
)
def test_the_pause_depends_on_how_the_words_end(text: str, pause_ms: int) -> None:
    assert after_final(text, waiting()) == pause_ms


def test_each_pause_comes_from_the_plan() -> None:
    plan = waiting(on_punctuation_ms=10, on_no_punctuation_ms=20, on_number_ms=30)
    assert [after_final(t, plan) for t in ("Yes please.", "yes please", "seven")] == [10, 20, 30]


def test_the_pause_counts_from_the_end_of_the_voice_if_that_is_later() -> None:
    call = Call().start()
    call.feed(VoiceStarted(1032, 1000))
    call.feed(TranscriptReceived(2400, "A table if you", final=True))
    call.feed(VoiceStopped(2532, 2500))
    assert answered_at(call) == 4000


def test_a_voice_that_went_on_after_the_final_may_bring_more_words() -> None:
    call = Call().start()
    call.feed(VoiceStarted(1032, 1000))
    call.feed(TranscriptReceived(1900, "A table, please.", final=True))
    call.feed(VoiceStopped(2532, 2500))
    assert answered_at(call) == 2500 + 1200


def test_a_final_between_the_last_sound_and_its_report_ends_the_wait() -> None:
    call = Call().start()
    call.feed(VoiceStarted(1032, 1000))
    call.feed(TranscriptReceived(1720, "A table, please.", final=True))
    call.feed(VoiceStopped(1732, 1720))
    assert answered_at(call) == 1820


def test_a_partial_at_that_moment_is_not_the_end() -> None:
    call = Call().start()
    call.feed(VoiceStarted(1032, 1000))
    call.feed(TranscriptReceived(1720, "A table, please.", final=False))
    call.feed(VoiceStopped(1732, 1720))
    assert answered_at(call) == 1720 + 1200


def test_a_turn_is_over_only_when_its_words_have_come() -> None:
    call = Call().start()
    call.voice(1000, 1700)
    call.feed(TranscriptReceived(1800, "A table for", final=False))
    call.until(2900)
    assert not call.commands(StartReply)
    call.feed(TranscriptReceived(2950, "A table for us.", final=True))
    assert answered_at(call) == 3050


def test_a_partial_whose_final_never_comes_is_answered_after_the_timeout() -> None:
    call = Call().start()
    call.voice(1000, 1700)
    call.feed(TranscriptReceived(1800, "A table, please.", final=False))
    assert answered_at(call) == 1800 + 1200
    assert call.remembered() == [("user", "A table, please.")]


def test_the_pause_counts_from_the_final_though_it_says_what_its_partial_said() -> None:
    call = Call().start()
    call.voice(1000, 1700)
    call.feed(TranscriptReceived(1800, "A table, please.", final=False))
    call.feed(TranscriptReceived(2000, "A table, please.", final=True))
    assert answered_at(call) == 2100


def test_a_yes_at_the_beginning_belongs_to_the_turn() -> None:
    call = Call().start()
    call.user_says(1000, "Yes.", voice_ms=300)
    call.user_says(1650, "A table, please.")
    answered_at(call)
    assert call.remembered() == [("user", "Yes. A table, please.")]


def test_a_voice_without_words_after_the_words_repeats_nothing() -> None:
    call = Call().start()
    end = call.user_says(1000, "A table, please.")
    call.voice(end + 20, end + 400)
    assert answered_at(call) == end + 400 + 1200
    assert call.remembered() == [("user", "A table, please.")]


def test_a_voice_without_words_gets_no_answer() -> None:
    call = Call().start()
    call.voice(1000, 1700)
    call.until(20_000)
    assert not call.commands(StartReply)


def test_the_caller_who_goes_on_is_not_answered_before_the_end() -> None:
    call = Call().start()
    call.user_says(1000, "I would like")
    end = call.user_says(2000, "a table, please.")
    assert answered_at(call) == end + 100
    assert call.remembered() == [("user", "I would like a table, please.")]


def test_a_turn_is_remembered_from_its_first_voice_to_its_last() -> None:
    call = Call().start()
    call.user_says(1000, "I would like", voice_ms=500)
    call.user_says(2000, "a table.", voice_ms=600)
    answered_at(call)
    assert call.commands(Remember) == [Remember("user", "I would like a table.", 1000, 2600)]


def test_a_voice_without_words_does_not_begin_the_turn() -> None:
    call = Call().start()
    call.voice(1000, 1500)
    call.user_says(4000, "Hello.", voice_ms=500)
    answered_at(call)
    assert [(m.start_ms, m.end_ms) for m in call.commands(Remember)] == [(4000, 4500)]


def test_words_without_a_voice_begin_when_they_come() -> None:
    call = Call().start()
    call.feed(TranscriptReceived(2000, "Hello.", final=True))
    assert answered_at(call) == 2100
    assert [(m.start_ms, m.end_ms) for m in call.commands(Remember)] == [(2000, 2000)]


# The wait function.


@pytest.mark.parametrize(
    ("said", "likely"),
    [
        ("", 1.0),
        ("...", 1.0),
        ("my number is four", 0.5),
        ("I see,", 0.7),
        ("I was thinking of the...", 0.9),
        ("a blue table -", 0.7),
        ("well \u2014", 0.9),
        ("What is it about.", 0.35),
        ("A table, please.", 0.05),
        ("I want to", 0.8),
        ("a table please", 0.4),
    ],
)
def test_how_likely_the_caller_goes_on(said: str, likely: float) -> None:
    assert unfinished(said) == likely


def test_the_wait_function_counts_from_the_end_of_the_voice() -> None:
    # Its final came 300 ms after that; 1000 * 0.4 have passed 100 ms later.
    assert after_final("a table please", waiting(wait_function="1000 * x")) == 100


def test_the_wait_function_never_runs_ahead_of_the_words() -> None:
    assert after_final("A table, please.", waiting(wait_function="0")) == 0


def test_the_wait_function_goes_before_the_transcription_plan() -> None:
    plan = waiting(wait_function=WAIT_FUNCTION)
    # x is 0.8: 20 + 500 * 0.894 + 2500 * 0.512 = 1747
    assert after_final("I want to", plan) == 1747 - 300
    assert after_final("A table, please.", plan) == 0


# Custom rules.

ASKS_NAME = Rule(assistant="your name", timeout_ms=4000)
SPELLS = Rule(customer="^[A-Z]$", timeout_ms=3000)


def after_question(text: str, *rules: Rule, question: str = "What is Your Name?") -> int:
    """Return how long after the end of the voice the turn is over."""
    call = Call(waiting(rules=rules, wait_function="0")).start()
    call.feed(AddMessage(0, "assistant", question, respond=False))
    call.feed(AddMessage(0, "system", "The caller is shy.", respond=False))
    final_ms = call.user_says(1000, text, voice_ms=700)
    unjudged(call)
    return answered_at(call) - (final_ms - 300)


def test_a_rule_waits_from_the_end_of_the_voice_and_goes_before_the_wait_function() -> None:
    assert after_question("It is", SPELLS, Rule(customer="is$", timeout_ms=2000)) == 2000


def test_a_rule_on_the_assistants_last_message() -> None:
    insensitive = Rule(assistant="your name", assistant_flags="i", timeout_ms=4000)
    assert after_question("Ann", insensitive) == 4000
    assert after_question("Ann", ASKS_NAME) == 300  # another case; the wait function's 0, but not before the words
    assert after_question("Ann", insensitive, question="How old are you?") == 300


def test_a_rule_on_both_sides_needs_both_to_match() -> None:
    both = Rule(assistant="Name", customer="^my", customer_flags="i", timeout_ms=2500)
    assert after_question("My name", both) == 2500
    assert after_question("Her name", both) == 300
    assert after_question("My name", both, question="Who?") == 300


def test_the_first_rule_that_matches_counts() -> None:
    one, other = Rule(customer="An", timeout_ms=1000), Rule(customer="Ann", timeout_ms=2000)
    assert after_question("Ann", one, other) == 1000
    assert after_question("Ann", other, one) == 2000
    assert after_question("Ann", SPELLS, other, one) == 2000


def test_a_rule_without_time_waits_for_the_words_alone() -> None:
    assert after_question("Ann", Rule(customer="Ann", timeout_ms=0)) == 300


def test_a_rule_of_an_older_journal_that_cannot_be_compiled_never_matches() -> None:
    broken = Rule(customer=r"(?<=x)(?P<a>b)(?P=a)", timeout_ms=9000)
    assert after_question("Ann", broken, Rule(customer="Ann", timeout_ms=1000)) == 1000


def test_a_pattern_sees_the_end_of_a_long_speech() -> None:
    call = Call(waiting(rules=(Rule(customer="^first", timeout_ms=9000), Rule(customer="last$", timeout_ms=5000))))
    call.start()
    final_ms = call.user_says(1000, "first " + "and again " * 200 + "last")
    assert answered_at(call) == final_ms - 300 + 5000


# waitSeconds.


def test_the_answer_sounds_no_earlier_than_wait_seconds_after_the_turn() -> None:
    call = Call(waiting(wait_ms=900)).start()
    final_ms = call.user_says(1000, "Hello there.")
    begun_ms = call.settle(final_ms)
    call.model_says(begun_ms + 50, "Hi.", 500)
    assert call.state.reply is not None
    assert wake_at(call.state, call.plan) == begun_ms + 900
    call.until(begun_ms + 2000)
    assert call.state.reply.audible_ms == begun_ms + 900


def test_a_late_answer_sounds_at_once() -> None:
    call = Call(waiting(wait_ms=900)).start()
    begun_ms = call.settle(call.user_says(1000, "Hello there."))
    call.model_says(begun_ms + 1500, "Hi.", 500)
    assert call.state.reply is not None
    assert call.state.reply.audible_ms == begun_ms + 1500
