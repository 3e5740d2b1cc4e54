"""Compilation of `startSpeakingPlan`: what decides that a turn is over."""

from typing import Any

import pytest

from bargein.call.plan.compile import compile_plan
from bargein.turns.languages import find_language
from bargein.turns.plan import ACKNOWLEDGEMENT_PHRASES, INTERRUPTION_PHRASES, WAIT_FUNCTION
from bargein.wire.assistant import Assistant

RULE = {"type": "customer", "regex": "number", "timeoutSeconds": 3}


def plan_of(**start: Any) -> Any:
    return compile_plan(Assistant.model_validate({"startSpeakingPlan": start} if start else {}))


@pytest.mark.parametrize(
    ("start", "judged", "wait_function", "wait_ms"),
    [
        ({}, True, None, 0),
        ({"waitSeconds": 0.7}, True, None, 700),
        ({"waitSeconds": 0}, True, None, 0),
        ({"customEndpointingRules": [RULE]}, True, None, 0),
        ({"transcriptionEndpointingPlan": {"onNumberSeconds": 1}}, False, None, None),
        ({"smartEndpointingPlan": {"provider": "vapi"}}, True, WAIT_FUNCTION, 400),
        ({"smartEndpointingPlan": {"provider": "vapi"}, "waitSeconds": 1}, True, WAIT_FUNCTION, 1000),
        ({"smartEndpointingEnabled": True}, True, WAIT_FUNCTION, 400),
        ({"smartEndpointingEnabled": False}, False, None, None),
        ({"smartEndpointingEnabled": "livekit"}, False, WAIT_FUNCTION, None),
        ({"smartEndpointingPlan": {"provider": "livekit", "waitFunction": "9 * x"}}, False, "9 * x", None),
        ({"smartEndpointingPlan": {"provider": "custom-endpointing-model"}}, False, None, None),
    ],
)  # fmt: skip
def test_the_plan_says_who_decides(
    start: dict[str, Any], judged: bool, wait_function: str | None, wait_ms: int | None
) -> None:
    plan = plan_of(**start)
    assert plan.adaptive_endpointing is judged
    assert plan.wait_function == wait_function
    if wait_ms is not None:
        assert plan.adaptive_wait_ms == wait_ms
    assert plan.wait_ms == round(1000 * start.get("waitSeconds", 0.4))


def test_answers_are_begun_early_where_the_server_lets_them() -> None:
    assistant = Assistant.model_validate({})
    assert not compile_plan(assistant).preemptive
    assert compile_plan(assistant, preemptive=True).preemptive


# The language of the transcriber.


def plan_with(transcriber: Any, **assistant: Any) -> Any:
    return compile_plan(Assistant.from_json({"transcriber": transcriber, **assistant}))


@pytest.mark.parametrize(
    ("transcriber", "language"),
    [
        ({"provider": "vapi"}, "en"),
        ({"provider": "vapi", "language": "en"}, "en"),
        ({"provider": "vapi", "language": "es"}, "es"),
        ({"provider": "vapi", "languages": ["de"]}, "de"),
        ({"provider": "vapi", "languages": ["en", "hi"], "language": "es"}, "en+hi"),
        ({"provider": "vapi", "languages": []}, "multi"),
        ({"provider": "vapi", "languages": [], "language": "fr"}, "fr"),
        ({"provider": "deepgram", "language": "es-419"}, "es"),
        ({"provider": "deepgram", "language": "multi"}, "multi"),
        ({"provider": "google", "language": "Japanese"}, "ja"),
        ({"provider": "custom-transcriber", "server": {"url": "wss://x.example"}, "language": "it"}, "it"),
        ({"provider": "vapi", "language": "fi"}, "en"),
    ],
)
def test_the_phrases_are_in_the_language_of_the_transcriber(transcriber: dict[str, Any], language: str) -> None:
    plan = plan_with(transcriber)
    known = find_language(language)
    assert plan.language == language
    assert plan.acknowledgement_phrases == known.acknowledgements
    assert plan.interruption_phrases == known.interruptions


def test_an_assistant_without_a_transcriber_speaks_english() -> None:
    plan = compile_plan(Assistant.model_validate({}))
    assert (plan.language, plan.acknowledgement_phrases) == ("en", ACKNOWLEDGEMENT_PHRASES)
    assert plan.interruption_phrases == INTERRUPTION_PHRASES


def test_the_owners_own_phrases_replace_those_of_the_language() -> None:
    plan = plan_with(
        {"provider": "vapi", "language": "es"},
        stopSpeakingPlan={"acknowledgementPhrases": ["vale pues"], "interruptionPhrases": []},
    )
    assert plan.acknowledgement_phrases == ("vale pues",)
    assert plan.interruption_phrases == ()
    assert plan.language == "es"


def test_the_older_fields_for_delays_apply_where_a_plan_does_not_say_more() -> None:
    usual = compile_plan(Assistant.from_json({}))
    delayed = compile_plan(Assistant.from_json({"responseDelaySeconds": 0.9, "llmRequestDelaySeconds": 0.6}))
    assert (delayed.wait_ms, delayed.adaptive_wait_ms) == (900, 900)
    assert (delayed.on_punctuation_ms, delayed.min_pause_ms) == (600, 600)
    assert (delayed.adaptive_endpointing, delayed.on_number_ms) == (True, usual.on_number_ms)
    short = compile_plan(Assistant.from_json({"llmRequestDelaySeconds": 0.1}))
    assert (short.on_punctuation_ms, short.min_pause_ms) == (100, usual.min_pause_ms)
    assert (usual.wait_ms, usual.adaptive_wait_ms) == (400, 0)


def test_a_plan_goes_before_the_older_fields_and_they_have_a_limit() -> None:
    start = {"waitSeconds": 0.2, "transcriptionEndpointingPlan": {"onPunctuationSeconds": 0.3}}
    older = {"responseDelaySeconds": 100, "llmRequestDelaySeconds": 100}
    plan = compile_plan(Assistant.from_json({"startSpeakingPlan": start, **older}))
    assert (plan.wait_ms, plan.on_punctuation_ms) == (200, 300)
    alone = compile_plan(Assistant.from_json(older))
    assert (alone.wait_ms, alone.on_punctuation_ms, alone.min_pause_ms, alone.max_pause_ms) == (5000, 5000, 5000, 5000)
