"""Fields that Vapi's types do not have are refused by name at every depth; those that are accepted are listed."""

from collections.abc import Iterator
from functools import cache
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from bargein.wire import contract
from bargein.wire.accepted import ACCEPTED, FREE, accepted_fields
from bargein.wire.assistant import Assistant, AssistantOverrides
from bargein.wire.base import WireModel
from bargein.wire.call import CreateCall, Ring
from bargein.wire.errors import WireError, parse_request
from bargein.wire.plans import ArtifactPlan, MonitorPlan, Server, StartSpeakingPlan, StopSpeakingPlan
from bargein.wire.providers import OpenAIMessage
from bargein.wire.squad import Squad
from bargein.wire.tools import parse_tool
from bargein.wire.validation_text import LONGEST_NAME, sentence
from tests.wire.test_contract import least, resolved

BODIES = (
    "CreateAssistantDTO", "UpdateAssistantDTO", "CreateCallDTO", "CreateSquadDTO", "UpdateSquadDTO", "CreateToolDTO",
    *contract.references(contract.definitions()["UpdateToolDTO"]), "CreatePhoneNumberDTO",
    *contract.references(contract.definitions()["UpdatePhoneNumberDTO"]), "CreateChatDTO", "CreateWebChatDTO",
    "CreateSessionDTO", "UpdateSessionDTO", "OpenAIResponsesRequest",
)  # fmt: skip
"""The types of the bodies of POST and PATCH."""
NAME = "nonsense"
Where = tuple[str, ...]


def places(schema: dict[str, Any]) -> Iterator[tuple[dict[str, Any], Where]]:
    """Yield the types that a value of this type holds directly, each with its path in it."""
    schema = resolved(schema)
    for name, inner in schema.get("properties", {}).items():
        for one, more in members(inner):
            yield one, (name, *more)


def members(schema: dict[str, Any]) -> Iterator[tuple[dict[str, Any], Where]]:
    if "$ref" in schema and not {"oneOf", "anyOf"} & resolved(schema).keys():
        yield schema, ()
        return
    schema = resolved(schema)
    for one in schema.get("oneOf", schema.get("anyOf", ())):
        yield from members(one)
    if "items" in schema:
        for one, more in members(schema["items"]):
            yield one, ("0", *more)
    if "properties" in schema:
        yield schema, ()


@cache
def reached(body: str) -> dict[str, tuple[tuple[dict[str, Any], Where], ...]]:
    """Return the chains of types from a body to each type in it: by the type's name."""
    chains: dict[str, tuple[tuple[dict[str, Any], Where], ...]] = {}
    waiting = [((one, more),) for one, more in members({"$ref": f"#/$defs/{body}"})]
    while waiting:
        chain = waiting.pop(0)
        schema = chain[-1][0]
        name = str(schema.get("$ref", id(schema)))
        if name not in chains:
            chains[name] = chain
            waiting += [(*chain, place) for place in places(schema)]
    return chains


def placed(value: Any, where: Where, inner: Any) -> Any:
    """Return a value with another one at a path in it."""
    if not where:
        return inner
    if where[0] == "0":
        return [placed(None, where[1:], inner)]
    return {**value, where[0]: placed(value.get(where[0]), where[1:], inner)}


def smallest(schema: dict[str, Any]) -> Any:
    """Return the smallest value of a type, with the field that tells it from the other members of a union."""
    fields = resolved(schema).get("properties", {})
    tags = {
        name: fields[name]["enum"][0] for name in ("type", "provider") if len(fields.get(name, {}).get("enum", ())) == 1
    }
    return tags | least(schema)


def holding(chain: tuple[tuple[dict[str, Any], Where], ...], name: str) -> tuple[Any, str]:
    """Return the smallest value with a field of this name in the type at the end of a chain, and that type's path."""
    value: Any = {**smallest(chain[-1][0]), name: 1}
    for (outer, _), (_, where) in zip(reversed(chain[:-1]), reversed(chain[1:]), strict=True):
        value = placed(smallest(outer), where, value)
    return value, "".join(f"{part}." for _, where in chain[1:] for part in where)


@pytest.mark.parametrize("body", BODIES)
def test_an_unknown_field_is_refused_by_name_in_each_type_of_a_body(body: str) -> None:
    seen = 0
    for reference, chain in reached(body).items():
        schema = resolved(chain[-1][0])
        name = reference.removeprefix("#/$defs/")
        value, within = holding(chain, NAME)
        texts = [sentence(path, text) for path, text in contract.problems(body, value, closed=True).items()]
        free = name in FREE or not schema.get("properties") or "additionalProperties" in schema
        if not free:
            assert f"{within}property {NAME} should not exist" in texts, (reference, value, texts)
            seen += 1
        assert NAME not in str(contract.problems(body, value))
    assert seen >= 1


@settings(max_examples=100)
@given(
    name=st.text(min_size=1, max_size=300).filter(
        lambda name: name not in contract.definitions()["StopSpeakingPlan"]["properties"]
    )
)
def test_any_name_is_refused(name: str) -> None:
    found = contract.problems("CreateAssistantDTO", {"stopSpeakingPlan": {name: None}}, closed=True)
    texts = [sentence(path, text) for path, text in found.items()]
    assert texts == [f"stopSpeakingPlan.property {name[:LONGEST_NAME]} should not exist"]


