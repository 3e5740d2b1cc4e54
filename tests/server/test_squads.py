"""`/squad` behaves as in Vapi's API."""

from typing import Any

import httpx
import pytest

from tests.server.conftest import OWNER, VISITOR

pytestmark = pytest.mark.anyio

INLINE = {"assistant": {"name": "Ada", "firstMessage": "Hello."}}
DESTINATION = {"type": "assistant", "assistantName": "Bob", "message": "One moment.", "description": "Knows."}


def refusal(answer: httpx.Response) -> Any:
    assert answer.status_code == 400
    return answer.json()["message"]


async def test_a_squad_is_created_changed_and_deleted(client: httpx.AsyncClient) -> None:
    bob = (await client.post("/assistant", json={"name": "Bob"})).json()["id"]
    body = {
        "name": "both",
        "members": [{**INLINE, "assistantDestinations": [DESTINATION]}, {"assistantId": bob}],
        "membersOverrides": {"firstMessage": "Hi."},
    }
    answer = await client.post("/squad", json=body)
    assert answer.status_code == 201, answer.text
    squad = answer.json()
    assert {name: squad[name] for name in body} == body
    path = f"/squad/{squad['id']}"
    assert (await client.get(path)).json() == squad
    assert (await client.get("/squad")).json() == [squad]
    assert (await client.get(f"/squad?idAny={squad['id']}&idAny=x")).json() == [squad]
    assert (await client.get("/squad?idAny=x")).json() == []

    changed = await client.patch(path, json={"members": [{"assistantId": bob}], "membersOverrides": None})
    assert changed.status_code == 200, changed.text
    assert changed.json()["members"] == [{"assistantId": bob}]
    assert (changed.json()["name"], "membersOverrides" in changed.json()) == ("both", False)
    assert (await client.delete(path)).json() == changed.json()
    assert (await client.get(path)).status_code == 404


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({}, ["members should not be null or undefined"]),
        ({"members": []}, ["members must contain at least 1 elements"]),
        ({"members": [{}]}, ["members.0 needs either assistantId or assistant"]),
        ({"members": [{**INLINE, "assistantId": "x"}]}, ["members.0 needs either assistantId or assistant"]),
        ({"members": [INLINE], "magic": 1}, ["property magic should not exist"]),
        (
            {"members": [{"assistant": {"stopSpeakingPlan": {"numWords": 11}}}]},
            ["members.0.assistant.stopSpeakingPlan.numWords must not be greater than 10"],
        ),
    ],
)
async def test_an_invalid_squad_is_refused(client: httpx.AsyncClient, body: Any, message: list[str]) -> None:
    assert refusal(await client.post("/squad", json=body)) == message
    assert (await client.get("/squad")).json() == []


async def test_the_assistant_of_a_member_must_exist(client: httpx.AsyncClient) -> None:
    nobody = {"members": [{"assistantId": "nobody"}]}
    assert refusal(await client.post("/squad", json=nobody)) == "There is no assistant with the id nobody."
    squad = (await client.post("/squad", json={"members": [INLINE]})).json()
    path = f"/squad/{squad['id']}"
    assert refusal(await client.patch(path, json=nobody)) == "There is no assistant with the id nobody."
    assert refusal(await client.patch(path, json={"members": None})) == ["members should not be null or undefined"]
    assert refusal(await client.patch(path, json={"id": "x"})) == ["property id should not exist"]
    assert (await client.get(path)).json() == squad


async def test_the_public_key_is_refused(client_with_keys: httpx.AsyncClient) -> None:
    for method, path in (("POST", ""), ("GET", ""), ("GET", "/x"), ("PATCH", "/x"), ("DELETE", "/x")):
        answers = [
            await client_with_keys.request(method, f"/squad{path}", headers=headers) for headers in (OWNER, VISITOR, {})
        ]
        assert answers[0].status_code not in (401, 403)
        assert [answer.status_code for answer in answers[1:]] == [403, 401]


async def test_a_pinned_version_of_an_assistant_is_refused(client: httpx.AsyncClient) -> None:
    """Running the latest version instead of the pinned one would use text that its owner has replaced."""
    kept = (await client.post("/assistant", json={"name": "Ada"})).json()["id"]
    why = "assistantVersion cannot be v3: this server keeps only the latest version of an assistant"
    call = {"assistantId": kept, "transport": {"provider": "vapi.websocket"}}
    for path, body, where in (
        ("/call", {**call, "assistantVersion": "v3"}, ""),
        ("/call/web", {"assistantId": kept, "assistantVersion": "v3"}, ""),
        ("/squad", {"members": [{"assistantId": kept, "assistantVersion": "v3"}]}, "members.0."),
    ):
        answer = await client.post(path, json=body)
        assert (answer.status_code, answer.json()["message"]) == (400, [f"{where}{why}"])
    assert (await client.post("/call", json={**call, "assistantVersion": None})).status_code == 201
