"""Adaptive interruption, rule by rule: interruptions, ducking, and the end of the duck."""

import pytest

from bargein.turns import Plan
from bargein.turns.commands import Decide, Duck, Unduck, UserInterrupted
from bargein.turns.events import (
    InterruptionJudged,
    Say,
    SpeechQueued,
    SpeechRequested,
    TranscriptReceived,
    VoiceStarted,
    VoiceStopped,
)
from bargein.turns.interruption.evidence import (
    CERTAIN,
    ECHO,
    JUDGED_BY_MS,
    LIKELY,
    LONG_MS,
    OVER_MS,
    POSSIBLE_ECHO,
    THRESHOLDS,
    TWICE_LESS,
    UNJUDGED_MS,
    UNLIKELY,
    WORDS,
    threshold,
)
from tests.turns.talking import WAITING, Call

PLAN = Plan(first_message_mode=WAITING, adaptive_interruption=True)


def overheard(plan: Plan = PLAN) -> tuple[Call, int]:
    """An assistant that has been talking for two seconds, and a voice that sets in; with its onset."""
    call = Call(plan)
    onset_ms = call.talking(audio_ms=60_000) + 2000
    call.feed(VoiceStarted(onset_ms + 32, onset_ms))
    return call, onset_ms


def judge(call: Call, onset_ms: int, age_ms: int, probability: float, echo: float = 0.0) -> None:
    """Judge a voice, after an undecided judgement of its first 128 ms."""
    if call.state.caller.judged is None and age_ms > 128 and onset_ms == call.state.caller.onset_ms:
        call.feed(InterruptionJudged(onset_ms + 140, onset_ms, 128, min(probability, 0.4), echo))
    call.feed(InterruptionJudged(onset_ms + age_ms + 10, onset_ms, age_ms, probability, echo))


def reasons(call: Call, what: str) -> list[str]:
    return [decision.why for decision in call.commands(Decide) if decision.what == what]


def test_a_younger_voice_needs_a_higher_probability() -> None:
    assert threshold(100) > 1
    assert threshold(THRESHOLDS[0][0]) == THRESHOLDS[0][1]
    assert threshold(10_000) == THRESHOLDS[-1][1]
    ages = range(128, 900, 16)
    assert [threshold(age) for age in ages] == sorted((threshold(age) for age in ages), reverse=True)


@pytest.mark.parametrize(("age_ms", "least"), THRESHOLDS)
def test_a_probability_at_the_threshold_interrupts_and_one_below_does_not(age_ms: int, least: float) -> None:
    call, onset_ms = overheard()
    judge(call, onset_ms, age_ms, least - 0.01)
    assert call.when(UserInterrupted) == []
    call, onset_ms = overheard()
    judge(call, onset_ms, age_ms, least)
    assert call.when(UserInterrupted) == [onset_ms + age_ms + 10]
    assert f"{age_ms} ms of voice" in reasons(call, "stopped")[0]


@pytest.mark.parametrize(("age_ms", "least"), THRESHOLDS[1:])
def test_two_judgements_in_succession_suffice_from_a_lower_probability_on(age_ms: int, least: float) -> None:
    almost = least - TWICE_LESS
    before_ms = max(age for age, _ in THRESHOLDS if age < age_ms)
    for first, second, stops in (
        (almost, almost, True),
        (almost - 0.01, least - 0.01, False),
        (almost, almost - 0.01, False),
    ):
        call, onset_ms = overheard()
        judge(call, onset_ms, before_ms, first)
        assert call.when(UserInterrupted) == []
        call.feed(InterruptionJudged(onset_ms + age_ms + 10, onset_ms, age_ms, second))
        assert call.when(UserInterrupted) == ([onset_ms + age_ms + 10] if stops else [])


def test_two_judgements_of_different_voices_are_not_in_succession() -> None:
    age_ms, least = THRESHOLDS[3]
    call, onset_ms = overheard()
    call.feed(InterruptionJudged(onset_ms + 150, onset_ms, 128, least - TWICE_LESS))
    call.feed(VoiceStopped(onset_ms + 200, onset_ms + 180))
    call.feed(VoiceStarted(onset_ms + 532, onset_ms + 500))
    call.feed(InterruptionJudged(onset_ms + 510 + age_ms, onset_ms + 500, age_ms, least - TWICE_LESS))
    assert call.when(UserInterrupted) == []