def refusal(model: type[WireModel], body: dict[str, Any]) -> list[str] | str:
    with pytest.raises(WireError) as caught:
        parse_request(model, body)
    assert caught.value.status == 400
    return caught.value.messages


OPENAI: dict[str, Any] = {"provider": "openai", "model": "gpt-4o"}


TYPOS: list[tuple[type[WireModel], dict[str, Any], list[str]]] = [
    (Assistant, {"model": {**OPENAI, "systemPrompt": "Hi."}}, ["model.property systemPrompt should not exist"]),
    (Assistant, {"model": {**OPENAI, "functions": []}}, ["model.property functions should not exist"]),
    (
        Assistant,
        {"model": {**OPENAI, "tools": [{"type": "endCall", "mesages": []}]}},
        ["model.tools.0.property mesages should not exist"],
    ),
    (
        Assistant,
        {"hooks": [{"on": "call.ending", "do": [{"type": "say", "exact": "Bye.", "wait": 1}]}]},
        ["hooks.0.do.0.property wait should not exist"],
    ),
    (Assistant, {"stopSpeakingPlan": {"numWord": 3}}, ["stopSpeakingPlan.property numWord should not exist"]),
    (AssistantOverrides, {"server": {"uri": "x"}}, ["server.property uri should not exist"]),
    (
        CreateCall,
        {"assistant": {"nonsense": 1}, "assistantOverrides": {"firstMesage": "x"}, "customer": {"phone": "1"}},
        [
            "assistant.property nonsense should not exist",
            "assistantOverrides.property firstMesage should not exist",
            "customer.property phone should not exist",
        ],
    ),
    (
        Squad,
        {"members": [{"assistant": {"nam": 1}, "nonsense": 1}], "membersOverrides": {"nonsense": 1}},
        [
            "members.0.assistant.property nam should not exist",
            "members.0.property nonsense should not exist",
            "membersOverrides.property nonsense should not exist",
        ],
    ),
    (
        Ring,
        {"customer": {"nam": "Ada"}, "transport": {"x": 1}},
        [
            "customer.property nam should not exist",
            "transport.property x should not exist",
        ],
    ),
]


@pytest.mark.parametrize(("model", "body", "messages"), TYPOS)
def test_a_typo_is_told(model: type[WireModel], body: dict[str, Any], messages: list[str]) -> None:
    assert sorted(refusal(model, body)) == sorted(messages)


def test_a_tools_typo_is_told() -> None:
    with pytest.raises(WireError, match=r"^function\.property parameter should not exist$"):
        parse_tool({"type": "function", "function": {"name": "a", "parameter": {}}})


def test_contents_of_the_owners_own_are_free() -> None:
    free = {"any": {"thing": [1]}}
    parameters: dict[str, Any] = {
        "type": "object",
        "$schema": "x",
        "additionalProperties": False,
        "properties": {"a": {"examples": []}},
    }
    parse_request(
        AssistantOverrides,
        {
            "metadata": free,
            "variableValues": free,
            "server": {"url": "https://example.org", "headers": {"X-Any": "1"}},
            "model": {
                **OPENAI,
                "tools": [{"type": "function", "function": {"name": "a", "parameters": parameters}}],
            },
            "analysisPlan": {"structuredDataPlan": {"schema": {"type": "object", "x-any": 1}}},
        },
    )


def test_what_was_stored_before_is_no_problem() -> None:
    stored = {"stopSpeakingPlan": {"numWord": 3}, "model": {**OPENAI, "systemPrompt": "Hi."}}
    parse_request(Assistant, stored, closed=False)
    parse_request(Assistant, stored, closed={"name"})
    with pytest.raises(WireError, match=r"^model\.property systemPrompt should not exist$"):
        parse_request(Assistant, stored, closed={"model"})


@pytest.mark.parametrize(
    ("model", "name"),
    [
        (Assistant, "CreateAssistantDTO"),
        (AssistantOverrides, "AssistantOverrides"),
        (Server, "Server"),
        (OpenAIMessage, "OpenAIMessage"),
        (StopSpeakingPlan, "StopSpeakingPlan"),
        (StartSpeakingPlan, "StartSpeakingPlan"),
        (MonitorPlan, "MonitorPlan"),
        (ArtifactPlan, "ArtifactPlan"),
    ],
)
def test_fields_that_the_server_reads_are_accepted(model: type[WireModel], name: str) -> None:
    known = contract.definitions()[name]["properties"].keys() | accepted_fields(name).keys()
    assert model.wire_names() <= known


def test_each_exception_has_a_type_a_reason_and_is_not_declared() -> None:
    for one in ACCEPTED:
        types = [name for name in contract.definitions() if one.fields <= accepted_fields(name).keys()]
        assert types, one
        assert one.reason
        declared = [contract.definitions()[name].get("properties", {}).keys() for name in types]
        assert not frozenset.intersection(*map(frozenset, declared)) & one.fields, one
    assert FREE.keys() <= contract.definitions().keys()
