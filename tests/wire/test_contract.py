"""Vapi's types as data: their contents, and the validation of values."""

import json
import math
import time
from collections.abc import Callable, Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator, FormatChecker
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

from bargein.wire import contract
from bargein.wire.assistant import Assistant
from bargein.wire.errors import WireError, parse_request

FILE = Path(contract.__file__).with_name("contract.json")
SEED = "ClientMessageUserInterrupted"


def for_python(node: Any) -> Any:
    """Return the schema with its patterns in Python's syntax."""
    if isinstance(node, dict):
        pattern = node.get("pattern")
        changed = {"pattern": contract.compile_pattern(pattern).pattern} if isinstance(pattern, str) else {}
        return {name: for_python(value) for name, value in node.items()} | changed
    return [for_python(value) for value in node] if isinstance(node, list) else node


REGISTRY = Registry().with_resource(
    "urn:contract", Resource.from_contents(for_python(json.loads(FILE.read_text())), DRAFT202012)
)


CLOSURE = sorted(contract.referenced_types(SEED))
"""All types that the message refers to."""


def resolved(schema: dict[str, Any]) -> dict[str, Any]:
    while "$ref" in schema:
        schema = contract.definitions()[schema["$ref"].rpartition("/")[2]]
    return schema


def least(schema: dict[str, Any]) -> Any:
    """Return the smallest value that a type accepts."""
    schema = resolved(schema)
    for union in ("oneOf", "anyOf"):
        if union in schema:
            return least(schema[union][0])
    kind = schema.get("type", "object")
    kind = kind[0] if isinstance(kind, list) else kind
    if "enum" in schema:
        return schema["enum"][0]
    if kind == "object":
        return {name: least(schema["properties"][name]) for name in schema.get("required", ())}
    if kind == "array":
        return [least(schema.get("items", {})) for _ in range(schema.get("minItems", 0))]
    if kind == "string":
        return text(schema)
    return {"boolean": True, "number": schema.get("minimum", schema.get("maximum", 1))}.get(kind, 1)


TEXTS = {
    "date-time": "2026-01-02T03:04:05.678Z",
    "uri": "https://example.org",
    "uuid": "7b1c0f9e-6d1f-4c55-9a43-0e6a4a6f4d11",
}


def text(schema: dict[str, Any]) -> str:
    if "pattern" in schema:
        names = ("customer.speech.timeout", "assistant.transcriber.endpointedSpeechLowConfidence", "A")
        return next(name for name in names if contract.compile_pattern(schema["pattern"]).search(name))
    return TEXTS.get(schema.get("format", ""), "x" * schema.get("minLength", 1))


def breakages(schema: dict[str, Any]) -> Iterator[tuple[Any, str]]:
    """Yield values just outside of a property's limits, each with a part of its error text."""
    schema = resolved(schema)
    for keyword, broken_by, expected in LIMITS:
        if keyword in schema:
            yield broken_by(schema[keyword]), expected
    if schema.get("minLength", 0) > 0:
        yield "x" * (schema["minLength"] - 1), "must be longer than or equal to"
    if schema.get("maxLength", math.inf) < 200_000:
        yield "x" * (schema["maxLength"] + 1), "must be shorter than or equal to"
    if isinstance(schema.get("type"), str):
        yield WRONG_KIND[schema["type"]], "must be"
    if "discriminator" in schema:
        yield {schema["discriminator"]["propertyName"]: "no such kind"}, "must be one of the following values: "
    elif "oneOf" in schema or "anyOf" in schema:
        kinds = {resolved(member).get("type") for member in schema.get("oneOf", schema.get("anyOf"))}
        yield next(value for kind, value in (("array", []), ("boolean", True)) if kind not in kinds), "must be"


