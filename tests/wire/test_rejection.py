"""The conditions of a tool's `rejectionPlan` are limited, and patterns that are not supported are refused."""

import time
from typing import Any

import pytest

from bargein.call.tools.rejection import rejected
from bargein.turns.commands import Remember
from bargein.wire.assistant import Assistant
from bargein.wire.errors import WireError, parse_request
from bargein.wire.rejection import MOST_CONDITIONS
from bargein.wire.tools import parse_tool

FINE = {"type": "regex", "regex": "(?i)stop"}


def tool(*conditions: Any) -> dict[str, Any]:
    return {"type": "endCall", "rejectionPlan": {"conditions": list(conditions)}}


def group(*conditions: Any) -> dict[str, Any]:
    return {"type": "group", "operator": "OR", "conditions": list(conditions)}


@pytest.mark.parametrize(
    ("conditions", "problem"),
    [
        ([{"type": "regex", "regex": "(?=a)"}], "has a condition whose regex must not have a lookahead (?=…)"),
        ([FINE, group({"type": "regex", "regex": "("})], "has a condition whose regex must be a regular expression"),
        ([FINE] * (MOST_CONDITIONS + 1), f"must contain no more than {MOST_CONDITIONS} conditions"),
        ([group(*[FINE] * MOST_CONDITIONS)], f"must contain no more than {MOST_CONDITIONS} conditions"),
    ],
)
def test_a_plan_that_cannot_be_evaluated_is_refused(conditions: list[Any], problem: str) -> None:
    with pytest.raises(WireError) as refused:
        parse_tool(tool(*conditions))
    assert refused.value.messages[0].startswith(f"rejectionPlan {problem}")
    assistant = {"model": {"provider": "openai", "model": "m", "tools": [tool(*conditions)]}}
    with pytest.raises(WireError) as refused:
        parse_request(Assistant, assistant)
    expected = f"model.each value in tools must have another rejectionPlan: it {problem}"
    assert refused.value.messages[0].startswith(expected)


def test_a_plan_at_the_limit_is_accepted() -> None:
    parse_tool(tool(*[FINE] * MOST_CONDITIONS))


def test_a_stored_plan_beyond_the_limits_takes_little_time() -> None:
    history = tuple(Remember("user", "aaaa " * 1000, number, number) for number in range(200))
    deep: Any = FINE
    for _ in range(200):
        deep = group(deep)
    many = group(*[{"type": "regex", "regex": "(?:a?){300}b"}] * 5000)
    for plan in (tool(many), tool(deep), tool(*[FINE] * 10_000)):
        began = time.thread_time()
        rejected(plan, history, lambda text, _: text)
        assert time.thread_time() - began < 0.5
