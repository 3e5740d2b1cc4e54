"""Secrets of the owner and requests of callers: `bargein.wire.ownership`, at a running server."""

from pathlib import Path
from typing import Any

import httpx
import pytest

from bargein.server.app import create_app
from bargein.testing import FakeLlm, LlmScript
from bargein.testing.settings import make_settings
from bargein.wire.ownership import MADE_BY
from tests.server.conftest import BASE, OWNER, PRIVATE, PUBLIC, VISITOR, Serve
from tests.server.test_chat_tools import calls_in_turn
from tests.webhooks.receiver import Receiver

pytestmark = pytest.mark.anyio

TALK: dict[str, Any] = {"assistant": {"model": {"provider": "vapi"}}}
CHAT: dict[str, Any] = {**TALK, "input": "Hello."}


async def test_a_record_knows_who_made_it_and_tells_nobody(tmp_path: Path) -> None:
    app = create_app(make_settings(data_dir=tmp_path, api_key=PRIVATE, public_key=PUBLIC))
    transport = httpx.ASGITransport(app)
    async with app.router.lifespan_context(app), httpx.AsyncClient(transport=transport, base_url=BASE) as client:
        store = app.state.services.store
        for headers, author in ((OWNER, "owner"), (VISITOR, "caller")):
            call = (await client.post("/call/web", json=TALK, headers=headers)).json()
            chat = (await client.post("/chat/web", json=CHAT, headers=headers)).json()
            assert (await store.calls.get(call["id"]))[MADE_BY] == author
            assert (await store.chats.get(chat["id"]))[MADE_BY] == author
            assert (await store.sessions.get(chat["sessionId"]))[MADE_BY] == author
            assert MADE_BY not in str((call, chat))
            for path in (f"/call/{call['id']}", f"/chat/{chat['id']}", f"/session/{chat['sessionId']}", "/call",
                         "/v2/call", "/chat", "/session"):  # fmt: skip
                assert MADE_BY not in (await client.get(path, headers=OWNER)).text


@pytest.mark.parametrize("path", ["/call/web", "/chat/web", "/call", "/chat", "/session"])
async def test_no_request_can_say_who_made_it(client_with_keys: httpx.AsyncClient, path: str) -> None:
    body: dict[str, Any] = {**(CHAT if "chat" in path else TALK), MADE_BY: "owner"}
    if path == "/call":
        body["transport"] = {"provider": "vapi.websocket"}
    answer = await client_with_keys.post(path, json=body, headers=VISITOR if path.endswith("web") else OWNER)
    assert (answer.status_code, answer.json()["message"]) == (400, [f"property {MADE_BY} should not exist"])


@pytest.mark.parametrize("path", ["/call", "/session"])
async def test_no_change_of_a_record_can_say_who_made_it(client_with_keys: httpx.AsyncClient, path: str) -> None:
    body = {**TALK, "transport": {"provider": "vapi.websocket"}} if path == "/call" else TALK
    made = (await client_with_keys.post(path, json=body, headers=OWNER)).json()
    changed = await client_with_keys.patch(f"{path}/{made['id']}", json={MADE_BY: "owner"}, headers=OWNER)
    assert (changed.status_code, changed.json()["message"]) == (400, [f"property {MADE_BY} should not exist"])


HUSH = "hush"


async def keyed(client: httpx.AsyncClient) -> str:
    """Store the owner's credentials, and return the id of the one for webhooks."""
    await client.post("/credential", json={"provider": "custom-llm", "apiKey": f"{HUSH}-llm"}, headers=OWNER)
    plan = {"type": "bearer", "token": f"{HUSH}-webhook"}
    body = {"provider": "webhook", "authenticationPlan": plan}
    return (await client.post("/credential", json=body, headers=OWNER)).json()["id"]


def with_keys(serve: Serve) -> Any:
    return serve(api_key=PRIVATE, public_key=PUBLIC, allow_private_addresses=True)


def custom(llm: FakeLlm, **more: Any) -> dict[str, Any]:
    return {"model": {"provider": "custom-llm", "url": llm.url, "model": "m", **more}}


@pytest.mark.parametrize(("headers", "key"), [(VISITOR, None), (OWNER, f"Bearer {HUSH}-llm")])
async def test_a_stored_credential_is_for_the_models_of_the_owner(
    serve: Serve, headers: dict[str, str], key: str | None
) -> None:
    async with with_keys(serve) as client, FakeLlm(LlmScript(tokens=["Hello."])) as llm:
        await keyed(client)
        answer = await client.post("/chat/web", json={"assistant": custom(llm), "input": "Hi."}, headers=headers)
        assert answer.status_code == 201
    assert llm.exchanges[0].headers.get("authorization") == key


async def test_a_page_continues_the_owners_session_with_the_owners_assistant_alone(serve: Serve) -> None:
    async with (
        with_keys(serve) as client,
        FakeLlm(LlmScript(tokens=["Hello."])) as llm,
        FakeLlm(LlmScript(tokens=["Hello."])) as other,
    ):
        await keyed(client)
        session = (await client.post("/session", json={"assistant": custom(llm)}, headers=OWNER)).json()
        body = {"sessionId": session["id"], "input": "Hi."}
        assert (await client.post("/chat/web", json=body, headers=VISITOR)).status_code == 201
        assert llm.exchanges[0].headers["authorization"] == f"Bearer {HUSH}-llm"
        answer = await client.post("/chat/web", json={**body, "assistant": custom(other)}, headers=VISITOR)
        assert (answer.status_code, answer.json()["message"]) == (
            400,
            ["assistant must not be given in a conversation that was begun with the private key"],
        )
    assert not other.exchanges


