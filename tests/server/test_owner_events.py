"""Events of chats, sessions and deleted calls to owners' servers that ask for them, and deletion of several calls."""

from typing import Any

import httpx
import pytest

from bargein.server.api import call_deletion
from bargein.testing import FakeLlm, LlmScript
from bargein.wire import contract
from tests.call.documented import undefined
from tests.call.harness import eventually
from tests.published import validator
from tests.server.conftest import Serve
from tests.server.test_calls import SOCKET, Talking
from tests.webhooks.receiver import Receiver

pytestmark = pytest.mark.anyio

ASKED = [
    "chat.created", "chat.deleted", "session.created", "session.updated", "session.deleted", "call.deleted",
    "call.delete.failed",
]  # fmt: skip


def valid(message: dict[str, Any]) -> dict[str, Any]:
    # Vapi's schema has the user message of a call here, not that of a chat
    checked = {k: {f: x for f, x in v.items() if f != "messages"} if k in ("chat", "session") else v
               for k, v in message.items()}  # fmt: skip
    name = contract.messages("ServerMessage")[message["type"]]
    assert [error.message for error in validator(name).iter_errors(checked)] == []
    assert "hush" not in str(message)
    assert undefined(message) == []
    return message


def asking(owner: Receiver, **more: Any) -> dict[str, Any]:
    return {"name": "Desk", "serverMessages": ASKED, "server": {"url": owner.url, "secret": "hush"}, **more}


async def test_chats_and_sessions_send_events(client: httpx.AsyncClient) -> None:
    async with Receiver() as owner, FakeLlm(LlmScript(tokens=("Hello.",))) as llm:
        model = {"provider": "custom-llm", "url": llm.url, "model": "m"}
        who = (await client.post("/assistant", json=asking(owner, model=model))).json()["id"]
        body = {"assistantId": who, "customer": {"name": "Ada"}}
        session = (await client.post("/session", json=body)).json()
        created = valid((await owner.until(lambda: owner.of("session.created")))[0])
        assert created["session"] == session
        assert (created["assistant"]["name"], created["customer"]) == ("Desk", {"name": "Ada"})
        assert "call" not in created
        assert owner.got[0].headers["x-vapi-secret"] == "hush"

        chat = (await client.post("/chat", json={"sessionId": session["id"], "input": "Hi."})).json()
        assert valid((await owner.until(lambda: owner.of("chat.created")))[0])["chat"] == chat
        updated = valid((await owner.until(lambda: owner.of("session.updated")))[0])
        assert [one["content"] for one in updated["session"]["messages"]] == ["Hi.", "Hello."]
        await client.patch(f"/session/{session['id']}", json={"name": "mine"})
        await owner.until(lambda: len(owner.of("session.updated")) == 2)
        await client.delete(f"/session/{session['id']}")
        await client.delete(f"/chat/{chat['id']}")
        assert valid((await owner.until(lambda: owner.of("session.deleted")))[0])["session"]["id"] == session["id"]
        assert valid((await owner.until(lambda: owner.of("chat.deleted")))[0])["chat"]["id"] == chat["id"]

        web = {"assistantId": who, "input": "Hi."}
        assert (await client.post("/chat/web", json=web)).status_code == 201
        await owner.until(lambda: len(owner.of("session.created")) == len(owner.of("chat.created")) == 2)


async def test_an_owner_that_does_not_ask_gets_no_events(serve: Serve) -> None:
    async with Receiver() as owner, serve(server_url="http://127.0.0.1:1/") as client:
        who = asking(owner)
        del who["serverMessages"]
        for each in (who, {**who, "serverMessages": ["chat.created"]}):
            assert (await client.post("/session", json={"assistant": each})).status_code == 201
            call = (await client.post("/call", json={"assistant": each, "transport": SOCKET})).json()
            assert (await client.delete(f"/call/{call['id']}")).status_code == 200
    assert owner.got == []


async def test_several_calls_are_deleted_and_send_events(
    client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(call_deletion, "END_SECONDS", 0.05)
    async with Receiver() as owner:
        body = {"assistant": asking(owner), "transport": SOCKET}
        kept, *ids = [(await client.post("/call", json=body)).json()["id"] for _ in range(4)]
        live = client._transport.app.state.services.live_calls._live  # type: ignore[attr-defined]  # httpx's ASGITransport
        live[ids[1]] = Talking(live, ids[1], obedient=False)
        answer = await client.request("DELETE", f"/call/{kept}", json={"ids": [*ids, "nobody", ids[0]]})
        del live[ids[1]]
        assert (answer.status_code, answer.json()["id"]) == (200, ids[0])
        await owner.until(lambda: len(owner.got) == 3)
        assert {valid(one)["call"]["id"] for one in owner.of("call.deleted")} == {ids[0], ids[2]}
        (failed,) = owner.of("call.delete.failed")
        assert valid(failed)["call"]["id"] == ids[1]

        async def left() -> set[str]:
            return {call["id"] for call in (await client.get("/call")).json()}

        await eventually(left, lambda found: found == {kept, ids[1]})


async def test_a_deletion_of_several_calls_that_deletes_none_is_refused(client: httpx.AsyncClient) -> None:
    async def refused(body: Any) -> tuple[int, Any]:
        answer = await client.request("DELETE", "/call/x", json=body)
        return answer.status_code, answer.json()["message"]

    assert await refused({"ids": ["a", "b"]}) == (404, "There is no call with the id a.")
    assert await refused({}) == (404, "There is no call with the id x.")
    for ids in ("a", [], [1]):
        assert (await refused({"ids": ids}))[0] == 400
