"""Adaptive endpointing: pauses are judged, and a likelier end of the turn needs a shorter pause."""

import pytest

from bargein.turns import wake_at
from bargein.turns.commands import Decide, JudgePause, Play, StartReply
from bargein.turns.endpointing.end_of_turn import JUDGING_MS, pause_ms
from bargein.turns.events import PauseJudged, TranscriptReceived, VoiceStarted, VoiceStopped
from bargein.turns.plan import Plan, Rule
from tests.turns.talking import Call, waiting

JUDGED = waiting(adaptive_endpointing=True, min_pause_ms=0)


def paused(plan: Plan = JUDGED, text: str = "I would like a table.", *, complete: bool = True) -> Call:
    """Make a call whose caller spoke from 1000 to 1700, with words at 1850."""
    call = Call(plan).start()
    call.voice(1000, 1700)
    call.feed(TranscriptReceived(1850, text, final=not complete, complete=complete))
    return call


def answered_at(call: Call) -> int:
    call.until(20_000)
    times = call.when(StartReply)
    assert len(times) == 1
    return times[0]


def test_a_pause_is_judged_once_its_words_have_come() -> None:
    call = Call(JUDGED).start()
    call.voice(1000, 1700)
    call.feed(TranscriptReceived(1750, "I would", final=False))
    assert not call.commands(JudgePause)
    call.feed(TranscriptReceived(1850, "I would like a table.", final=False, complete=True))
    assert call.commands(JudgePause) == [JudgePause(1, "I would like a table.", 1700, 0)]


def test_the_judgement_is_told_what_the_assistant_asked() -> None:
    call = Call(JUDGED)
    heard_ms = call.talking("Is that correct?", 800)
    call.spoken(heard_ms + 800)
    call.user_says(heard_ms + 1200, "Yes.")
    assert [question.asked for question in call.commands(JudgePause)] == ["", "Is that correct?"]


def test_the_likelier_the_end_the_shorter_the_pause() -> None:
    pauses = [pause_ms(done, JUDGED) for done in (0.0, 0.1, 0.3, 0.5, 0.8, 0.9, 1.0)]
    assert pauses == sorted(pauses, reverse=True)
    assert pauses[0] == JUDGED.max_pause_ms
    assert pauses[-1] == 0
    assert pause_ms(0.5, waiting(max_cutoff_risk=0.01)) > pause_ms(0.5, waiting(max_cutoff_risk=0.2))
    assert pause_ms(0.5, waiting(max_cutoff_risk=0)) == 2000
    assert pause_ms(0.5, waiting(max_cutoff_risk=1)) == waiting().min_pause_ms
    assert pause_ms(1.0, waiting(min_pause_ms=300)) == 300
    assert pause_ms(0.0, waiting(max_pause_ms=900)) == 900


@pytest.mark.parametrize("done", [0.2, 0.6, 0.85])
def test_it_counts_from_the_end_of_the_voice(done: float) -> None:
    call = paused()
    call.feed(PauseJudged(1862, 1, done))
    assert answered_at(call) == max(1862, 1700 + pause_ms(done, JUDGED))
    assert f"{done:.0%} likely to be over" in call.commands(Decide)[0].why


def test_a_certain_end_is_answered_at_once_and_sounds_at_once() -> None:
    call = paused()
    call.feed(PauseJudged(1862, 1, 0.999))
    assert call.when(StartReply) == [1862]
    call.model_says(1900, "Certainly.", 800)
    call.until(2000)
    assert call.when(Play) == [1900]


def test_wait_seconds_that_were_given_still_count_from_the_end_of_the_turn() -> None:
    call = paused(waiting(adaptive_endpointing=True, adaptive_wait_ms=700, min_pause_ms=0))
    call.feed(PauseJudged(1862, 1, 0.999))
    call.model_says(1900, "Certainly.", 800)
    call.until(4000)
    assert call.when(Play) == [1862 + 700]


def test_without_a_judgement_the_words_decide() -> None:
    call = paused()
    call.feed(PauseJudged(1862, 1, None))
    assert answered_at(call) == 1850 + 100


def test_a_judgement_that_does_not_come_is_waited_for_a_little() -> None:
    assert answered_at(paused()) == 1850 + JUDGING_MS


