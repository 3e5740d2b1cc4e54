"""The published types are complete, self-contained and of the required structure."""

import json
from typing import Any

import httpx
import pytest
from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError

from bargein.server.api.schemas import names, schema_text
from bargein.wire import contract
from bargein.wire.client_messages import CLIENT_MESSAGES
from tests.server.conftest import VISITOR
from tests.structure import Difference, differences
from tests.vapi_schema import requirement

pytestmark = pytest.mark.anyio

SEED = "ClientMessageUserInterrupted"


async def test_all_types_are_listed_and_each_is_a_self_contained_schema(client: httpx.AsyncClient) -> None:
    listed = (await client.get("/schema")).json()
    assert set(listed) >= {
        SEED, "ClientMessageModelOutput", "ClientMessageStatusUpdate", "ServerMessageEndOfCallReport",
        "ClientInboundMessageSay", "Assistant", "Call", "CreateCallDTO", "PhoneNumber", "Tool", "Squad", "Chat",
    }  # fmt: skip
    parts: dict[str, Any] = {}
    for name in listed:
        answer = await client.get(f"/schema/{name}.json")
        assert answer.status_code == 200
        assert answer.headers["content-type"] == "application/schema+json"
        schema = answer.json()
        assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
        assert schema["title"] == name
        assert set(contract.references(schema)) <= set(schema["$defs"])
        parts |= schema.pop("$defs") | {name: schema}
    Draft202012Validator.check_schema({"$defs": parts})


async def test_a_schema_is_public_and_cached(client_with_keys: httpx.AsyncClient) -> None:
    first = await client_with_keys.get(f"/schema/{SEED}.json")
    assert first.headers["cache-control"] == "public, max-age=3600"
    assert first.headers["access-control-allow-origin"] == "*"
    again = await client_with_keys.get(f"/schema/{SEED}.json", headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    other = await client_with_keys.get("/schema/Call.json", headers={**VISITOR, "If-None-Match": first.headers["etag"]})
    assert other.status_code == 200


@pytest.mark.parametrize("name", ["Nothing", "EndedReason", "..%2F..%2Fetc%2Fpasswd", "ClientMessage.json"])
async def test_an_unpublished_type_is_not_found(client: httpx.AsyncClient, name: str) -> None:
    answer = await client.get(f"/schema/{name}.json")
    assert answer.status_code == 404
    assert answer.json()["error"] == "Not Found"


def test_the_schema_of_the_message_accepts_valid_and_refuses_invalid_ones() -> None:
    check = Draft202012Validator(json.loads(schema_text(SEED)))
    phone = {"provider": "twilio", "number": "+14155550123", "twilioAccountSid": "AC1"}
    whole = {
        "type": "user-interrupted",
        "turnId": "t1",
        "timestamp": 1,
        "assistantVersion": None,
        "phoneNumber": phone,
        "customer": {"number": "+14155550123"},
        "assistant": {
            "stopSpeakingPlan": {"numWords": 2},
            "transcriber": {"provider": "deepgram", "keywords": ["a:1"]},
        },
        "call": {"id": "c", "orgId": "o", "createdAt": "2026-01-01T00:00:00Z", "updatedAt": "2026-01-01T00:00:00Z"},
    }
    check.validate(whole)
    check.validate({"type": "user-interrupted"})
    for wrong in (
        {},
        {"type": "user-interrupted", "turnId": None},
        whole | {"type": "interrupted"},
        whole | {"timestamp": "1"},
        whole | {"phoneNumber": {**phone, "provider": "pigeon"}},
        whole | {"phoneNumber": {"provider": "twilio", "number": "1"}},
        whole | {"assistant": {"stopSpeakingPlan": {"numWords": 11}}},
        whole | {"call": {"id": "c"}},
    ):
        with pytest.raises(ValidationError):
            check.validate(wrong)


def test_the_message_has_the_required_structure() -> None:
    """The requirement refers to types by name; of what these are made, `contract.json` is held to Vapi's document."""
    types = contract.definitions()
    asked = json.loads(json.dumps(requirement()).replace("urn:vapi", ""))
    published = json.loads(schema_text(SEED))
    version = published["properties"].pop("assistantVersion")
    assert version == {"type": ["string", "null"]}
    assert len(published["$defs"]) >= 371
    assert differences(asked, types, published, published["$defs"], SEED) == set()

    published["$defs"]["StopSpeakingPlan"]["properties"]["numWords"]["maximum"] = 11
    published["properties"]["turnId"]["type"] = "number"
    published["required"] = []
    changed = differences(asked, types, published, published["$defs"], SEED)
    assert changed == {
        Difference("StopSpeakingPlan.numWords", "maximum"),
        Difference(f"{SEED}.turnId", "type"),
        Difference(SEED, "required"),
    }


@pytest.mark.parametrize("prefix", ["ClientMessage", "ServerMessage"])
def test_each_message_is_published_under_its_type(prefix: str) -> None:
    for kind, name in contract.messages(prefix).items():
        assert name in names()
        assert kind in json.loads(schema_text(name))["properties"]["type"]["enum"]


def test_each_message_that_is_sent_to_clients_is_published() -> None:
    assert set(CLIENT_MESSAGES) <= set(contract.messages("ClientMessage"))


def test_a_description_comes_from_the_docstring() -> None:
    assert json.loads(schema_text(SEED))["description"] == "The caller interrupted the assistant."


async def test_the_openapi_document_is_made_of_the_same_types(client: httpx.AsyncClient) -> None:
    document = (await client.get("/openapi.json")).json()
    types = document["components"]["schemas"]
    made = document["paths"]["/assistant"]["post"]
    answer = made["responses"]["201"]["content"]["application/json"]["schema"]
    assert answer == {"$ref": "#/components/schemas/Assistant"}
    published = json.loads(schema_text("Assistant"))
    assert types["Assistant"]["properties"].keys() == published["properties"].keys()
    body = made["requestBody"]["content"]["application/json"]["schema"]
    assert body["additionalProperties"] is False
    assert body["properties"]["stopSpeakingPlan"] == {"$ref": "#/components/schemas/StopSpeakingPlan"}
    assert body["properties"]["silenceTimeoutSeconds"] == {"type": "number", "minimum": 10, "maximum": 3600}
    paged = document["paths"]["/v2/call"]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
    assert paged == {"$ref": "#/components/schemas/CallPaginatedResponse"}
    referred = set(contract.references(document))
    assert {name.removeprefix("#/components/schemas/") for name in referred} <= types.keys()
