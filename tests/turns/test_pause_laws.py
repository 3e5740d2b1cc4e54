"""Laws of the wait in a judged pause, over any probability and plan.

- The likelier the end of the turn, the shorter the wait.
- It is never below `min_pause_ms` and never above `max_pause_ms`.
- No other wait between the two costs less on average.
- A plan that says when a turn is over is obeyed as it is: no judgement and no setting of judged pauses changes it.
"""

from dataclasses import replace
from math import exp

from hypothesis import given
from hypothesis import strategies as st

from bargein.turns.commands import JudgePause, StartReply
from bargein.turns.endpointing.end_of_turn import pause_ms
from bargein.turns.events import PauseJudged, TranscriptReceived
from bargein.turns.plan import Plan
from tests.turns.talking import Call, waiting

PROBABILITIES = st.floats(0, 1)
SETTINGS = {
    "max_cutoff_risk": st.floats(0, 1),
    "pause_decay_ms": st.integers(1, 5000),
    "min_pause_ms": st.integers(0, 1000),
    "max_pause_ms": st.integers(1000, 5000),
}
JUDGED = st.fixed_dictionaries(SETTINGS).map(lambda values: waiting(adaptive_endpointing=True, **values))


@given(PROBABILITIES, PROBABILITIES, JUDGED)
def test_the_likelier_the_end_the_shorter_the_wait(one: float, other: float, plan: Plan) -> None:
    less, more = sorted((one, other))
    assert pause_ms(less, plan) >= pause_ms(more, plan)


@given(PROBABILITIES, JUDGED)
def test_the_wait_is_within_the_plans_bounds(probability: float, plan: Plan) -> None:
    assert plan.min_pause_ms <= pause_ms(probability, plan) <= plan.max_pause_ms


@given(st.floats(0.01, 0.99), st.floats(0.02, 0.9), st.integers(100, 3000), st.integers(0, 2000))
def test_no_other_wait_costs_less(probability: float, risk: float, decay_ms: int, other_ms: int) -> None:
    plan = waiting(max_cutoff_risk=risk, pause_decay_ms=decay_ms, min_pause_ms=0, max_pause_ms=2000)
    cutoff_ms = decay_ms * (1 - risk) / risk

    def cost_ms(wait_ms: int) -> float:
        return probability * wait_ms + (1 - probability) * exp(-wait_ms / decay_ms) * cutoff_ms

    assert cost_ms(pause_ms(probability, plan)) <= cost_ms(other_ms) + 1


def answered_at(plan: Plan, said: str, probability: float | None) -> int:
    """Return when the answer to a turn is requested, whose voice ends at 1700 and whose words come at 1850."""
    call = Call(plan).start()
    call.voice(1000, 1700)
    call.feed(TranscriptReceived(1850, said, final=True))
    for question in call.commands(JudgePause):
        call.feed(PauseJudged(1862, question.number, probability))
    call.until(30_000)
    return call.when(StartReply)[0]


@given(
    st.sampled_from(("Yes.", "My number is", "five five five", "I would like a table.", "um")),
    st.none() | PROBABILITIES,
    st.fixed_dictionaries(SETTINGS),
    st.integers(0, 3000),
)
def test_a_plan_that_says_when_a_turn_is_over_is_obeyed(
    said: str, probability: float | None, settings: dict[str, float], pause_of_plan_ms: int
) -> None:
    plan = waiting(
        on_punctuation_ms=pause_of_plan_ms, on_no_punctuation_ms=pause_of_plan_ms, on_number_ms=pause_of_plan_ms
    )
    assert answered_at(plan, said, None) == 1850 + pause_of_plan_ms
    assert answered_at(replace(plan, **settings), said, probability) == 1850 + pause_of_plan_ms