def test_a_wait_function_gets_the_judgement_as_its_x() -> None:
    call = paused(waiting(wait_function="2000 * x", wait_ms=400))
    call.feed(PauseJudged(1862, 1, 0.75))
    assert answered_at(call) == 1700 + 500
    assert "25% likely unfinished" in call.commands(Decide)[0].why


def test_a_wait_function_waits_for_the_judgement() -> None:
    call = paused(waiting(wait_function="0"))
    call.until(1850 + JUDGING_MS - 1)
    assert not call.commands(StartReply)
    assert answered_at(call) == 1850 + JUDGING_MS


def test_a_wait_function_uses_the_words_without_a_detector() -> None:
    call = paused(waiting(wait_function="2000 * x"), text="I want to")
    call.feed(PauseJudged(1862, 1, None))
    assert answered_at(call) == 1700 + 1600


def test_wait_seconds_count_from_where_the_wait_function_ends_the_turn() -> None:
    call = paused(waiting(wait_function="2000 * x", wait_ms=400))
    call.feed(PauseJudged(1862, 1, 0.75))
    call.until(2200)
    call.model_says(2210, "Certainly.", 800)
    call.until(4000)
    assert call.when(Play) == [1700 + 500 + 400]


def test_a_rule_that_matches_goes_first() -> None:
    call = paused(waiting(adaptive_endpointing=True, rules=(Rule(customer="table", timeout_ms=3000),)))
    call.feed(PauseJudged(1862, 1, 0.999))
    assert answered_at(call) == 1700 + 3000


def test_a_caller_who_goes_on_is_judged_anew() -> None:
    call = paused()
    call.feed(PauseJudged(1862, 1, 0.1))
    call.feed(VoiceStarted(2532, 2500))
    call.feed(PauseJudged(2600, 1, 0.99))
    call.feed(VoiceStopped(3032, 3000))
    call.feed(TranscriptReceived(3150, "I would like a table. For two, please.", final=False, complete=True))
    assert [q.number for q in call.commands(JudgePause)] == [1, 2]
    call.feed(PauseJudged(3160, 1, 0.99))  # late, about the pause before
    call.feed(PauseJudged(3162, 2, 0.95))
    call.feed(PauseJudged(3170, 2, 0.01))  # a second answer counts for nothing
    assert answered_at(call) == 3162


def test_a_final_that_says_the_same_asks_nothing_new() -> None:
    call = paused()
    call.feed(PauseJudged(1862, 1, 0.5))
    call.feed(TranscriptReceived(2000, "I would like a table.", final=True))
    assert len(call.commands(JudgePause)) == 1
    assert answered_at(call) == 1700 + pause_ms(0.5, JUDGED)


def test_a_complete_partial_does_not_end_a_turn_where_the_plan_says_when() -> None:
    call = paused(waiting())
    call.until(2400)
    assert not call.commands(StartReply)


def test_a_judgement_that_was_not_requested_is_ignored() -> None:
    call = Call(JUDGED).start()
    call.feed(PauseJudged(500, 1, 0.9))
    assert call.state.pause_judgement is None
    assert wake_at(call.state, call.plan) is not None


def test_a_judgement_gets_the_least_confidence_of_the_turns_utterances() -> None:
    call = Call(JUDGED).start()
    call.voice(1000, 1700)
    call.feed(TranscriptReceived(1850, "My number is", final=False, confidence=0.5, complete=True))
    call.feed(TranscriptReceived(2000, "My number is", final=True, confidence=0.6))
    call.voice(2100, 2800)
    call.feed(TranscriptReceived(2900, "five five five", final=True, confidence=0.9))
    assert [asked.confidence for asked in call.commands(JudgePause)] == [0.5, 0.6]


def test_an_answered_turn_does_not_lower_the_confidence_of_the_next() -> None:
    call = Call(JUDGED).start()
    call.voice(1000, 1700)
    call.feed(TranscriptReceived(1850, "Hello.", final=True, confidence=0.2))
    call.feed(PauseJudged(1860, 1, 0.999))
    call.model_says(1900, "Hello!", 300)
    call.spoken(2300)
    call.voice(3000, 3700)
    call.feed(TranscriptReceived(3800, "Yes.", final=True))
    assert [asked.confidence for asked in call.commands(JudgePause)] == [0.2, None]
