"""`/assistant` behaves as in Vapi's API."""

from typing import Any

import httpx
import pytest

from tests.server.conftest import Serve

pytestmark = pytest.mark.anyio

WHOLE: dict[str, Any] = {
    "name": "Ada",
    "firstMessage": "Hello.",
    "model": {
        "provider": "custom-llm",
        "url": "https://example.org/v1",
        "model": "m",
        "headers": {"x-key": "mine"},
        "messages": [{"role": "system", "content": "be kind"}],
    },
    "voice": {"provider": "custom-voice", "server": {"url": "https://example.org/say", "secret": "mine"}},
    "stopSpeakingPlan": {"numWords": 0, "voiceSeconds": 0.2},
    "metadata": {"a": [1, None], "later": {"kept": True}},
}


async def test_an_assistant_is_created_changed_and_deleted(client: httpx.AsyncClient) -> None:
    made = await client.post("/assistant", json=WHOLE)
    assert made.status_code == 201
    assistant = made.json()
    assert {**WHOLE, **{k: assistant[k] for k in ("id", "orgId", "createdAt", "updatedAt")}} == assistant

    path = f"/assistant/{assistant['id']}"
    assert (await client.get(path)).json() == assistant

    patched = await client.patch(path, json={"stopSpeakingPlan": {"numWords": 3}, "firstMessage": None})
    assert patched.status_code == 200
    assert patched.json()["stopSpeakingPlan"] == {"numWords": 3}  # replaced as a whole, not merged
    assert "firstMessage" not in patched.json()
    assert patched.json()["model"] == WHOLE["model"]
    assert patched.json()["updatedAt"] >= assistant["updatedAt"]
    assert (await client.get(path)).json() == patched.json()

    gone = await client.delete(path)
    assert gone.status_code == 200
    assert gone.json() == patched.json()
    for method in ("GET", "PATCH", "DELETE"):
        answer = await client.request(method, path, json={} if method == "PATCH" else None)
        assert answer.status_code == 404
        assert answer.json() == {
            "message": f"There is no assistant with the id {assistant['id']}.",
            "error": "Not Found",
            "statusCode": 404,
        }


async def test_a_replacement_that_cannot_be_carried_out_is_refused_by_name(client: httpx.AsyncClient) -> None:
    replacement = {"type": "regex", "regex": "(?<=a)b", "value": "c"}
    voice = {"provider": "11labs", "voiceId": "x", "chunkPlan": {"formatPlan": {"replacements": [replacement]}}}
    answer = await client.post("/assistant", json={"voice": voice})
    assert answer.status_code == 400
    assert "voice.chunkPlan.formatPlan.replacements.0.regex must not have a lookbehind" in str(answer.json()["message"])


async def test_assistants_survive_a_restart(serve: Serve) -> None:
    async with serve() as client:
        made = (await client.post("/assistant", json=WHOLE)).json()
    async with serve() as client:
        assert (await client.get(f"/assistant/{made['id']}")).json() == made


async def test_the_list_is_bare_newest_first_and_filtered(client: httpx.AsyncClient) -> None:
    made = [(await client.post("/assistant", json={"name": str(n)})).json() for n in range(3)]
    listed = (await client.get("/assistant")).json()
    assert {assistant["id"] for assistant in listed} == {assistant["id"] for assistant in made}
    assert [a["createdAt"] for a in listed] == sorted((a["createdAt"] for a in made), reverse=True)
    assert len((await client.get("/assistant", params={"limit": 2})).json()) == 2
    assert (await client.get("/assistant", params={"limit": 0})).json() == []
    first = min(assistant["createdAt"] for assistant in made)
    assert (await client.get("/assistant", params={"createdAtLt": first})).json() == []
    assert len((await client.get("/assistant", params={"createdAtGe": first})).json()) == 3
    assert (await client.get("/assistant?createdAtGt=2100-01-01T00:00:00+02:00")).json() == []
    assert len((await client.get("/assistant?updatedAtLe=2100-01-01")).json()) == 3
    assert len((await client.get("/assistant?updatedAtGe=0001-01-01T00:00:00%2B23:59")).json()) == 3
    assert len((await client.get("/assistant?updatedAtGe=2025-01-01T00:00:00+01:00")).json()) == 3  # "+" not escaped


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("limit=1001", "limit must not be greater than 1000"),
        ("limit=-1", "limit must not be less than 0"),
        ("limit=many", "limit must be an integer number"),
        ("createdAtGt=yesterday", "createdAtGt must be a valid ISO 8601 date string"),
        ("updatedAtLe=2026-13-01", "updatedAtLe must be a valid ISO 8601 date string"),
    ],
)
async def test_an_invalid_filter_is_refused(client: httpx.AsyncClient, query: str, message: str) -> None:
    answer = await client.get(f"/assistant?{query}")
    assert answer.status_code == 400
    assert answer.json() == {"message": [message], "error": "Bad Request", "statusCode": 400}


async def test_an_invalid_assistant_is_refused_on_creation_and_change(client: httpx.AsyncClient) -> None:
    bad = {"name": "x" * 41, "stopSpeakingPlan": {"numWords": 99}, "id": "mine"}
    expected = [
        "property id should not exist",
        "name must be shorter than or equal to 40 characters",
        "stopSpeakingPlan.numWords must not be greater than 10",
    ]
    made = await client.post("/assistant", json=bad)
    assert (made.status_code, made.json()["message"]) == (400, expected)
    good = (await client.post("/assistant", json={"name": "a"})).json()
    changed = await client.patch(f"/assistant/{good['id']}", json=bad)
    assert (changed.status_code, changed.json()["message"]) == (400, expected)
    assert (await client.get(f"/assistant/{good['id']}")).json() == good
