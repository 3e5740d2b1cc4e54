"""`/phone-number` and `/v2/phone-number` behave as in Vapi's API."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest

from bargein.store.vault import Vault, key_in
from tests.server.conftest import OWNER, VISITOR, Serve
from tests.vapi_schema import problems

pytestmark = pytest.mark.anyio

HUSH = "hush-hush-hush-hush-hush"
"""Every secret of this module: no answer may hold it."""

TWILIO: dict[str, Any] = {
    "provider": "twilio",
    "number": "+14155550100",
    "twilioAccountSid": "AC1",
    "twilioAuthToken": HUSH,
    "twilioApiKey": "SK1",
    "twilioApiSecret": HUSH,
    "smsEnabled": False,
    "name": "Front desk",
}
VONAGE: dict[str, Any] = {"provider": "vonage", "number": "+14155550101", "credentialId": "c"}
TELNYX: dict[str, Any] = {"provider": "telnyx", "number": "+14155550102", "credentialId": "c"}
VAPI: dict[str, Any] = {
    "provider": "vapi",
    "sipUri": "sip:front@example.org",
    "authentication": {"realm": "example.org", "username": "u" * 20, "password": HUSH},
    "server": {"url": "https://example.org/hook", "timeoutSeconds": 20},
}
BYO: dict[str, Any] = {
    "provider": "byo-phone-number",
    "credentialId": "c",
    "number": "1234",
    "numberE164CheckEnabled": False,
    "fallbackDestination": {"type": "number", "number": "+14155550109"},
    "hooks": [{"on": "call.ringing", "do": [{"type": "say", "exact": "One moment."}]}],
}
KINDS = {"Twilio": TWILIO, "Vonage": VONAGE, "Telnyx": TELNYX, "Vapi": VAPI, "Byo": BYO}
UNSEEN = {"twilioAuthToken", "twilioApiSecret", "authentication"}
PROVIDERS = "provider must be one of the following values: twilio, vonage, telnyx, vapi, byo-phone-number"


async def make(client: httpx.AsyncClient, body: dict[str, Any]) -> dict[str, Any]:
    answer = await client.post("/phone-number", json=body)
    assert answer.status_code == 201, answer.text
    return answer.json()


def documents(data_dir: Path) -> dict[str, Any]:
    with closing(sqlite3.connect(data_dir / "bargein.db")) as connection:
        rows = connection.execute("SELECT id, document FROM phone_numbers").fetchall()
    return {record_id: json.loads(document) for record_id, document in rows}


def refusal(answer: httpx.Response) -> list[str]:
    assert answer.status_code == 400
    body = answer.json()
    assert (body["error"], body["statusCode"]) == ("Bad Request", 400)
    assert HUSH not in answer.text
    return body["message"]


@pytest.mark.parametrize("body", KINDS.values(), ids=KINDS)
async def test_a_phone_number_is_created_changed_and_deleted(client: httpx.AsyncClient, body: dict[str, Any]) -> None:
    number = await make(client, body)
    given = {name: value for name, value in body.items() if name not in UNSEEN}
    own = {name: number[name] for name in ("id", "orgId", "createdAt", "updatedAt")}
    assert number == {**given, **own, "status": "active"}

    path = f"/phone-number/{number['id']}"
    assert (await client.get(path)).json() == number
    assert (await client.get("/phone-number")).json() == [number]

    patched = await client.patch(path, json={"name": "Back door", "server": {"url": "https://example.org/other"}})
    assert patched.status_code == 200
    assert patched.json() == {
        **number,
        "name": "Back door",
        "server": {"url": "https://example.org/other"},
        "updatedAt": patched.json()["updatedAt"],
    }
    without = await client.patch(path, json={"name": None, "provider": body["provider"]})
    assert "name" not in without.json()

    assert (await client.delete(path)).json() == without.json()
    for method in ("GET", "PATCH", "DELETE"):
        answer = await client.request(method, path, json={} if method == "PATCH" else None)
        assert answer.status_code == 404
        assert answer.json()["message"] == f"There is no phone number with the id {number['id']}."


@pytest.mark.parametrize("body", [TWILIO, VAPI], ids=["Twilio", "Vapi"])
async def test_secrets_are_stored_and_never_returned(serve: Serve, tmp_path: Path, body: dict[str, Any]) -> None:
    async with serve() as client:
        made = await client.post("/phone-number", json=body)
        path = f"/phone-number/{made.json()['id']}"
        seen = [
            made,
            await client.get(path),
            await client.patch(path, json={"name": "x"}),
            await client.get("/phone-number"),
            await client.get("/v2/phone-number"),
        ]
        assert all(answer.is_success for answer in seen)
        assert not any(HUSH in answer.text for answer in seen)
        sealed = documents(tmp_path)[made.json()["id"]]
        assert HUSH not in json.dumps(sealed)
        stored = Vault([key_in(tmp_path)]).open(sealed)
        assert {**stored, **body, "name": "x"} == stored
        gone = await client.delete(path)
        assert gone.is_success
        assert HUSH not in gone.text
    assert documents(tmp_path) == {}


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ([], ["the body must be a JSON object"]),
        ({}, ["provider should not be null or undefined"]),
        ({"provider": None, "number": "+1"}, ["provider should not be null or undefined"]),
        ({"provider": "att"}, [PROVIDERS]),
        ({"provider": ["twilio"]}, [PROVIDERS]),
        (
            {"provider": "twilio", "twilioAuthToken": HUSH},
            ["number should not be null or undefined", "twilioAccountSid should not be null or undefined"],
        ),
        ({"provider": "vonage", "number": "+1"}, ["credentialId should not be null or undefined"]),
        ({"provider": "telnyx", "credentialId": "c"}, ["number should not be null or undefined"]),
        ({"provider": "byo-phone-number"}, ["credentialId should not be null or undefined"]),
        (
            {"provider": "vapi", "numberDesiredAreaCode": "41"},
            ["numberDesiredAreaCode must be longer than or equal to 3 characters"],
        ),
        (
            {"provider": "vapi", "authentication": {"username": "u" * 20, "password": HUSH[:19]}},
            ["authentication.password must be longer than or equal to 20 characters"],
        ),
        (
            {**VONAGE, "twilioAuthToken": HUSH, "status": "active", "id": "mine", "name": "x" * 41},
            [
                "property twilioAuthToken should not exist",
                "property status should not exist",
                "property id should not exist",
                "name must be shorter than or equal to 40 characters",
            ],
        ),
        ({**TWILIO, "smsEnabled": "yes"}, ["smsEnabled must be a boolean value"]),
        ({**TWILIO, "assistantId": "nobody"}, ["There is no assistant with the id nobody."]),
        ({**TWILIO, "server": {"url": "nowhere"}}, ["server.url must be a URL address"]),
    ],
)
async def test_an_invalid_number_is_refused_in_vapis_words(
    client: httpx.AsyncClient, body: Any, message: list[str]
) -> None:
    said = refusal(await client.post("/phone-number", json=body))
    assert (said if isinstance(said, list) else [said]) == message
    assert (await client.get("/phone-number")).json() == []


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ([], "the body must be a JSON object"),
        ({"provider": "vonage"}, "provider must be one of the following values: twilio"),
        ({"provider": None}, "provider should not be null or undefined"),
        ({"number": None}, "number should not be null or undefined"),
        ({"twilioAccountSid": 5}, "twilioAccountSid must be a string"),
        ({"credentialId": "c"}, "property credentialId should not exist"),
        ({"status": "blocked"}, "property status should not exist"),
        ({"status": None}, "property status should not exist"),
        ({"numberDesiredAreaCode": "415"}, "property numberDesiredAreaCode should not exist"),
        ({"assistantId": "nobody"}, "There is no assistant with the id nobody."),
        ({"orgId": "mine"}, "property orgId should not exist"),
        ({"authentication": {"password": HUSH}}, "property authentication should not exist"),
    ],
)
async def test_an_invalid_change_is_refused_and_changes_nothing(
    client: httpx.AsyncClient, changes: Any, message: str
) -> None:
    number = await make(client, TWILIO)
    path = f"/phone-number/{number['id']}"
    said = refusal(await client.patch(path, json=changes))
    assert said in ([message], message)
    assert (await client.get(path)).json() == number


async def test_the_assistant_of_a_number_must_exist(client: httpx.AsyncClient) -> None:
    assistant = (await client.post("/assistant", json={"name": "Ada"})).json()["id"]
    number = await make(client, {**VONAGE, "assistantId": assistant})
    assert number["assistantId"] == assistant
    await client.delete(f"/assistant/{assistant}")
    path = f"/phone-number/{number['id']}"
    assert (await client.patch(path, json={"name": "still there"})).json()["assistantId"] == assistant
    assert "assistantId" not in (await client.patch(path, json={"assistantId": None})).json()


async def test_numbers_survive_a_restart(serve: Serve) -> None:
    async with serve() as client:
        made = await make(client, TWILIO)
    async with serve() as client:
        assert (await client.get(f"/phone-number/{made['id']}")).json() == made


async def test_the_list_is_bare_newest_first_and_filtered(client: httpx.AsyncClient) -> None:
    made = [await make(client, body) for body in (TWILIO, VONAGE, TELNYX)]
    listed = (await client.get("/phone-number")).json()
    assert {number["id"] for number in listed} == {number["id"] for number in made}
    assert [n["createdAt"] for n in listed] == sorted((n["createdAt"] for n in made), reverse=True)
    assert len((await client.get("/phone-number?limit=2")).json()) == 2
    assert (await client.get("/phone-number?createdAtGt=2100-01-01")).json() == []
    assert len((await client.get("/phone-number?updatedAtLe=2100-01-01")).json()) == 3
    assert refusal(await client.get("/phone-number?limit=1001")) == ["limit must not be greater than 1000"]


async def test_numbers_come_in_pages(client: httpx.AsyncClient) -> None:
    made = [await make(client, {**VONAGE, "name": f"n{index}"}) for index in range(5)]

    async def page(query: str) -> dict[str, Any]:
        answer = await client.get(f"/v2/phone-number?{query}")
        assert answer.status_code == 200
        return answer.json()

    pages = [await page(f"limit=2&page={index}") for index in (1, 2, 3, 4)]
    assert [len(found["results"]) for found in pages] == [2, 2, 1, 0]
    ids = [number["id"] for found in pages for number in found["results"]]
    assert sorted(ids) == sorted(number["id"] for number in made)
    assert pages[1]["metadata"] == {
        "itemsPerPage": 2,
        "totalItems": 5,
        "currentPage": 2,
        "totalPages": 3,
        "hasNextPage": True,
        "sortOrder": "DESC",
    }
    assert pages[2]["metadata"]["hasNextPage"] is False
    oldest_first = await page("sortOrder=ASC&sortBy=createdAt")
    assert [number["id"] for number in oldest_first["results"]] == ids[::-1]
    assert oldest_first["metadata"]["itemsPerPage"] == 100
    assert (await page("limit=0"))["metadata"]["totalItems"] == 5
    assert (await page(f"page={10**30}"))["results"] == []
    assert (await page("createdAtGt=2100-01-01"))["metadata"]["totalItems"] == 0


async def test_numbers_are_searched(client: httpx.AsyncClient) -> None:
    for body in (TWILIO, VAPI, {**BYO, "name": "50%_off"}):
        await make(client, body)

    async def found(search: str) -> list[str]:
        answer = await client.get("/v2/phone-number", params={"search": search})
        body = answer.json()
        assert body["metadata"]["totalItems"] == len(body["results"])
        return sorted(number["provider"] for number in body["results"])

    assert await found("front") == ["twilio", "vapi"]  # a name, and a SIP address
    assert await found("+1415") == ["twilio"]
    assert await found("%") == ["byo-phone-number"]  # a letter like any other
    assert await found("_") == ["byo-phone-number"]
    assert await found("") == ["byo-phone-number", "twilio", "vapi"]
    assert await found(HUSH) == []


@pytest.mark.parametrize("path", ["/v2/phone-number", "/v2/call"])
@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("page=0", "page must not be less than 1"),
        ("page=one", "page must be an integer number"),
        ("limit=1001", "limit must not be greater than 1000"),
        ("sortOrder=up", "sortOrder must be one of the following values: ASC, DESC"),
        ("sortBy=name", "sortBy must be one of the following values: createdAt, duration, cost"),
    ],
)
async def test_an_invalid_page_is_refused(client: httpx.AsyncClient, path: str, query: str, message: str) -> None:
    assert refusal(await client.get(f"{path}?{query}")) == [message]


async def test_a_search_is_short(client: httpx.AsyncClient) -> None:
    said = refusal(await client.get("/v2/phone-number", params={"search": "x" * 101}))
    assert said == ["search must be shorter than or equal to 100 characters"]


async def test_calls_come_in_pages(client: httpx.AsyncClient) -> None:
    body = {"assistant": {"name": "Ada"}, "transport": {"provider": "vapi.websocket"}}
    stored = (await client.post("/assistant", json={})).json()["id"]
    made = [(await client.post("/call", json=body)).json() for _ in range(2)]
    made.append((await client.post("/call", json={**body, "assistant": None, "assistantId": stored})).json())
    page = (await client.get("/v2/call?limit=2")).json()
    assert page["metadata"]["totalItems"] == 3
    assert len(page["results"]) == 2
    assert (await client.get(f"/v2/call?assistantId={stored}")).json()["results"] == [made[2]]
    assert (await client.get(f"/v2/call?id={made[0]['id']}")).json()["results"] == [made[0]]
    assert (await client.get("/v2/call?phoneNumberId=x")).json()["metadata"]["totalItems"] == 0


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/phone-number"),
        ("GET", "/phone-number"),
        ("GET", "/phone-number/x"),
        ("PATCH", "/phone-number/x"),
        ("DELETE", "/phone-number/x"),
        ("GET", "/v2/phone-number"),
        ("GET", "/v2/call"),
    ],
)
async def test_the_public_key_is_refused(client_with_keys: httpx.AsyncClient, method: str, path: str) -> None:
    async def status(headers: dict[str, str]) -> int:
        return (await client_with_keys.request(method, path, headers=headers)).status_code

    assert await status(OWNER) not in (401, 403)
    assert await status(VISITOR) == 403
    assert await status({}) == 401


@pytest.mark.parametrize("kind", KINDS)
async def test_responses_have_vapis_structure(client: httpx.AsyncClient, kind: str) -> None:
    number = await make(client, KINDS[kind])
    assert problems(f"{kind}PhoneNumber", number) == []
    patched = (await client.patch(f"/phone-number/{number['id']}", json={"name": "x"})).json()
    assert problems(f"{kind}PhoneNumber", patched) == []
    page = (await client.get("/v2/phone-number")).json()
    assert page["results"] == [patched]
    assert problems("PhoneNumberPaginatedResponse", page) == []
    await client.post("/call/web", json={"assistant": {}})
    calls = (await client.get("/v2/call")).json()
    assert len(calls["results"]) == 1
    assert problems("CallPaginatedResponse", calls) == []
