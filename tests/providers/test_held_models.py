"""Models whose answers are held to a schema, each in its vendor's way; and the schemas that vendors call strict."""

import json
from typing import Any

import pytest

from bargein.http_client import new_client
from bargein.ports import ChatMessage, SchemaModel
from bargein.providers.anthropic.messages import ANSWER_TOOL
from bargein.providers.openai.llm import OpenAiConfig, OpenAiModel
from bargein.providers.strict_schemas import response_format
from bargein.testing.vendors.scripted_llm import ModelScript
from tests.providers.conformance.models import CASES, Case

pytestmark = pytest.mark.anyio

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {"name": {"type": "string", "minLength": 1}, "age": {"type": "integer"}},
    "required": ["name"],
}
STRICT = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "age": {"type": ["integer", "null"]}},
    "required": ["name", "age"],
    "additionalProperties": False,
}
ANSWER = '{"name": "Ada"}'
BY_SCHEMA = {"openai", "cerebras", "openrouter", "perplexity-ai", "together-ai", "xai"}
BY_JSON = {"groq", "deep-seek", "deepinfra"}
BY_TOOL = {"anthropic", "anthropic-bedrock"}
NOT = {"custom-llm", "minimax", "anyscale", "inflection-ai"}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.provider)
async def test_a_model_is_held_in_its_vendors_way(case: Case) -> None:
    script = ModelScript(tokens=[ANSWER], interval_ms=0)
    if case.provider in BY_TOOL:
        script = ModelScript(tokens=["Let me see. "], calls=[(ANSWER_TOOL, ANSWER)], interval_ms=0)
    async with case.fake(script) as fake, new_client() as client:
        model = case.create(fake, client)
        held = model.held_to(SCHEMA) if isinstance(model, SchemaModel) else None
        if case.provider in NOT:
            assert held is None
            return
        assert held is not None
        answer = "".join([str(piece) async for piece in held.reply([ChatMessage("user", "Hi")])])
        assert json.loads(answer) == {"name": "Ada"}
        plain = [str(piece) async for piece in model.reply([ChatMessage("user", "Hi")])]
        assert plain  # the model itself is as it was
        body, other = (exchange.body for exchange in fake.exchanges if exchange.body)
    assert not {"response_format", "tool_choice"} & other.keys()
    if case.provider in BY_SCHEMA:
        held_by = {"name": "answer", "strict": True, "schema": STRICT}
        assert body["response_format"] == {"type": "json_schema", "json_schema": held_by}
    elif case.provider in BY_JSON:
        assert body["response_format"] == {"type": "json_object"}
    elif case.provider in BY_TOOL:
        assert body["tool_choice"] == {"type": "tool", "name": ANSWER_TOOL}
        assert [tool["input_schema"] for tool in body["tools"]] == [SCHEMA]
    else:
        assert body["generationConfig"]["responseMimeType"] == "application/json"
        assert body["generationConfig"]["responseJsonSchema"] == SCHEMA
        assert "responseMimeType" not in other["generationConfig"]


async def test_older_models_of_openai_know_no_schemas() -> None:
    async with new_client() as client:
        for name, knows in (("gpt-4.1", True), ("gpt-5-mini", True), ("gpt-4o", True), ("gpt-3.5-turbo", False),
                            ("gpt-4", False), ("gpt-4-turbo", False), ("o1-mini", False)):  # fmt: skip
            model = OpenAiModel(OpenAiConfig(model=name, api_key="k", fallback_models=("gpt-3.5-turbo",)), client)
            assert (model.held_to(SCHEMA) is not None) == knows, name


def member(schema: dict[str, Any], *, required: bool = False) -> dict[str, Any]:
    return {"type": "object", "properties": {"a": schema}, **({"required": ["a"]} if required else {})}


@pytest.mark.parametrize(
    ("given", "strict"),
    [
        ({"type": "string", "enum": ["x"]}, {"type": ["string", "null"], "enum": ["x", None]}),
        ({"type": ["string", "null"]}, {"type": ["string", "null"]}),
        ({"$ref": "#/$defs/b"}, {"anyOf": [{"$ref": "#/$defs/b"}, {"type": "null"}]}),
        ({"enum": ["x"]}, {"anyOf": [{"enum": ["x"]}, {"type": "null"}]}),
        ({"type": "array", "items": SCHEMA}, {"type": ["array", "null"], "items": STRICT}),
        (
            {"anyOf": [{"type": "string"}, SCHEMA]},
            {"anyOf": [{"anyOf": [{"type": "string"}, STRICT]}, {"type": "null"}]},
        ),
    ],
)
def test_an_optional_property_of_a_strict_schema_may_be_null(given: dict[str, Any], strict: dict[str, Any]) -> None:
    held = response_format(member(given))["json_schema"]
    assert held["strict"] is True
    assert held["schema"]["properties"] == {"a": strict}
    assert held["schema"]["required"] == ["a"]


def test_a_required_property_stays_and_definitions_are_strict_too() -> None:
    held = response_format({**member({"$ref": "#/$defs/b"}, required=True), "$defs": {"b": SCHEMA}})["json_schema"]
    assert held["schema"]["properties"] == {"a": {"$ref": "#/$defs/b"}}
    assert held["schema"]["$defs"] == {"b": STRICT}


@pytest.mark.parametrize(
    "given",
    [
        {"type": "object"},
        {"type": "array"},
        {},
        {"oneOf": [{"type": "string"}]},
        {"anyOf": [{"type": "object"}]},
        {**SCHEMA, "additionalProperties": True},
    ],
)
def test_what_strict_schemas_cannot_say_is_not_strict(given: dict[str, Any]) -> None:
    schema = member(given)
    assert response_format(schema)["json_schema"] == {"name": "answer", "strict": False, "schema": schema}
    with_definition = {**member({"type": "string"}), "$defs": {"b": given}}
    assert response_format(with_definition)["json_schema"]["strict"] is False
