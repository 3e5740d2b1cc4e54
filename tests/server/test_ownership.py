"""Secrets of the owner and requests of callers: `bargein.wire.ownership`, at a running server."""

from pathlib import Path
from typing import Any

import httpx
import pytest

from bargein.server.app import create_app
from bargein.testing.settings import make_settings
from bargein.wire.ownership import MADE_BY
from tests.server.conftest import BASE, OWNER, PRIVATE, PUBLIC, VISITOR

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
