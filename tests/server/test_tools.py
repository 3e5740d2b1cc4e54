"""`/tool` behaves as in Vapi's API."""

from typing import Any

import httpx
import pytest

from bargein.wire.tools import TOOLS
from tests.server.conftest import OWNER, VISITOR, Serve
from tests.vapi_schema import fill, problems, types

pytestmark = pytest.mark.anyio

FUNCTION: dict[str, Any] = {
    "type": "function",
    "async": False,
    "function": {
        "name": "look_up-42",
        "description": "Finds an order.",
        "strict": True,
        "parameters": {
            "type": "object",
            "properties": {"order": {"type": "string", "default": None}},
            "required": ["order"],
            "additionalProperties": False,
        },
    },
    "messages": [
        {"type": "request-start", "content": "One moment.", "blocking": True},
        {"type": "request-response-delayed", "content": "Still looking.", "timingMilliseconds": 2000},
        {"type": "request-complete", "role": "system", "content": "done"},
        {"type": "request-failed", "content": "Sorry.", "endCallAfterSpokenEnabled": False},
    ],
    "server": {"url": "https://example.org/tool", "timeoutSeconds": 5},
    "parameters": [{"key": "shop", "value": {"id": 1}}],
}
NEEDED: dict[str, dict[str, Any]] = {
    "apiRequest": {"method": "POST", "url": "https://example.org", "body": {"type": "object", "default": None}},
    "code": {"code": "return 1"},
    "bash": {"subType": "bash_20241022", "name": "bash"},
    "computer": {
        "subType": "computer_20241022",
        "name": "computer",
        "displayWidthPx": 800,
        "displayHeightPx": 600,
    },
    "textEditor": {"subType": "text_editor_20241022", "name": "str_replace_editor"},
    "sipRequest": {"verb": "INFO", "body": "Signal=1"},
    "transferCall": {"destinations": [{"type": "number", "number": "+14155550100"}]},
    "mcp": {"server": {"url": "https://example.org/mcp"}, "metadata": {"protocol": "shttp"}},
}
"""The fields that a tool of a type must have, or is given here to come back."""


async def make(client: httpx.AsyncClient, body: dict[str, Any]) -> dict[str, Any]:
    answer = await client.post("/tool", json=body)
    assert answer.status_code == 201, answer.text
    return answer.json()


def refusal(answer: httpx.Response) -> list[str]:
    assert answer.status_code == 400
    body = answer.json()
    assert (body["error"], body["statusCode"]) == ("Bad Request", 400)
    return body["message"]


async def test_a_tool_is_created_changed_and_deleted(client: httpx.AsyncClient) -> None:
    tool = await make(client, {**FUNCTION, "rejectionPlan": None})
    assert tool == {**FUNCTION, **{name: tool[name] for name in ("id", "orgId", "createdAt", "updatedAt")}}
    path = f"/tool/{tool['id']}"
    assert (await client.get(path)).json() == tool
    assert (await client.get("/tool")).json() == [tool]

    function = {"name": "other", "description": None}
    patched = await client.patch(path, json={"function": function, "messages": None, "type": "function"})
    assert patched.status_code == 200
    assert patched.json()["function"] == {"name": "other"}  # replaced as a whole, not merged
    assert "messages" not in patched.json()
    assert patched.json()["server"] == FUNCTION["server"]
    assert (await client.get(path)).json() == patched.json()

    assert (await client.delete(path)).json() == patched.json()
    for method in ("GET", "PATCH", "DELETE"):
        answer = await client.request(method, path, json={} if method == "PATCH" else None)
        assert answer.status_code == 404
        assert answer.json()["message"] == f"There is no tool with the id {tool['id']}."


