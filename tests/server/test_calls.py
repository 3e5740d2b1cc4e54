"""`/call` as Vapi's clients know it."""

from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest

from bargein.server.api import call_deletion
from bargein.store.journals import journal_path
from tests.server.conftest import OWNER, VISITOR, Serve

pytestmark = pytest.mark.anyio

SOCKET = {"provider": "vapi.websocket"}
INLINE: dict[str, Any] = {
    "name": "Ada",
    "model": {"provider": "custom-llm", "url": "https://u:p@example.org/v1", "model": "m", "headers": {"x": "hush"}},
    "server": {"url": "https://example.org/hook", "secret": "hush"},
    "credentials": [{"provider": "openai", "apiKey": "hush"}],
}


async def test_a_websocket_call_is_made_as_vapi_makes_it(client: httpx.AsyncClient) -> None:
    assistant = (await client.post("/assistant", json={"name": "Ada"})).json()
    body = {
        "assistantId": assistant["id"],
        "assistantOverrides": {"firstMessage": "hi"},
        "name": "a call",
        "metadata": {"ticket": 7},
        "customer": {"number": "+14155550123"},
        "transport": {**SOCKET, "audioFormat": {"format": "pcm_s16le", "container": "raw", "sampleRate": 24000}},
    }
    answer = await client.post("/call", json=body)
    assert answer.status_code == 201
    call = answer.json()
    call_id = call["id"]
    assert call == {
        **body,
        "id": call_id,
        "orgId": assistant["orgId"],
        "createdAt": call["createdAt"],
        "updatedAt": call["createdAt"],
        "type": "vapi.websocketCall",
        "status": "queued",
        "cost": 0,
        "transport": {
            **body["transport"],  # type: ignore[dict-item]  # a dict of dicts
            "conversationType": "voice",
            "websocketCallUrl": f"ws://127.0.0.1:8700/{call_id}/transport",
        },
        "monitor": {
            "listenUrl": f"ws://127.0.0.1:8700/{call_id}/listen",
            "controlUrl": f"http://127.0.0.1:8700/{call_id}/control",
        },
    }
    assert (await client.get(f"/call/{call_id}")).json() == call


@pytest.mark.parametrize(
    ("asked", "settled"),
    [
        (None, {"format": "pcm_s16le", "container": "raw", "sampleRate": 16000}),
        ({"format": "mulaw"}, {"format": "mulaw", "container": "raw", "sampleRate": 8000}),
        ({"format": "mulaw", "sampleRate": 48000}, {"format": "mulaw", "container": "raw", "sampleRate": 48000}),
    ],
)
async def test_the_settled_audio_format_is_told(
    client: httpx.AsyncClient, asked: dict[str, Any] | None, settled: dict[str, Any]
) -> None:
    transport = {**SOCKET, "audioFormat": asked} if asked else SOCKET
    answer = await client.post("/call", json={"assistant": {}, "transport": transport})
    assert answer.json()["transport"]["audioFormat"] == settled


@pytest.mark.parametrize(
    ("settings", "headers", "socket"),
    [
        ({}, {"host": "localhost:9000"}, "ws://localhost:9000/"),
        ({}, {"host": "[::1]:9000"}, "ws://[::1]:9000/"),
        ({"public_url": "https://voice.example.org"}, {}, "wss://voice.example.org/"),
        ({"public_url": "https://example.org/voice"}, {}, "wss://example.org/voice/"),
    ],
)
async def test_the_sockets_address_is_where_the_world_sees_the_server(
    serve: Serve, settings: dict[str, Any], headers: dict[str, str], socket: str
) -> None:
    async with serve(**settings) as client:
        body = {"assistant": {}, "transport": SOCKET}
        call = (await client.post("/call", json=body, headers=headers)).json()
        assert call["transport"]["websocketCallUrl"] == f"{socket}{call['id']}/transport"
        assert call["monitor"]["listenUrl"] == f"{socket}{call['id']}/listen"
        assert call["monitor"]["controlUrl"] == f"http{socket[2:]}{call['id']}/control"


@pytest.mark.parametrize("host", ["a b", "example.org/x", "evil.example:99999999", ""])
async def test_a_host_that_is_none_is_not_written_into_an_address(serve: Serve, host: str) -> None:
    async with serve(api_key="k") as client:
        answer = await client.post(
            "/call", json={"assistant": {}, "transport": SOCKET}, headers={"host": host, "Authorization": "Bearer k"}
        )
        assert answer.status_code == 400
        assert answer.json()["message"] == ["the Host header is not valid"]