LIMITS: tuple[tuple[str, Callable[[Any], Any], str], ...] = (
    ("enum", lambda _: "no such value", "must be"),
    ("minimum", lambda limit: limit - 1, "must not be less than "),
    ("maximum", lambda limit: limit + 1, "must not be greater than "),
    ("minItems", lambda _: [], "must contain at least"),
    ("pattern", lambda _: "!", "must match /^"),
    ("format", lambda _: "!", "must be a"),
)
WRONG_KIND = {"null": 7, "object": 7, "array": 7, "string": 7, "number": "7", "boolean": 7, "integer": 1.5}


def test_the_data_has_all_types_that_the_message_refers_to() -> None:
    assert len(CLOSURE) >= 372
    assert len(contract.definitions()) > 500


@pytest.mark.parametrize("name", CLOSURE)
def test_each_type_accepts_its_smallest_value_and_refuses_values_outside_of_its_limits(name: str) -> None:
    whole = contract.definitions()[name]
    if whole.get("type") != "object":
        return
    smallest = least(whole)
    assert contract.problems(name, smallest) == {}
    for required in whole.get("required", ()):
        without = {key: value for key, value in smallest.items() if key != required}
        found = contract.problems(name, without)
        if "default" not in whole["properties"][required]:
            assert found == {required: "should not be null or undefined"}
            assert contract.problems(name, without | {required: None}).keys() <= {required}
    for field, schema in whole["properties"].items():
        assert contract.problems(name, smallest | {field: least(schema)}) == {}, field
        for value, expected in breakages(schema):
            found = contract.problems(name, smallest | {field: value})
            assert found, (field, value)
            assert all(path.split(".")[0] == field for path in found), found
            assert any(expected in text for text in found.values()), (field, value, found)


FORMATS = FormatChecker(formats=())
FORMATS.checks("date-time")(lambda value: not isinstance(value, str) or contract.is_date(value))
FORMATS.checks("uri")(lambda value: not isinstance(value, str) or contract.is_url(value))
FORMATS.checks("uuid")(lambda value: not isinstance(value, str) or contract.is_uuid(value))


def as_json_schema(name: str) -> Draft202012Validator:
    return Draft202012Validator(
        {"$ref": f"urn:contract#/$defs/{name}"},
        registry=REGISTRY,
        format_checker=FORMATS,
    )


JUNK = st.sampled_from([None, True, 0, -1, 3, 1e9, "", "x", "vapi", [], [{}], {}, {"type": "x"}, {"provider": "vapi"}])
NAMES = ("CreateAssistantDTO", "CreateCallDTO", "CreateSquadDTO", "CreateTwilioPhoneNumberDTO", "CreateToolDTO")
FIELDS = sorted({field for name in CLOSURE for field in contract.definitions()[name].get("properties", {})})


def broken(data: st.DataObject, value: Any, depth: int = 0) -> Any:
    """Return the value with one of its parts replaced."""
    if isinstance(value, dict) and value and depth < 6 and data.draw(st.booleans()):
        field = data.draw(st.sampled_from(sorted(value)))
        return value | {field: broken(data, value[field], depth + 1)}
    if isinstance(value, list) and value and data.draw(st.booleans()):
        return [broken(data, value[0], depth + 1), *value[1:]]
    return data.draw(JUNK)


def rich(schema: dict[str, Any], depth: int, turn: int) -> Any:
    """Return a value with many fields; `turn` chooses among the members of unions."""
    schema = resolved(schema)
    members = schema.get("oneOf") or schema.get("anyOf")
    if members:
        return rich(members[turn % len(members)], depth, turn)
    if schema.get("type") == "object" and depth > 0:
        fields = schema.get("properties", {})
        return {
            name: rich(value, depth - 1, turn) for name, value in fields.items() if "pattern" not in resolved(value)
        }
    if schema.get("type") == "array" and depth > 0:
        return [rich(schema.get("items", {}), depth - 1, turn)]
    return least(schema)


def no_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: no_nulls(item) for name, item in value.items() if item is not None}
    return value