async def test_a_conversation_has_the_least_rights_of_those_who_continue_it(serve: Serve) -> None:
    async with with_keys(serve) as client, FakeLlm(LlmScript(tokens=["Hello."])) as llm:
        await keyed(client)
        body = {"assistant": custom(llm), "input": "Hi."}
        first = (await client.post("/chat/web", json=body, headers=VISITOR)).json()
        for more in ({"sessionId": first["sessionId"]}, {"previousChatId": first["id"]}):
            assert (await client.post("/chat", json={"input": "And?", **more}, headers=OWNER)).status_code == 201
    assert [exchange.headers.get("authorization") for exchange in llm.exchanges] == [None] * 3


TENANT = "{{tenant}}"


@pytest.mark.parametrize(
    "secret", [{"credentialId": "WEBHOOK"}, {"headers": {"X-Key": HUSH}}, {"parameters": [{"key": "k", "value": HUSH}]}]
)
@pytest.mark.parametrize("by", ["owner", "caller"])
async def test_an_address_made_of_a_callers_variables_gets_no_secret(
    serve: Serve, secret: dict[str, Any], by: str
) -> None:
    async with with_keys(serve) as client, Receiver() as api, FakeLlm(calls_in_turn([("order", "{}")])) as llm:
        webhook = await keyed(client)
        secret = {"credentialId": webhook} if "credentialId" in secret else secret
        tool = {"type": "apiRequest", "name": "order", "method": "POST", "url": f"http://{TENANT}/x", **secret}
        made = await client.post("/assistant", json=custom(llm, tools=[tool]), headers=OWNER)
        values = {"assistantOverrides": {"variableValues": {"tenant": f"127.0.0.1:{api.port}"}}}
        body = {"assistantId": made.json()["id"], "input": "Order.", **values}
        answer = await client.post("/chat/web", json=body, headers=OWNER if by == "owner" else VISITOR)
        assert answer.status_code == 201, answer.text
    results = [m["content"] for m in llm.exchanges[-1].body["messages"] if m["role"] == "tool"]
    if by == "owner":
        assert HUSH in str(api.got)
    else:
        assert not api.got
        assert "for the owner's address" in results[0]


async def test_an_address_made_of_a_callers_variables_is_asked_if_there_is_no_secret(serve: Serve) -> None:
    async with with_keys(serve) as client, Receiver() as api, FakeLlm(calls_in_turn([("order", "{}")])) as llm:
        tool = {"type": "apiRequest", "name": "order", "method": "POST", "url": f"http://{TENANT}/x"}
        made = await client.post("/assistant", json=custom(llm, tools=[tool]), headers=OWNER)
        values = {"assistantOverrides": {"variableValues": {"tenant": f"127.0.0.1:{api.port}"}}}
        body = {"assistantId": made.json()["id"], "input": "Order.", **values}
        assert (await client.post("/chat/web", json=body, headers=VISITOR)).status_code == 201
    assert len(api.got) == 1


async def test_a_chat_that_a_page_continued_keeps_what_the_owner_wrote_from_the_pages_assistant(serve: Serve) -> None:
    hello = LlmScript(tokens=["Hello."])
    async with with_keys(serve) as client, FakeLlm(hello) as llm, FakeLlm(hello) as other:
        await keyed(client)
        values = {"variableValues": {"token": f"{HUSH}-variable"}}
        body = {"assistant": custom(llm), "assistantOverrides": values, "input": "Hi."}
        chat = (await client.post("/chat", json=body, headers=OWNER)).json()
        for _ in range(2):
            page = {"previousChatId": chat["id"], "input": "And?"}
            chat = (await client.post("/chat/web", json=page, headers=VISITOR)).json()
            mine = custom(other, messages=[{"role": "system", "content": "{{token}}"}])
            taken = {**page, "previousChatId": chat["id"], "assistant": mine}
            answer = await client.post("/chat/web", json=taken, headers=VISITOR)
            assert answer.status_code == 400
    assert not other.exchanges
    assert [one.headers.get("authorization") for one in llm.exchanges] == [f"Bearer {HUSH}-llm"] * 3


async def test_a_page_does_not_see_variables_that_the_owner_added_to_its_chat(serve: Serve) -> None:
    async with with_keys(serve) as client, FakeLlm(LlmScript(tokens=["Hello."])) as other:
        mine = custom(other, messages=[{"role": "system", "content": "{{token}}|{{x}}"}])
        page = {"assistant": mine, "assistantOverrides": {"variableValues": {"x": "mine"}}, "input": "Hi."}
        chat = (await client.post("/chat/web", json=page, headers=VISITOR)).json()
        values = {"variableValues": {"token": f"{HUSH}-variable"}, "server": {"secret": HUSH}}
        more = {"previousChatId": chat["id"], "assistantOverrides": values, "input": "And?"}
        chat = (await client.post("/chat", json=more, headers=OWNER)).json()
        await client.post("/chat/web", json={"previousChatId": chat["id"], "input": "So?"}, headers=VISITOR)
    assert [one.body["messages"][0]["content"] for one in other.exchanges] == ["|mine"] * 3
    assert HUSH not in str([(one.headers, one.body) for one in other.exchanges])