async def test_a_web_call_has_what_vapis_clients_read(client: httpx.AsyncClient) -> None:
    answer = await client.post("/call/web", json={"assistant": {"name": "Ada"}, "metadata": {"a": 1}})
    assert answer.status_code == 201
    call = answer.json()
    url = f"ws://127.0.0.1:8700/{call['id']}/transport"
    assert call["webCallUrl"] == url
    assert call["type"] == "webCall"
    assert call["status"] == "queued"
    assert call["assistant"] == {"name": "Ada"}
    assert call["assistantOverrides"] == {}
    assert call["artifactPlan"] == {"videoRecordingEnabled": False}
    assert call["transport"]["provider"] == "daily"
    assert call["transport"]["callUrl"] == url
    assert call["transport"]["assistantVideoEnabled"] is False
    assert set(call["monitor"]) == {"listenUrl", "controlUrl"}
    assert {"id", "orgId", "createdAt", "updatedAt"} <= set(call)


async def test_a_web_call_as_vapis_clients_ask_for_it(client: httpx.AsyncClient) -> None:
    """The web SDK, the React widget and the iOS SDK find the fields that each needs in the answer to its request."""
    stored = (await client.post("/assistant", json={"name": "Ada"})).json()["id"]
    overrides = {"variableValues": {"who": "Bob"}}
    web = {"assistantId": stored, "assistantOverrides": overrides, "roomDeleteOnUserLeaveEnabled": True}
    widget = {"assistant": {"assistantId": stored, "assistantOverrides": overrides}}
    widget["roomDeleteOnUserLeaveEnabled"] = False
    ios = {"assistantId": stored, "assistantOverrides": {}, "metadata": {}}
    for body, given in ((web, overrides), (widget, overrides), (ios, {})):
        answer = await client.post("/call/web", json=body)
        assert answer.status_code == 201, answer.text
        call = answer.json()
        assert call["assistantId"] == stored
        assert "assistant" not in call
        assert call["assistantOverrides"] == given
        room = call["transport"]["roomDeleteOnUserLeaveEnabled"]
        assert room is body.get("roomDeleteOnUserLeaveEnabled", True)
        assert isinstance(call["artifactPlan"]["videoRecordingEnabled"], bool)
        assert all(isinstance(call["monitor"][name], str) for name in ("listenUrl", "controlUrl"))
    nobody = await client.post("/call/web", json={"assistant": {"assistantId": "nobody"}})
    assert nobody.status_code == 400
    assert "There is no assistant" in nobody.text


async def test_the_owner_sees_what_was_given_and_a_visitor_no_secret_of_it(client_with_keys: httpx.AsyncClient) -> None:
    by_visitor = await client_with_keys.post("/call/web", json={"assistant": INLINE}, headers=VISITOR)
    assert by_visitor.status_code == 201
    assert "hush" not in by_visitor.text
    assert "u:p@" not in by_visitor.text
    assert by_visitor.json()["assistant"]["model"]["url"] == "https://example.org/v1"

    by_owner = await client_with_keys.get(f"/call/{by_visitor.json()['id']}", headers=OWNER)
    assert by_owner.json()["assistant"] == INLINE
    assert (await client_with_keys.post("/call/web", json={"assistant": INLINE}, headers=OWNER)).json()[
        "assistant"
    ] == INLINE