@settings(max_examples=80, deadline=None)
@given(data=st.data(), name=st.sampled_from(NAMES), turn=st.integers(0, 22))
def test_validation_agrees_with_a_json_schema_validator(data: st.DataObject, name: str, turn: int) -> None:
    value = rich(contract.definitions()[name], 5, turn)
    for _ in range(data.draw(st.integers(0, 2))):
        value = broken(data, value)
    value = no_nulls(value)  # null means not given in Vapi's API, but not in JSON Schema
    ours = contract.problems(name, value)
    theirs = list(as_json_schema(name).iter_errors(value))
    assert bool(ours) == bool(theirs), (ours, [error.message for error in theirs])


def test_null_is_not_given_and_unknown_fields_are_accepted() -> None:
    plan = {"numWords": None, "somethingNew": [None]}
    assert contract.problems("CreateAssistantDTO", {"name": None, "stopSpeakingPlan": plan, "new": 1}) == {}
    assert contract.problems("OpenAIMessage", {"role": "user", "content": None}) == {}
    assert contract.problems("OpenAIMessage", {"role": "user"}) == {"content": "should not be null or undefined"}


def test_a_required_field_with_a_default_may_be_missing() -> None:
    definition = contract.definitions()["CreateBashToolDTO"]
    assert "name" in definition["required"]
    assert contract.problems("CreateBashToolDTO", {"type": "bash", "subType": "bash_20241022"}) == {}


def refusal(data: dict[str, Any]) -> list[str]:
    with pytest.raises(WireError) as caught:
        parse_request(Assistant, data)
    assert isinstance(caught.value.messages, list)
    return caught.value.messages


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (
            {"analysisPlan": {"summaryPlan": {"timeoutSeconds": 61}}},
            "analysisPlan.summaryPlan.timeoutSeconds must not be greater than 60",
        ),
        (
            {"voice": {"provider": "11labs", "voiceId": "v", "stability": 2}},
            "voice.stability must not be greater than 1",
        ),
        ({"voice": {"provider": "11labs"}}, "voice.voiceId should not be null or undefined"),
        (
            {"transcriber": {"provider": "deepgram", "endpointing": 5}},
            "transcriber.endpointing must not be less than 10",
        ),
        (
            {"transcriber": {"provider": "deepgram", "keywords": ["snuffleupagus:x"]}},
            "transcriber.each value in keywords must match /^\\p{L}[\\p{L}\\d]*(?::[+-]?\\d+)?$/ regular expression",
        ),
        (
            {
                "model": {
                    "provider": "openai",
                    "model": "gpt-4o",
                    "tools": [{"type": "dtmf", "messages": [{"type": "x"}]}],
                }
            },
            (
                "model.tools.0.messages.0.type must be one of the following values: "
                "request-start, request-complete, request-failed, request-response-delayed"
            ),
        ),
        ({"hooks": [{"on": "call.ending"}]}, "hooks.0.do should not be null or undefined"),
        (
            {"hooks": [{"on": "customer.speech.timeout", "do": [{"type": "say"}], "options": {"timeoutSeconds": 0}}]},
            "hooks.0.options.timeoutSeconds must not be less than 1",
        ),
        (
            {"voicemailDetection": {"provider": "vapi", "backoffPlan": {"maxRetries": 11}}},
            "voicemailDetection.backoffPlan.maxRetries must not be greater than 10",
        ),
        ({"credentials": [{"provider": "openai"}]}, "credentials.0.apiKey should not be null or undefined"),
        ({"keypadInputPlan": {"timeoutSeconds": 11}}, "keypadInputPlan.timeoutSeconds must not be greater than 10"),
        (
            {"transportConfigurations": [{"provider": "twilio", "timeout": 601}]},
            "transportConfigurations.0.timeout must not be greater than 600",
        ),
    ],
)
def test_settings_that_are_only_kept_are_validated_too(data: dict[str, Any], message: str) -> None:
    assert refusal(data) == [message]


