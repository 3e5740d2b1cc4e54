"""The owner's endpointing model is asked at each pause, and only its answer to this pause counts."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bargein.turns.commands import AskEndpointing, Remember, StartReply
from bargein.turns.events import EndpointingAnswered, TranscriptReceived, VoiceStarted, VoiceStopped
from bargein.turns.plan import Rule
from tests.turns.talking import Call, waiting

PLAN = waiting(endpointing_timeout_ms=1000, wait_ms=0, on_punctuation_ms=100)


def paused(plan=PLAN) -> Call:
    """Make a call whose caller has said something and is silent from 1000 on."""
    call = Call(plan)
    call.start()
    call.feed(VoiceStarted(0, 0))
    call.feed(VoiceStopped(1000, 1000))
    call.feed(TranscriptReceived(1100, "I would like", final=True))
    return call


def began_ms(call: Call) -> int | None:
    return next((at for at, command in call.log if isinstance(command, StartReply)), None)


def asked(call: Call) -> list[AskEndpointing]:
    return [command for _, command in call.log if isinstance(command, AskEndpointing)]


def test_the_endpointing_model_is_asked_once_for_a_pause() -> None:
    call = paused()
    call.until(1900)
    assert asked(call) == [AskEndpointing(1, "I would like")]
    assert began_ms(call) is None


@pytest.mark.parametrize(("pause_ms", "began"), [(0, 1200), (500, 1500), (3000, 4000)])
def test_its_answer_is_counted_from_the_end_of_the_voice(pause_ms: int, began: int) -> None:
    call = paused()
    call.feed(EndpointingAnswered(1200, 1, pause_ms))
    call.until(5000)
    assert began_ms(call) == began


def test_without_a_usable_answer_the_transcription_plan_decides() -> None:
    call = paused(replace(PLAN, on_no_punctuation_ms=200))
    call.feed(EndpointingAnswered(1150, 1, None))
    call.until(5000)
    assert began_ms(call) == 1300


def test_an_answer_that_does_not_come_is_waited_for_only_so_long() -> None:
    call = paused(replace(PLAN, on_no_punctuation_ms=200))
    call.until(5000)
    assert began_ms(call) == 2100
    call.feed(EndpointingAnswered(5100, 1, 9000))  # late: nobody waits for it any more
    assert len(asked(call)) == 1


def test_when_the_caller_goes_on_the_old_answer_is_dropped_and_the_next_pause_asked_about() -> None:
    call = paused()
    call.feed(VoiceStarted(1300, 1300))
    call.feed(EndpointingAnswered(1350, 1, 0))
    call.feed(VoiceStopped(2000, 2000))
    call.feed(TranscriptReceived(2050, "a coffee.", final=True))
    assert [question.number for question in asked(call)] == [1, 2]
    assert asked(call)[1].said == "I would like a coffee."
    call.feed(EndpointingAnswered(2100, 1, 0))
    call.feed(EndpointingAnswered(2110, 2, 700))
    call.feed(EndpointingAnswered(2120, 2, 0))  # a second answer to the same question
    call.until(5000)
    assert began_ms(call) == 2700


def test_a_custom_rule_goes_before_it() -> None:
    call = paused(replace(PLAN, rules=(Rule(customer="like", timeout_ms=400),)))
    call.feed(EndpointingAnswered(1200, 1, 3000))
    call.until(5000)
    assert began_ms(call) == 1400


def test_no_request_is_sent_without_a_plan() -> None:
    call = paused(replace(PLAN, endpointing_timeout_ms=None))
    call.feed(EndpointingAnswered(1200, 1, 0))
    call.until(5000)
    assert asked(call) == []
    assert began_ms(call) == 2600


@given(st.lists(st.tuples(st.integers(1101, 4000), st.integers(-3, 9), st.integers(0, 15_000)), max_size=8))
def test_law_an_answer_to_another_question_changes_nothing(answers: list[tuple[int, int, int]]) -> None:
    plain, disturbed = paused(), paused()
    for at_ms, number, pause_ms in sorted(answers):
        if number != 1:
            disturbed.feed(EndpointingAnswered(at_ms, number, pause_ms))
    for call in (plain, disturbed):
        call.until(6000)
    assert plain.log == disturbed.log
    assert [c.text for _, c in plain.log if isinstance(c, Remember)] == ["I would like"]
