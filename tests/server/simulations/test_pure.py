"""The steps of a tester, and the judgement of what came of them."""

from typing import Any

import pytest

from bargein.server.simulations.evaluation import aggregated, holds, latency_metrics, latency_results, passed, value_at
from bargein.server.simulations.evaluator import call_of
from bargein.server.simulations.outcome import Conversation
from bargein.server.simulations.steps import Step, habits_of, read_steps, script_of, with_habits
from bargein.wire import contract


@pytest.mark.parametrize(
    ("text", "steps"),
    [
        ("Hello  there.\n", [Step("say", "Hello there.")]),
        ("Tell me. [after 1.2 s] Stop.", [Step("say", "Tell me."), Step("interrupt", "Stop.", 1.2)]),
        ("[uh-huh after 2s][cough]", [Step("backchannel", "uh-huh", 2.0), Step("cough")]),
        ("[Mm-Hmm] [COUGH after 3 s]", [Step("backchannel", "mm-hmm"), Step("cough", after_s=3.0)]),
        ("[noise 4 s after 0.5 s]", [Step("noise", after_s=0.5, seconds=4.0)]),
        ("Bye. [silence] [hang up]", [Step("say", "Bye."), Step("silence", seconds=2.0), Step("hang up")]),
        (
            "I am [sneezes] fine [after 900 s] no",
            [Step("say", "I am"), Step("say", "fine"), Step("interrupt", "no", 60.0)],
        ),
        ("a [b", [Step("say", "a [b")]),
        ("", []),
    ],
)
def test_steps_are_words_and_marks(text: str, steps: list[Step]) -> None:
    assert read_steps(text) == steps


def test_instructions_may_be_a_script() -> None:
    assert script_of("Ask for a table.\nscript: no") is None
    assert script_of(" Script:\nHi.\n\n[hang up]\n") == [Step("say", "Hi."), Step("hang up")]


def test_habits_follow_each_turn_that_nothing_is_said_over() -> None:
    habits = habits_of({"tester": {"coughAfterSeconds": 2, "backchannelAfterSeconds": 1, "interruptAfterSeconds": -1}})
    uh_huh, cough = Step("backchannel", "uh-huh", 1.0), Step("cough", after_s=2.0)
    assert habits == [uh_huh, cough]
    say, cut = Step("say", "a"), Step("interrupt", "b", 1.0)
    assert with_habits([say, cut, say], habits) == [say, cut, say, uh_huh, cough]
    assert habits_of({"tester": {"interruptAfterSeconds": 1.5, "interruptWith": "No."}}) == [
        Step("interrupt", "No.", 1.5)
    ]
    assert habits_of(None) == habits_of({"tester": "x"}) == []


@pytest.mark.parametrize(
    ("value", "comparator", "expected", "result"),
    [
        (True, "=", True, True), (True, "=", 1, False), (1, "=", 1.0, True), ("Yes ", "=", "yes", True),
        ("yes", "!=", "no", True), (None, "=", "no", False), (3, ">", 2, True), (2, ">", 2, False), (2, ">=", 2, True),
        (1, "<", 2, True), (2, "<=", 1, False), ("3", ">", 2, False), (True, ">", 0, False),
    ],
)  # fmt: skip
def test_a_value_is_compared_with_what_is_expected(
    value: object, comparator: str, expected: object, result: bool
) -> None:
    assert holds(value, comparator, expected) is result


def test_a_path_leads_into_a_value() -> None:
    assert value_at({"contact": {"started": True}}, "contact.started") is True
    assert value_at({"contact": 1}, "contact.started") is None
    assert value_at(3, None) == 3


@pytest.mark.parametrize(("how", "result"), [("mean", 250.0), ("median", 200.0), ("p95", 600.0), ("max", 600.0)])
def test_latencies_are_aggregated(how: str, result: float) -> None:
    assert aggregated([100.0, 600.0, 100.0, 300.0, 200.0, 200.0], how) == result
    assert aggregated([float(one) for one in range(1, 101)], "p95") == 95.0


def expectation(metric: str, limit: float, **more: Any) -> dict[str, Any]:
    return {"metric": metric, "aggregation": "max", "thresholdMs": limit, **more}


def test_latencies_are_held_against_their_ceilings() -> None:
    turns = [{"turnLatency": 400.4, "modelLatency": 90}, {"turnLatency": 300, "modelLatency": 80}]
    performance: dict[str, Any] = {"turnLatencies": turns, "turnLatencyAverage": 350.2}
    given = [expectation("turn", 400), expectation("model", 50, required=False), expectation("voice", 1000)]
    found = latency_results(given, performance)
    assert [(one["passed"], one.get("actualMs"), one["sampleCount"]) for one in found] == [
        (True, 400, 2), (False, 90, 2), (False, None, 0),
    ]  # fmt: skip
    assert (passed(found), passed(found[:2])) == (False, True)
    (skipped,) = latency_results(given[:1], None)
    assert skipped["isSkipped"]
    assert passed([skipped])
    assert not [one for one in (*found, skipped) if contract.problems("LatencyEvaluationResult", one)]
    assert latency_metrics(performance) == {"turnCount": 2, "avgTurn": 350.2}


def test_a_chat_is_evaluated_as_a_call_without_times() -> None:
    said = [
        {"role": "system", "content": "x"},
        {"role": "user", "content": "Hi."},
        {"role": "assistant", "content": ""},
    ]
    held = Conversation(said, "User: Hi.\n", {"id": "1", "status": "completed"})
    call = call_of(held)
    assert (call["id"], call["artifact"]["transcript"], "startedAt" in call) == ("1", "User: Hi.\n", False)
    assert call["artifact"]["messages"] == [{"role": "user", "message": "Hi."}, {"role": "bot", "message": ""}]
    record = {"artifact": {"transcript": "AI: Hello.\n"}}
    assert call_of(Conversation(said, "", record, performance={})) is record
