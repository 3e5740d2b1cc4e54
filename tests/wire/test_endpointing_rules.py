"""The patterns of `customEndpointingRules`: JavaScript's syntax, and limits that bound the time that they take."""

import time
from collections.abc import Iterator
from typing import Any

import pytest

from bargein.call.plan.compile import compile_plan
from bargein.patterns import LONGEST_PATTERN
from bargein.turns.endpointing.rules import find_endpoint
from bargein.turns.phrases import begins_phrase, consists_of, find_phrase
from bargein.turns.plan import Plan
from bargein.turns.state import Caller, State
from bargein.wire.assistant import Assistant, within_limits
from bargein.wire.endpointing_rules import (
    MOST_CHARACTERS,
    MOST_INSTRUCTIONS,
    MOST_RULES,
    RegexOption,
    compile_regex,
    usable_rules,
)
from bargein.wire.errors import WireError, parse_request
from bargein.wire.plans import MOST_HOOKS, MOST_PHRASES

PATH = "startSpeakingPlan.customEndpointingRules"


def rule(regex: str, **more: Any) -> dict[str, Any]:
    return {"type": "customer", "regex": regex, "timeoutSeconds": 2, **more}


def assistant(*rules: dict[str, Any]) -> dict[str, Any]:
    return {"startSpeakingPlan": {"customEndpointingRules": list(rules)}}


def refusal(*rules: dict[str, Any]) -> list[str]:
    with pytest.raises(WireError) as refused:
        parse_request(Assistant, assistant(*rules))
    assert isinstance(refused.value.messages, list)
    return refused.value.messages


@pytest.mark.parametrize(
    ("pattern", "options", "text", "matches"),
    [
        ("address", [], "my address is", True),
        ("ADDRESS", [], "my address is", False),
        ("ADDRESS", ["ignore-case"], "my address is", True),
        ("\u00c9", ["ignore-case"], "caf\u00e9", True),
        ("dress", ["whole-word"], "my address is", False),
        ("my|is", ["whole-word"], "this", False),
        ("^is", ["multi-line"], "a\nis", True),
        ("^is", [], "a\nis", False),
        ("a$", [], "a\n", False),
        (r"(?<word>\w)x", [], "hex", True),
        (r"(?<a$b>\w)x", [], "hex", True),
        (r"\(?<", [], "(<", True),
        ("[^]", [], "\n", True),
        ("a|[]", [], "b", False),
        ("[[a]+", [], "[", True),
        ("a.b", [], "a\u2028b", False),
        (r"\u0041\x42\u{43}\cJ\0", [], "ABC\n\0", True),
        (r"\ud83d\ude00", [], "\U0001f600", True),
        (r"^\s$", [], "\u00a0", True),
        (r"^[\s]$", [], "\u3000", True),
        (r"\S", [], "\u00a0", False),
        (r"\d", [], "\u0663", False),
        (r"^\p{L}+$", [], "caf\u00e9", True),
        (r"a\/b\-c", [], "a/b-c", True),
        (r"\Q.\E", [], "QxE", True),
        ("a{,3}", [], "a{,3}", True),
    ],
)
def test_patterns_have_javascripts_meaning(pattern: str, options: list[Any], text: str, matches: bool) -> None:
    switches = [RegexOption(type=option, enabled=True) for option in options]
    switches += [RegexOption(type="ignore-case", enabled=False)]
    assert compile_regex(pattern, switches).found_in(text) is matches


@pytest.mark.parametrize(
    ("pattern", "problem"),
    [
        ("(?=a)", "a lookahead"),
        ("(?!a)", "a lookahead"),
        ("(?<=a)b", "a lookbehind"),
        ("(?<!a)b", "a lookbehind"),
        (r"(a)\1", "a back-reference"),
        (r"(?<a>a)\k<a>", "a back-reference"),
        ("(", "must be a regular expression"),
        ("[a", "must be a regular expression"),
        ("a**", "must be a regular expression"),
        ("\\", "must be a regular expression"),
        ("a{2000}", "must be a regular expression"),
        (r"(?:\w|\s){900}", "is too large"),
        (r"\p{L}" * 11, "Unicode categories"),
        ("x" * (LONGEST_PATTERN + 1), "must be shorter"),
    ],
)
@pytest.mark.parametrize("field", ["regex", "assistantRegex", "customerRegex"])
def test_a_pattern_that_is_not_supported_is_refused_by_its_name(pattern: str, problem: str, field: str) -> None:
    one = rule(pattern)
    if field != "regex":
        one = {"type": "both", "assistantRegex": "a", "customerRegex": "a", "timeoutSeconds": 1, field: pattern}
    (message,) = refusal(rule("fine"), one)
    assert message.startswith(f"{PATH}.1.{field} ")
    assert problem in message


def distinct(count: int, size: int) -> Iterator[dict[str, Any]]:
    return (rule(f"{number:x<{size}}") for number in range(count))