@pytest.mark.parametrize(
    ("body", "status", "message"),
    [
        ({"transport": SOCKET}, 400, "Need either `assistant`, `assistantId`, `squad`, or `squadId`"),
        ({"transport": SOCKET, "assistantId": "nobody"}, 400, "There is no assistant with the id nobody."),
        ({"assistant": {}}, 400, ["transport should not be null or undefined"]),
        (
            {"assistant": {}, "transport": SOCKET, "phoneNumberId": "p"},
            400,
            ["phoneNumberId is not permitted with transport.provider vapi.websocket"],
        ),
        (
            {"assistant": {}, "transport": SOCKET, "phoneNumber": {"twilioPhoneNumber": "1", "twilioAccountSid": "s"}},
            400,
            ["phoneNumber is not permitted with transport.provider vapi.websocket"],
        ),
        ({"assistant": {}, "transport": SOCKET, "foo": 1}, 400, ["property foo should not exist"]),
        (
            {"assistant": {"stopSpeakingPlan": {"numWords": 99}}, "transport": SOCKET},
            400,
            ["assistant.stopSpeakingPlan.numWords must not be greater than 10"],
        ),
        (
            {"assistant": {}, "transport": {**SOCKET, "audioFormat": {"sampleRate": 4000}}},
            400,
            ["transport.audioFormat.sampleRate must not be less than 8000"],
        ),
        ({"assistant": {}, "transport": {"provider": "twilio"}}, 501, None),
        (
            {"assistant": {}, "phoneNumberId": "p", "customer": {"number": "+14155550123"}},
            400,
            "There is no phone number with the id p.",
        ),
        (
            {"assistant": {}, "customer": {"number": "+14155550123"}},
            400,
            "Need either `phoneNumber` or `phoneNumberId`.",
        ),
        ({"assistant": {}, "transport": SOCKET, "customers": []}, 400, ["customers must contain 1 to 1000 elements"]),
        ({"squadId": "s", "transport": SOCKET}, 400, "There is no squad with the id s."),
        (
            {"squadId": "s", "assistant": {}, "transport": SOCKET},
            400,
            "Need either an assistant or a squad, not both.",
        ),
        ({"squad": {"members": [{}]}, "transport": SOCKET}, 400, None),
        (
            {"workflow": {"name": "w", "nodes": [], "edges": []}, "transport": SOCKET},
            501,
            "workflow is not supported by this server.",
        ),
    ],
)
async def test_a_call_that_cannot_be_is_refused(
    client: httpx.AsyncClient, body: dict[str, Any], status: int, message: str | list[str] | None
) -> None:
    answer = await client.post("/call", json=body)
    assert answer.status_code == status
    assert set(answer.json()) == {"message", "error", "statusCode"}
    assert answer.json()["statusCode"] == status
    if message is not None:
        assert answer.json()["message"] == message
    assert (await client.get("/call")).json() == []


async def test_overrides_may_not_make_an_assistant_invalid(client: httpx.AsyncClient) -> None:
    stored = (await client.post("/assistant", json={"model": {"provider": "openai", "model": "m"}})).json()
    overrides = {"assistantOverrides": {"model": {"provider": "openai", "model": "m", "temperature": 3}}}
    answer = await client.post("/call", json={"assistantId": stored["id"], "transport": SOCKET, **overrides})
    assert answer.status_code == 400
    assert answer.json()["message"] == ["assistantOverrides.model.temperature must not be greater than 2"]


async def test_calls_are_listed_by_what_they_have(client: httpx.AsyncClient) -> None:
    ids = [(await client.post("/assistant", json={})).json()["id"] for _ in range(2)]
    made = [
        (await client.post("/call", json={"assistantId": assistant, "transport": SOCKET})).json()["id"]
        for assistant in (*ids, ids[0])
    ]

    async def listed(**params: Any) -> set[str]:
        return {call["id"] for call in (await client.get("/call", params=params)).json()}

    assert await listed() == set(made)
    assert await listed(assistantId=ids[0]) == {made[0], made[2]}
    assert await listed(id=made[1]) == {made[1]}
    assert await listed(phoneNumberId="none") == set()
    assert len(await listed(limit=2)) == 2
    assert await listed(createdAtGt="2100-01-01T00:00:00Z") == set()


async def test_a_call_is_renamed_and_nothing_else(client: httpx.AsyncClient) -> None:
    call = (await client.post("/call/web", json={"assistant": {}})).json()
    path = f"/call/{call['id']}"
    renamed = (await client.patch(path, json={"name": "b"})).json()
    assert renamed == {**call, "name": "b", "updatedAt": renamed["updatedAt"]}
    refused = await client.patch(path, json={"status": "ended"})
    assert (refused.status_code, refused.json()["message"]) == (400, ["property status should not exist"])


async def test_a_deleted_call_is_gone(client: httpx.AsyncClient) -> None:
    call = (await client.post("/call/web", json={"assistant": {}})).json()
    path = f"/call/{call['id']}"
    assert (await client.delete(path)).json() == call
    for method in ("GET", "DELETE", "PATCH"):
        answer = await client.request(method, path, json={} if method == "PATCH" else None)
        assert answer.status_code == 404
        assert answer.json()["message"] == f"There is no call with the id {call['id']}."


