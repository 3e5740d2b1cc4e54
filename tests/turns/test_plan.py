"""The plan: Vapi's defaults, and a journal's head."""

import json

import pytest

from bargein.turns import Plan
from bargein.turns.plan import WAIT_FUNCTION, Rule


def test_defaults_are_vapis() -> None:
    plan = Plan()
    stop = (plan.num_words, plan.voice_ms, plan.backoff_ms)
    start = (plan.wait_ms, plan.on_punctuation_ms, plan.on_no_punctuation_ms, plan.on_number_ms)
    assert stop == (0, 200, 1000)
    assert start == (400, 100, 1500, 500)
    assert (plan.wait_function, plan.rules) == (None, ())
    assert len(plan.acknowledgement_phrases) == 22
    assert len(plan.interruption_phrases) == 20
    assert (plan.first_message_mode, plan.first_message_interruptible) == ("assistant-speaks-first", False)
    assert (plan.max_duration_ms, plan.silence_timeout_ms) == (600_000, 30_000)
    assert not plan.remember_model_output


def test_a_plan_survives_json() -> None:
    plan = Plan(
        num_words=3,
        voice_ms=0,
        wait_function=WAIT_FUNCTION,
        rules=(Rule(assistant="name\\?$", assistant_flags="i", timeout_ms=2500), Rule(customer="^so", timeout_ms=0)),
        interruption_phrases=("halt",),
        acknowledgement_phrases=(),
        first_message="Hello.",
        end_call_phrases=("goodbye",),
    )
    again = Plan.from_json(json.loads(json.dumps(plan.to_json())))
    assert again == plan
    assert hash(again) == hash(plan)


def test_a_plan_without_rules_in_its_json_has_none() -> None:
    assert Plan.from_json({"num_words": 2}) == Plan(num_words=2)


def test_a_field_of_another_version_is_an_error() -> None:
    with pytest.raises(ValueError, match="a plan has no colour, speed"):
        Plan.from_json({"speed": 1, "num_words": 2, "colour": "red"})