def test_rules_are_limited_in_number_and_in_size() -> None:
    most = MOST_INSTRUCTIONS // MOST_RULES // 2
    parse_request(Assistant, assistant(*distinct(MOST_RULES, most)))
    assert refusal(*distinct(MOST_RULES + 1, most)) == [f"{PATH} must contain no more than {MOST_RULES} elements"]
    (message,) = refusal(*distinct(MOST_CHARACTERS // 990 + 1, 990))
    assert message.startswith(f"{PATH} must be smaller")
    (message,) = refusal(rule("(?:a|b|){300}x{900}"), rule("a{900}"), rule("b{900}"), rule("c{900}"))
    assert message.startswith(f"{PATH} must be smaller")


def test_what_is_refused_takes_little_time() -> None:
    many = [rule(rf"(?:\w|\s){{{900 - number}}}") for number in range(100)]
    dear = [rule(rf"(?:\p{{L}}|\p{{N}}){{{900 - number}}}") for number in range(100)]
    many_more = [rule("(a|b)*c") for _ in range(12_000)]
    for rules in (many, dear, many_more):
        began = time.process_time()
        refusal(*rules)
        assert time.process_time() - began < 0.25


DEAR = r"(?:a?b?c?){300}(?:a|b|c)*a[abc]{9}"


@pytest.mark.parametrize(
    "rules",
    [
        [rule("(a|a)+$")],
        [rule("(a*)*b"), rule("(a+)+$"), rule(r"(\w+\s?)+!")],
        [rule(f"{number}(?:[ab]*a[ab]{{20}})") for number in range(90)],
        [rule(DEAR)],
    ],
)
def test_no_rules_that_are_accepted_hold_up_the_server(rules: list[dict[str, Any]]) -> None:
    plan = compile_plan(parse_request(Assistant, assistant(*rules)))
    for said in ("a" * 100_000, "ab" * 50_000 + "!", "abcabcaab" * 10_000):
        best = min(time_of(plan, f"{said}{number}") for number in range(3))
        assert best < 0.1


def time_of(plan: Plan, said: str) -> float:
    caller = Caller(final_text=said, words_at_ms=1000, offset_ms=900)
    began = time.thread_time()
    assert find_endpoint(State(call_id="c", now_ms=1100, caller=caller), plan) is not None
    return time.thread_time() - began


def test_rules_that_were_stored_before_the_limits_are_run_as_far_as_possible() -> None:
    fine, broken = rule("fine"), rule("(?=a)")
    assert usable_rules([broken, fine, rule("("), rule("x" * 2000)]) == [fine]
    assert len(usable_rules([fine] * 12_000)) == MOST_RULES
    assert len(usable_rules(list(distinct(100, 990)))) <= 3
    assert usable_rules([fine, {"type": "customer"}, 7]) == [fine, {"type": "customer"}, 7]
    assert usable_rules(None) == []


def test_a_stored_assistant_is_cut_to_the_limits() -> None:
    phrases = [f"phrase {number}" for number in range(100_000)]
    stop = {"acknowledgementPhrases": phrases, "interruptionPhrases": phrases, "numWords": 2}
    stored = {
        **assistant(rule("(?=a)"), rule("fine")),
        "stopSpeakingPlan": stop,
        "endCallPhrases": phrases,
        "hooks": [{}] * 5000,
    }
    parsed = parse_request(Assistant, within_limits(stored), whole=False)
    assert parsed.start_speaking_plan is not None
    assert parsed.stop_speaking_plan is not None
    assert [one.to_json() for one in parsed.start_speaking_plan.custom_endpointing_rules or ()] == [rule("fine")]
    assert parsed.stop_speaking_plan.acknowledgement_phrases == phrases[:MOST_PHRASES]
    assert parsed.stop_speaking_plan.num_words == 2
    assert parsed.end_call_phrases == phrases[:MOST_PHRASES]
    assert parsed.hooks == [{}] * MOST_HOOKS
    for field in ("stopSpeakingPlan.acknowledgementPhrases", "stopSpeakingPlan.interruptionPhrases", "endCallPhrases"):
        path, _, name = field.rpartition(".")
        with pytest.raises(WireError) as refused:
            parse_request(Assistant, {path: {name: phrases}} if path else {name: phrases})
        assert refused.value.messages == [f"{field} must contain no more than {MOST_PHRASES} elements"]


def test_many_phrases_cost_a_step_no_more_than_few() -> None:
    phrases = tuple(f"phrase {'very ' * (number % 40)} {number}" for number in range(MOST_PHRASES))
    said = "phrase very very " * 2000
    consists_of(said, phrases)  # the phrases are prepared once for each assistant
    began = time.thread_time()
    for number in range(5):
        text = f"{said} {number}"
        consists_of(text, phrases)
        find_phrase(text, phrases)
        begins_phrase(text, phrases)
    assert time.thread_time() - began < 0.25