async def test_a_call_keeps_its_assistants_id_when_that_is_deleted(client: httpx.AsyncClient) -> None:
    assistant = (await client.post("/assistant", json={})).json()["id"]
    call = (await client.post("/call", json={"assistantId": assistant, "transport": SOCKET})).json()
    await client.delete(f"/assistant/{assistant}")
    assert (await client.get(f"/call/{call['id']}")).json() == call


class Talking:
    """A live call, as far as a deletion has to do with it."""

    def __init__(self, live: dict[str, Any], call_id: str, *, obedient: bool) -> None:
        self.live, self.call_id, self.obedient = live, call_id, obedient
        self.reasons: list[str] = []

    def hang_up(self, reason: str) -> None:
        self.reasons.append(reason)
        if self.obedient:
            del self.live[self.call_id]


async def test_a_live_call_is_ended_before_it_is_erased(
    client: httpx.AsyncClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(call_deletion, "END_SECONDS", 0.05)
    live = client._transport.app.state.services.live_calls._live  # type: ignore[attr-defined]  # httpx's ASGITransport
    call_id = (await client.post("/call/web", json={"assistant": {}})).json()["id"]
    journal = anyio.Path(journal_path(tmp_path, call_id))
    await journal.parent.mkdir()
    await journal.write_text("{}")

    live[call_id] = stubborn = Talking(live, call_id, obedient=False)
    refused = await client.delete(f"/call/{call_id}")
    assert (refused.status_code, refused.json()["error"]) == (503, "Service Unavailable")
    assert (await client.get(f"/call/{call_id}")).status_code == 200
    assert await journal.exists()

    live[call_id] = obedient = Talking(live, call_id, obedient=True)
    assert (await client.delete(f"/call/{call_id}")).status_code == 200
    assert stubborn.reasons == obedient.reasons == ["manually-canceled"]
    assert (await client.get(f"/call/{call_id}")).status_code == 404
    assert not await journal.exists()


async def test_what_the_engine_cannot_run_is_refused_before_anyone_calls(client: httpx.AsyncClient) -> None:
    plan = {"smartEndpointingPlan": {"provider": "livekit", "waitFunction": "20 +"}}
    bad = {"startSpeakingPlan": plan}
    field = "startSpeakingPlan.smartEndpointingPlan.waitFunction: "
    for path, body, start in (
        ("/assistant", bad, field),
        ("/call", {"assistant": bad, "transport": SOCKET}, f"assistant.{field}"),
        ("/call/web", {"assistant": {}, "assistantOverrides": bad}, f"assistantOverrides.{field}"),
    ):
        answer = await client.post(path, json=body)
        assert answer.status_code == 400
        (message,) = answer.json()["message"]
        assert message.startswith(start)


async def test_a_batch_makes_a_call_for_each_customer(client: httpx.AsyncClient) -> None:
    model = {"provider": "vapi", "temperature": 1}
    customers = [
        {"number": "+14155550100", "assistantOverrides": {"variableValues": {"name": "Ada"}, "firstMessage": "Hi."}},
        {"number": "+14155550101", "assistantOverrides": {"stopSpeakingPlan": {"numWords": 1}}},
    ]
    body = {
        "assistant": {"model": model},
        "assistantOverrides": {"variableValues": {"name": "you", "day": "Monday"}},
        "transport": SOCKET,
        "customers": customers,
    }
    answer = await client.post("/call", json=body)
    assert answer.status_code == 201, answer.text
    batch = answer.json()
    assert batch["errors"] == []
    assert [call["customer"] for call in batch["results"]] == customers
    assert batch["results"][0]["assistantOverrides"] == {
        "variableValues": {"name": "Ada", "day": "Monday"},
        "firstMessage": "Hi.",
    }
    assert len({call["transport"]["websocketCallUrl"] for call in batch["results"]}) == 2
    assert len((await client.get("/call")).json()) == 2

    gone = {**body, "assistantId": "gone"}
    del gone["assistant"]
    failed = (await client.post("/call", json=gone)).json()
    assert failed["results"] == []
    assert failed["errors"] == [
        {"customer": customer, "error": "There is no assistant with the id gone."} for customer in customers
    ]
    both = await client.post("/call", json={**body, "customer": customers[0]})
    assert both.json()["message"] == ["customer and customers must not be given together"]