@pytest.mark.parametrize(
    "part",
    [
        {"model": {"provider": "openai", "model": "gpt-99-brand-new"}},
        {"model": {"provider": "anthropic", "model": "claude-99"}},
        {"model": {"provider": "custom-llm", "url": "https://example.org", "model": "mine"}},
        {"model": {"provider": "vapi", "model": "anything"}},
        {"model": {"provider": "vapi"}},
        {"voice": {"provider": "vapi"}},
        {"voice": {"provider": "openai", "voiceId": "brand-new"}},
        {"transcriber": {"provider": "deepgram", "model": "nova-99"}},
        {"hooks": [{"on": "call.timeElapsed", "options": {"seconds": 60}, "do": [{"type": "say", "exact": "a"}]}]},
        {"hooks": [{"on": "customer.speech.timeout[timeoutSeconds=10]", "do": []}]},
        {"clientMessages": ['transcript[transcriptType="final"]']},
        {
            "server": {
                "url": "https://example.org",
                "backoffPlan": {
                    "type": "fixed",
                    "maxRetries": 1,
                    "baseDelaySeconds": 0,
                    "excludedStatusCodes": [400, {"min": 500}],
                },
            }
        },
        {
            "hooks": [
                {
                    "on": "assistant.transcriber.endpointedSpeechLowConfidence",
                    "options": {"confidenceMin": 0.2, "confidenceMax": 0.5},
                    "do": [{"type": "say", "prompt": [{"role": "system", "content": "ask again"}]}],
                }
            ]
        },
    ],
)
def test_new_names_and_fields_are_accepted(part: dict[str, Any]) -> None:
    assert parse_request(Assistant, part).to_json() == part


def test_the_parameters_of_a_tool_can_be_any_json_schema() -> None:
    parameters = {
        "type": "object",
        "properties": {
            "count": {"type": ["integer", "null"], "enum": [1, 2]},
            "either": {"anyOf": [{"type": "string"}, {"type": "number"}]},
            "any": {},
        },
    }
    tool = {"type": "function", "function": {"name": "f", "parameters": parameters}}
    data = {"model": {"provider": "openai", "model": "m", "tools": [tool]}}
    assert parse_request(Assistant, data).to_json() == data
    broken = deepcopy(data)
    broken["model"]["tools"][0]["function"]["parameters"]["properties"]["count"] = 3
    assert refusal(broken) == ["model.tools.0.function.parameters.properties.count must be an object"]


def test_validation_stops_at_the_maximum_number_of_findings() -> None:
    found = contract.problems("CreateAssistantDTO", {"hooks": [{}] * 100_000})
    assert len(found) == contract.MAX_FINDINGS


def test_a_large_assistant_is_checked_in_a_few_milliseconds() -> None:
    assistant = rich(contract.definitions()["CreateAssistantDTO"], 6, 4)
    assistant["hooks"] *= 20
    assistant["credentials"] *= 20
    assert len(json.dumps(assistant)) > 14_000
    assert contract.problems("CreateAssistantDTO", assistant) == {}
    fastest = math.inf
    for _ in range(10):
        begun = time.thread_time()
        contract.problems("CreateAssistantDTO", assistant)
        fastest = min(fastest, time.thread_time() - begun)
    assert fastest < 0.06


def sentences(node: object) -> Iterator[str]:
    if isinstance(node, dict):
        for value in node.values():
            yield from sentences(value)
    elif isinstance(node, list):
        for value in node:
            yield from sentences(value)
    elif isinstance(node, str) and node.count(" ") > 2:
        yield node


def test_the_data_contains_no_text() -> None:
    assert list(sentences(contract.definitions())) == []
    keywords = {"type", "properties", "required", "enum", "default", "format", "pattern", "items", "oneOf", "anyOf",
                "additionalProperties", "discriminator", "propertyName", "$ref", "minimum", "maximum", "minLength",
                "maxLength", "minItems", "maxItems"}  # fmt: skip

    def used(node: object, *, named: bool = False) -> set[str]:
        if isinstance(node, dict):
            here = set() if named else set(node)
            below = (
                used(value, named=key == "properties" and not named) for key, value in node.items() if key != "default"
            )
            return here.union(*below)
        return set().union(*map(used, node)) if isinstance(node, list) else set()

    assert set().union(*map(used, contract.definitions().values())) <= keywords