def test_a_reply_is_ducked_at_the_onset_and_returns_after_silence() -> None:
    call, onset_ms = overheard()
    assert call.when(Duck) == [onset_ms + 32]
    judge(call, onset_ms, 160, 0.2)
    call.feed(VoiceStopped(onset_ms + 300, onset_ms + 280))
    call.until(onset_ms + 1000)
    assert call.when(Unduck) == [onset_ms + 280 + PLAN.unduck_after_ms]
    assert "an interruption with 20 %" in reasons(call, "unducked")[0]
    assert call.when(UserInterrupted) == []


def test_an_unlikely_sound_ends_the_duck_and_does_not_duck_again() -> None:
    call, onset_ms = overheard()
    judge(call, onset_ms, 480, 0.1)
    assert call.when(Unduck) == [onset_ms + 490]
    judge(call, onset_ms, 544, 0.4)
    call.until(onset_ms + 900)
    assert len(call.when(Duck)) == 1


def test_an_echo_does_not_interrupt_and_ends_the_duck() -> None:
    call, onset_ms = overheard()
    judge(call, onset_ms, 128, 0.99, echo=0.9)
    assert call.when(Unduck) == [onset_ms + 138]
    judge(call, onset_ms, 704, 0.99, echo=0.9)
    call.until(onset_ms + 3000)
    assert call.when(UserInterrupted) == []


def test_without_a_classifier_the_length_of_a_voice_decides() -> None:
    call, onset_ms = overheard()
    call.until(onset_ms + 2000)
    assert call.when(UserInterrupted) == [onset_ms + UNJUDGED_MS]
    assert "no judgement of it" in reasons(call, "stopped")[0]


def test_an_uncertain_voice_interrupts_once_it_has_lasted_long() -> None:
    call, onset_ms = overheard()
    judge(call, onset_ms, 800, 0.35)
    call.until(onset_ms + 3000)
    assert call.when(UserInterrupted) == [onset_ms + LONG_MS]


def test_a_judgement_of_another_voice_is_ignored() -> None:
    call, onset_ms = overheard()
    judge(call, onset_ms - 500, 704, 1.0)
    assert call.when(UserInterrupted) == []
    judge(call, onset_ms, 352, 0.5)
    judge(call, onset_ms, 288, 1.0)
    assert call.when(UserInterrupted) == [], "a judgement at a younger age does not replace one at an older age"


def test_a_voice_that_has_cut_once_does_not_cut_the_next_answer_by_its_sound() -> None:
    call, onset_ms = overheard()
    judge(call, onset_ms, 160, 1.0)
    assert len(call.when(UserInterrupted)) == 1
    judge(call, onset_ms, 800, 1.0)
    call.until(onset_ms + 1500)
    assert len(call.when(UserInterrupted)) == 1


@pytest.mark.parametrize(
    ("text", "final", "probability", "stops"),
    [
        ("stop", True, 0.0, True),
        ("stop", False, UNLIKELY - 0.01, False),
        ("stop", False, UNLIKELY, True),
        ("no no no", True, 0.0, False),
        ("no no no", True, LIKELY - 0.01, True),
        ("no", True, LIKELY - 0.01, False),
        ("no", False, LIKELY, True),
        ("please wait", True, 0.0, True),
        ("so she said stop it", True, 0.0, False),
        ("so she said stop it", False, UNLIKELY, True),
        ("yeah", True, 0.8, False),
        ("wow, exactly", False, 0.8, False),
        ("the blue big one", False, WORDS[2] - 0.01, False),
        ("the blue big one", False, WORDS[2], True),
        ("the blue", False, WORDS[1] - 0.01, False),
        ("the blue", True, WORDS[1], True),
        ("tomorrow", False, WORDS[0] - 0.01, False),
        ("tomorrow", False, WORDS[0], True),
    ],
)
def test_words_interrupt_unless_they_are_a_backchannel_or_the_sound_is_unlikely(
    text: str, final: bool, probability: float, stops: bool
) -> None:
    call, onset_ms = overheard()
    judge(call, onset_ms, 288, probability)
    call.feed(TranscriptReceived(onset_ms + 350, text, final))
    assert bool(call.when(UserInterrupted)) == stops


@pytest.mark.parametrize(("text", "final", "stops"), [("I", False, False), ("got", False, False), ("got", True, True)])
def test_words_that_may_become_a_backchannel_wait_for_the_rest(text: str, final: bool, stops: bool) -> None:
    call, onset_ms = overheard()
    judge(call, onset_ms, 288, 0.8)
    call.feed(TranscriptReceived(onset_ms + 350, text, final=final))
    assert bool(call.when(UserInterrupted)) == stops


