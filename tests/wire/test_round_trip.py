"""JSON that is parsed and written again is unchanged, including fields without a type."""

import subprocess
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bargein.wire.assistant import Assistant, merge_overrides, without_nulls
from bargein.wire.call import AudioFormat, audio_format_of, effective_assistant
from bargein.wire.ownership import made_by

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
SECONDS = st.floats(0, 0.5) | st.integers(0, 0)
PLAN = st.fixed_dictionaries(
    {},
    optional={
        "numWords": st.integers(0, 10),
        "voiceSeconds": SECONDS,
        "backoffSeconds": st.floats(0, 10),
        "interruptionPhrases": st.lists(st.text(max_size=240), max_size=3),
        "somethingNew": JSON,
    },
)
ASSISTANT = st.fixed_dictionaries(
    {},
    optional={
        "name": st.text(max_size=40),
        "firstMessage": st.text(),
        "stopSpeakingPlan": PLAN,
        "model": st.fixed_dictionaries(
            {"provider": st.sampled_from(["anthropic", "vapi", "groq"]), "model": st.text(max_size=8)},
            optional={"temperature": st.floats(0, 2), "new": JSON},
        ),
        "voice": st.fixed_dictionaries(
            {"provider": st.sampled_from(["11labs", "vapi", "hume"]), "voiceId": st.text(max_size=8)},
            optional={"new": JSON},
        ),
        "metadata": st.dictionaries(st.text(max_size=8), JSON, max_size=3),
        "hooks": st.lists(
            st.fixed_dictionaries({"on": st.just("call.ending"), "do": st.just([])}, optional={"new": JSON}), max_size=2
        ),
    },
)


@given(ASSISTANT)
def test_a_parsed_assistant_is_written_unchanged(data: dict[str, Any]) -> None:
    assert Assistant.from_json(data).to_json() == data


@given(ASSISTANT, ASSISTANT)
def test_laws_of_merging(assistant: dict[str, Any], overrides: dict[str, Any]) -> None:
    merged = merge_overrides(assistant, overrides)
    assert merge_overrides(assistant, {}) == assistant
    assert merge_overrides(merged, overrides) == merged
    Assistant.from_json(merged)
    for name in ("name", "firstMessage", "hooks"):
        if name in overrides:
            assert merged[name] == overrides[name]


def test_objects_are_merged_and_arrays_replaced() -> None:
    assistant = {
        "name": "a",
        "stopSpeakingPlan": {"numWords": 2, "interruptionPhrases": ["stop", "wait"]},
        "model": {"provider": "openai", "model": "m", "messages": [{"role": "system", "content": "be kind"}]},
    }
    overrides = {
        "stopSpeakingPlan": {"voiceSeconds": 0.1, "interruptionPhrases": ["halt"]},
        "model": {"provider": "openai", "temperature": 0.3},
        "variableValues": {"x": 1},
        "name": None,
    }
    assert merge_overrides(assistant, overrides) == {
        "stopSpeakingPlan": {"numWords": 2, "voiceSeconds": 0.1, "interruptionPhrases": ["halt"]},
        "model": {
            "provider": "openai",
            "model": "m",
            "temperature": 0.3,
            "messages": [{"role": "system", "content": "be kind"}],
        },
    }
    assert assistant["name"] == "a"


def test_a_changed_provider_does_not_inherit_urls_and_headers() -> None:
    assistant = {
        "model": {
            "provider": "custom-llm",
            "url": "http://old",
            "model": "m",
            "headers": {"x-key": "old"},
            "messages": [{"role": "system", "content": "be kind"}],
        },
        "voice": {"provider": "custom-voice", "server": {"url": "http://old", "secret": "old"}},
    }
    overrides = {"model": {"provider": "openai", "model": "n"}, "voice": {"provider": "vapi"}}
    assert merge_overrides(assistant, overrides) == {
        "model": {"provider": "openai", "model": "n", "messages": [{"role": "system", "content": "be kind"}]},
        "voice": {"provider": "vapi"},
    }


def test_tools_can_be_appended() -> None:
    assistant = {"model": {"provider": "vapi", "tools": [{"type": "endCall"}]}}
    merged = merge_overrides(assistant, {"tools:append": [{"type": "dtmf"}]})
    assert merged["model"]["tools"] == [{"type": "endCall"}, {"type": "dtmf"}]
    assert assistant["model"]["tools"] == [{"type": "endCall"}]


def test_nulls_are_removed_except_in_free_form_fields() -> None:
    data = {"name": None, "stopSpeakingPlan": {"numWords": None, "x": {"y": None}}, "metadata": {"a": None}}
    assert without_nulls(data) == {"stopSpeakingPlan": {"x": {}}, "metadata": {"a": None}}


def test_a_calls_own_assistant_has_precedence_over_a_stored_one() -> None:
    stored = {"id": "1", "orgId": "o", "createdAt": "c", "updatedAt": "u", "name": "stored", "firstMessage": "hi"}
    assert effective_assistant({"assistantOverrides": {"firstMessage": "ho"}}, stored) == {
        "name": "stored",
        "firstMessage": "ho",
    }
    assert effective_assistant(made_by({"assistant": {"name": "own"}}, "owner"), stored) == {"name": "own"}
    assert effective_assistant({}, None) == {}


@pytest.mark.parametrize(
    ("given_format", "expected"),
    [
        ({}, ("pcm_s16le", 16_000)),
        ({"format": "mulaw"}, ("mulaw", 8_000)),
        ({"format": "mulaw", "sampleRate": 16_000}, ("mulaw", 16_000)),
        ({"sampleRate": 44_100}, ("pcm_s16le", 44_100)),
    ],
)
def test_audio_formats_have_vapis_defaults(given_format: dict[str, Any], expected: tuple[str, int]) -> None:
    result = AudioFormat.from_json(given_format).with_defaults()
    assert (result.format, result.sample_rate, result.container) == (*expected, "raw")
    assert result.to_json() == {"format": expected[0], "sampleRate": expected[1], "container": "raw"}
    assert audio_format_of({"transport": {"audioFormat": given_format}}) == result


def test_a_web_call_is_16_khz() -> None:
    assert audio_format_of({"transport": {"provider": "daily"}}).sample_rate == 16_000


@pytest.mark.timed
def test_importing_the_wire_types_is_fast() -> None:
    code = (
        "import time; t = time.perf_counter()\n"
        "import bargein.wire.client_controls, bargein.wire.client_messages\n"
        "import bargein.wire.phone_number, bargein.wire.redact\n"
        "print(time.perf_counter() - t)"
    )
    fastest = min(
        float(
            subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, timeout=30).stdout
        )
        for _ in range(3)
    )
    assert fastest < 0.5
