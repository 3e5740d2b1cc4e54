"""Comparison of an answer with what a check expects."""

from typing import Any

import pytest

from bargein.ports import ToolCall
from bargein.server.evals.judging import Answer, failure_of, verdict_of

BOOK = ToolCall("1", "book", '{"date": "2025-01-20", "guests": 2, "who": {"name": "Ada"}}')
EXACT: dict[str, Any] = {"date": "2025-01-20", "guests": 2.0, "who": {"name": "ada"}}


def plan(kind: str, content: str | None = None, calls: Any = None) -> dict[str, Any]:
    given = {"type": kind, "content": content, "toolCalls": calls}
    return {name: value for name, value in given.items() if value is not None}


@pytest.mark.parametrize(
    ("check", "answer"),
    [
        (plan("exact", "it is  SUNNY."), Answer(" It is sunny.\n")),
        (plan("exact", ""), Answer("")),
        (plan("exact", "", [{"name": "book"}]), Answer("One moment.", (BOOK,))),
        (plan("exact", calls=[{"name": "book", "arguments": EXACT}]), Answer("", (BOOK,))),
        (plan("exact", calls=[]), Answer("Anything.")),
        (
            plan("exact", calls=[{"name": "b"}, {"name": "a"}]),
            Answer("", (ToolCall("1", "a", ""), ToolCall("2", "b", ""))),
        ),
        (plan("regex", "/SUNNY/i"), Answer("It is sunny.")),
        (plan("regex", r"\d+ degrees"), Answer("x" * 600 + "21 degrees" + "x" * 600)),
        (plan("regex", calls=[{"name": "book", "arguments": {"date": "/^2025-/"}}]), Answer("", (BOOK,))),
        (
            plan("regex", calls=[{"name": "book", "arguments": {"guests": "^[1-4]$", "who": {"name": "A"}}}]),
            Answer("", (BOOK,)),
        ),
        (plan("regex", calls=[{"name": "book", "arguments": {"guests": 2}}]), Answer("", (BOOK,))),
    ],
)
def test_an_answer_passes(check: dict[str, Any], answer: Answer) -> None:
    assert failure_of(check, answer) is None


@pytest.mark.parametrize(
    ("check", "answer", "failure"),
    [
        (plan("exact", "Sunny."), Answer("Rain."), 'expected the text "Sunny.", got "Rain."'),
        (plan("exact", ""), Answer("Rain."), 'expected the text "", got "Rain."'),
        (plan("exact", calls=[]), Answer("", (BOOK,)), "expected no other tool call, got book("),
        (plan("exact", calls=[{"name": "cancel"}]), Answer("No."), "expected the tool call cancel(), got none"),
        (
            plan("exact", calls=[{"name": "book", "arguments": {"date": "2025-01-20"}}]),
            Answer("", (BOOK,)),
            "expected the tool",
        ),
        (
            plan("exact", calls=[{"name": "book", "arguments": EXACT | {"guests": True}}]),
            Answer("", (BOOK,)),
            "expected the tool",
        ),
        (plan("exact", calls=[{"name": "book"}]), Answer("", (BOOK, BOOK)), "expected no other tool call"),
        (plan("exact", calls=[{"name": "book", "arguments": {}}]), Answer("", (ToolCall("1", "book", "{oops"),)), None),
        (plan("regex", "sunny"), Answer("It is SUNNY."), 'expected a match of "sunny", got "It is SUNNY."'),
        (
            plan("regex", calls=[{"name": "book", "arguments": {"date": "^2024"}}]),
            Answer("", (BOOK,)),
            "expected the tool",
        ),
        (
            plan("regex", calls=[{"name": "book", "arguments": {"when": ".*"}}]),
            Answer("", (BOOK,)),
            "expected the tool",
        ),
        (
            plan("regex", calls=[{"name": "book", "arguments": {"date": {"day": "20"}}}]),
            Answer("", (BOOK,)),
            "expected the tool",
        ),
    ],
)
def test_an_answer_fails_with_a_reason(check: dict[str, Any], answer: Answer, failure: str | None) -> None:
    found = failure_of(check, answer)
    assert found is None if failure is None else (found or "").startswith(failure)


@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        ("pass", True),
        (" Fail.\n", False),
        ('"PASS"', True),
        ("**fail**", False),
        ("passable", None),
        ("", None),
        ("It passes", None),
    ],
)
def test_a_judge_answers_in_one_word(text: str, verdict: bool | None) -> None:
    assert verdict_of(text) is verdict