@pytest.mark.parametrize(
    ("text", "echo", "stops"),
    [
        ("stop", ECHO, False),
        ("two no four", POSSIBLE_ECHO, False),
        ("two no four", POSSIBLE_ECHO - 0.01, True),
        ("no two", POSSIBLE_ECHO, True),
        ("stop", ECHO - 0.01, True),
    ],
)
def test_an_echo_of_the_assistants_words_does_not_interrupt(text: str, echo: float, stops: bool) -> None:
    call = Call(PLAN)
    onset_ms = call.talking("one two no four five six seven", audio_ms=7000) + 2000
    call.hear(onset_ms, 4000)
    call.feed(VoiceStarted(onset_ms + 32, onset_ms))
    judge(call, onset_ms, 288, 0.5, echo)
    call.feed(TranscriptReceived(onset_ms + 350, text, final=False))
    assert bool(call.when(UserInterrupted)) == stops


def test_words_alone_interrupt_without_a_judgement() -> None:
    call, onset_ms = overheard()
    call.feed(TranscriptReceived(onset_ms + JUDGED_BY_MS + 50, "tomorrow", final=False))
    assert call.when(UserInterrupted) == [onset_ms + JUDGED_BY_MS + 50]


@pytest.mark.parametrize(
    ("final", "probability", "stops"), [(False, CERTAIN, True), (False, CERTAIN - 0.01, False), (True, 1.0, False)]
)
def test_only_a_certain_sound_outweighs_a_partial_backchannel(final: bool, probability: float, stops: bool) -> None:
    call, onset_ms = overheard()
    call.feed(TranscriptReceived(onset_ms + 150, "Yeah.", final))
    call.feed(InterruptionJudged(onset_ms + 426, onset_ms, 416, probability, 0.0))
    assert bool(call.when(UserInterrupted)) == stops


@pytest.mark.parametrize("text", ["tomorrow", "stop"])
def test_words_of_the_voice_before_wait_until_a_new_voice_has_been_judged(text: str) -> None:
    call, onset_ms = overheard()
    call.feed(TranscriptReceived(onset_ms + 100, text, final=False))
    assert call.when(UserInterrupted) == []
    judge(call, onset_ms, 160, 0.1)
    call.until(onset_ms + 600)
    assert call.when(UserInterrupted) == []
    call, onset_ms = overheard()
    call.feed(TranscriptReceived(onset_ms + 100, text, final=False))
    call.until(onset_ms + 600)
    assert call.when(UserInterrupted) == [onset_ms + JUDGED_BY_MS]


@pytest.mark.parametrize(("over_ms", "stops"), [(OVER_MS - 20, True), (OVER_MS + 20, False)])
def test_a_voice_that_is_over_does_not_interrupt_by_its_sound(over_ms: int, stops: bool) -> None:
    call, onset_ms = overheard()
    judge(call, onset_ms, 160, 0.1)
    call.feed(VoiceStopped(onset_ms + 300, onset_ms + 300))
    call.feed(InterruptionJudged(onset_ms + 300 + over_ms, onset_ms, 416, 1.0, 0.0))
    assert bool(call.when(UserInterrupted)) == stops


def test_a_plan_with_numbers_has_no_ducking_and_ignores_judgements() -> None:
    call, onset_ms = overheard(Plan(first_message_mode=WAITING, voice_ms=500))
    judge(call, onset_ms, 160, 1.0)
    call.until(onset_ms + 1000)
    assert call.when(Duck) == []
    assert call.when(UserInterrupted) == [onset_ms + 500]


def test_a_background_voice_does_not_cut_later_replies() -> None:
    call = Call(PLAN).start()
    call.feed(VoiceStarted(1000, 1000))
    call.until(1000 + PLAN.background_voice_ms + 100)
    text = "Are you still there, or is that the radio?"
    call.feed(Say(7000, text))
    turn = call.reply()
    call.feed(SpeechRequested(7000, turn, 0, 0, text))
    call.feed(SpeechQueued(7000, turn, 0, 3000, done=True))
    assert call.state.reply is not None
    assert call.state.reply.audible_ms is not None
    call.feed(InterruptionJudged(7100, 1000, 800, 1.0))
    assert call.when(UserInterrupted) == []
    assert call.when(Duck) == []