@pytest.mark.parametrize("kind", TOOLS)
async def test_every_type_of_tool_is_stored(client: httpx.AsyncClient, kind: str) -> None:
    body = {"type": kind, **NEEDED.get(kind, {}), "messages": [{"type": "request-start", "content": "So."}]}
    tool = await make(client, body)
    assert {name: tool[name] for name in body} == body
    patched = await client.patch(f"/tool/{tool['id']}", json={"messages": []})
    assert {name: patched.json()[name] for name in body} == {**body, "messages": []}
    other = "endCall" if kind != "endCall" else "dtmf"
    said = refusal(await client.patch(f"/tool/{tool['id']}", json={"type": other}))
    assert said == [f"type must be one of the following values: {kind}"]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ([], ["the body must be a JSON object"]),
        ({}, ["type should not be null or undefined"]),
        ({"type": "magic"}, [f"type must be one of the following values: {', '.join(TOOLS)}"]),
        ({"type": {}}, [f"type must be one of the following values: {', '.join(TOOLS)}"]),
        (
            {"type": "function", "magic": 1, "id": "x"},
            ["property magic should not exist", "property id should not exist"],
        ),
        ({"type": "function", "function": {}}, ["function.name should not be null or undefined"]),
        (
            {"type": "function", "function": {"name": "two words"}},
            ["function.name must match /^[a-zA-Z0-9_-]{1,64}$/ regular expression"],
        ),
        (
            {"type": "function", "function": {"name": "x" * 65}},
            ["function.name must match /^[a-zA-Z0-9_-]{1,64}$/ regular expression"],
        ),
        (
            {"type": "function", "function": {"name": "x\n"}},
            ["function.name must match /^[a-zA-Z0-9_-]{1,64}$/ regular expression"],
        ),
        (
            {"type": "function", "function": {"name": "x", "strict": "yes", "parameters": {"type": "array"}}},
            [
                "function.parameters.type must be one of the following values: object",
                "function.parameters.properties should not be null or undefined",
                "function.strict must be a boolean value",
            ],
        ),
        ({"type": "function", "async": 1}, ["async must be a boolean value"]),
        ({"type": "function", "server": {"url": "x"}}, ["server.url must be a URL address"]),
        (
            {"type": "function", "messages": [{"type": "said"}]},
            [
                (
                    "messages.0.type must be one of the following values: "
                    "request-start, request-complete, request-failed, request-response-delayed"
                )
            ],
        ),
        (
            {"type": "endCall", "messages": [{"type": "request-start", "content": "x" * 1001}]},
            ["messages.0.content must be shorter than or equal to 1000 characters"],
        ),
        (
            {"type": "dtmf", "messages": [{"type": "request-response-delayed", "timingMilliseconds": 99}]},
            ["messages.0.timingMilliseconds must not be less than 100"],
        ),
        ({"type": "function", "parameters": [{"key": "k"}]}, ["parameters.0.value should not be null or undefined"]),
        (
            {"type": "apiRequest", "method": "HEAD", "timeoutSeconds": 301},
            [
                "method must be one of the following values: POST, GET, PUT, PATCH, DELETE",
                "url should not be null or undefined",
                "timeoutSeconds must not be greater than 300",
            ],
        ),
        ({"type": "code"}, ["code should not be null or undefined"]),
        ({"type": "sms", "destinations": []}, ["property destinations should not exist"]),
    ],
)
async def test_an_invalid_tool_is_refused_in_vapis_words(
    client: httpx.AsyncClient, body: Any, message: list[str]
) -> None:
    assert refusal(await client.post("/tool", json=body)) == message
    assert (await client.get("/tool")).json() == []


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ("x", "the body must be a JSON object"),
        ({"type": None}, "type should not be null or undefined"),
        ({"function": {"description": "nameless"}}, "function.name should not be null or undefined"),
        ({"url": "https://example.org"}, "property url should not exist"),
        ({"createdAt": "2026-01-01"}, "property createdAt should not exist"),
        ({"id": None}, "property id should not exist"),
    ],
)
async def test_an_invalid_change_is_refused_and_changes_nothing(
    client: httpx.AsyncClient, changes: Any, message: str
) -> None:
    tool = await make(client, FUNCTION)
    path = f"/tool/{tool['id']}"
    assert refusal(await client.patch(path, json=changes)) == [message]
    assert (await client.get(path)).json() == tool


async def test_the_list_is_bare_newest_first_and_filtered(client: httpx.AsyncClient) -> None:
    made = [await make(client, {"type": "endCall"}) for _ in range(3)]
    listed = (await client.get("/tool")).json()
    assert {tool["id"] for tool in listed} == {tool["id"] for tool in made}
    assert [t["createdAt"] for t in listed] == sorted((t["createdAt"] for t in made), reverse=True)
    assert len((await client.get("/tool?limit=2")).json()) == 2
    assert (await client.get("/tool?createdAtGt=2100-01-01")).json() == []
    assert refusal(await client.get("/tool?limit=1001")) == ["limit must not be greater than 1000"]


async def test_tools_survive_a_restart(serve: Serve) -> None:
    async with serve() as client:
        made = await make(client, FUNCTION)
    async with serve() as client:
        assert (await client.get(f"/tool/{made['id']}")).json() == made


@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", "/tool"), ("GET", "/tool"), ("GET", "/tool/x"), ("PATCH", "/tool/x"), ("DELETE", "/tool/x")],
)
async def test_the_public_key_is_refused(client_with_keys: httpx.AsyncClient, method: str, path: str) -> None:
    async def status(headers: dict[str, str]) -> int:
        return (await client_with_keys.request(method, path, headers=headers)).status_code

    assert await status(OWNER) not in (401, 403)
    assert await status(VISITOR) == 403
    assert await status({}) == 401


def of_vapi(kind: str) -> str:
    """Return the name of a type of tool in Vapi's schema."""
    for choice in types()["CreateToolDTO"]["anyOf"]:
        name = choice["$ref"].rpartition("/")[2]
        if kind in types()[name]["properties"]["type"]["enum"]:
            return name.removeprefix("Create").removesuffix("DTO")
    raise AssertionError(kind)


@pytest.mark.parametrize("kind", TOOLS)
async def test_a_tool_with_every_field_is_returned_in_vapis_structure(client: httpx.AsyncClient, kind: str) -> None:
    name = of_vapi(kind)
    whole = fill(f"Create{name}DTO", lambda _: False, "")
    for place in (whole, whole.get("server", {})):
        place.update({"url": "https://example.org"} if "url" in place else {})
    tool = await make(client, whole)
    assert {field: tool[field] for field in whole} == whole
    assert problems(name, tool) == []


def test_all_of_vapis_types_of_tools_are_known() -> None:
    members = [choice["$ref"].rpartition("/")[2] for choice in types()["CreateToolDTO"]["anyOf"]]
    assert {of_vapi(kind) for kind in TOOLS} == {name[len("Create") : -len("DTO")] for name in members}
    assert {kind for name in members for kind in types()[name]["properties"]["type"]["enum"]} == set(TOOLS)
