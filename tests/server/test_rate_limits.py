"""Limits of the public key, of its tokens and of wrong keys, and calls that nobody joins."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import httpx
import jwt
import pytest
import websockets

from bargein.clock import LoopClock
from bargein.server.app import create_app
from bargein.testing.settings import make_settings
from tests.call.stage import staged
from tests.server.conftest import BASE, OWNER, PUBLIC, VISITOR, Serve

pytestmark = pytest.mark.anyio

KEY = "private-key-of-32-characters-1234"
CALL = {"assistant": {"firstMessage": "Hello!"}}
KEYS = {"api_key": KEY, "public_key": PUBLIC}
OWN = {"Authorization": f"Bearer {KEY}"}


@asynccontextmanager
async def from_address(folder: Path, *hosts: str, **settings: Any) -> AsyncIterator[list[httpx.AsyncClient]]:
    """Run a server with both keys and yield a client at each address."""
    app = create_app(make_settings(data_dir=folder, **{**KEYS, **settings}))
    async with app.router.lifespan_context(app):
        yield [
            httpx.AsyncClient(transport=httpx.ASGITransport(app, client=(host, 4711)), base_url=BASE) for host in hosts
        ]


def token() -> dict[str, str]:
    return {"Authorization": f"Bearer {jwt.encode({'orgId': 'o', 'token': {'tag': 'public'}}, KEY, 'HS256')}"}


def assert_too_many(response: httpx.Response) -> None:
    assert response.status_code == 429, response.text
    assert response.json()["error"] == "Too Many Requests"
    assert response.json()["statusCode"] == 429
    assert 1 <= int(response.headers["retry-after"]) <= 60


@pytest.mark.parametrize("headers", [VISITOR, token()], ids=["key", "token"])
async def test_an_address_may_create_so_many_calls_with_the_public_key(tmp_path: Path, headers: dict[str, str]) -> None:
    async with from_address(tmp_path, "192.0.2.1", "192.0.2.2", public_calls_per_minute=3) as (one, other):
        for _ in range(3):
            assert (await one.post("/call/web", json=CALL, headers=headers)).status_code == 201
        assert_too_many(await one.post("/call/web", json=CALL, headers=headers))
        assert (await other.post("/call/web", json=CALL, headers=headers)).status_code == 201
        for _ in range(20):
            assert (await one.post("/call/web", json=CALL, headers=OWN)).status_code == 201
        assert len((await one.get("/call", headers=OWN)).json()) == 24


async def test_all_addresses_together_have_a_limit(tmp_path: Path) -> None:
    hosts = [f"192.0.2.{number}" for number in range(12)]
    async with from_address(tmp_path, *hosts, public_calls_per_minute=1) as clients:
        statuses = [(await one.post("/call/web", json=CALL, headers=VISITOR)).status_code for one in clients]
    assert statuses == [201] * 10 + [429] * 2


async def test_requests_chats_and_bytes_have_limits(tmp_path: Path) -> None:
    async with from_address(tmp_path / "a", "192.0.2.1", public_requests_per_minute=5) as (client,):
        for _ in range(5):
            assert (await client.post("/call/web", json={}, headers=VISITOR)).status_code == 400
        assert_too_many(await client.post("/call/web", json={}, headers=VISITOR))
    async with from_address(tmp_path / "b", "192.0.2.1", public_chats_per_minute=2) as (client,):
        for _ in range(2):
            assert (await client.post("/chat/web", json={}, headers=VISITOR)).status_code == 400
        assert_too_many(await client.post("/chat/web", json={}, headers=VISITOR))
    async with from_address(tmp_path / "c", "192.0.2.1", public_bytes_per_minute=10_000) as (client,):
        large = CALL | {"metadata": {"a": "x" * 6000}}
        assert (await client.post("/call/web", json=large, headers=VISITOR)).status_code == 201
        assert_too_many(await client.post("/call/web", json=large, headers=VISITOR))


async def test_wrong_keys_of_an_address_are_limited_and_its_right_key_waits(tmp_path: Path) -> None:
    async with from_address(tmp_path, "192.0.2.1", "192.0.2.2", wrong_keys_per_minute=5) as (one, other):
        for number in range(5):
            wrong = {"Authorization": f"Bearer wrong-{number}"}
            assert (await one.get("/assistant", headers=wrong)).status_code == 401
        assert_too_many(await one.get("/assistant", headers={"Authorization": "Bearer wrong"}))
        assert_too_many(await one.get("/assistant", headers=OWN))
        assert (await one.get("/health")).status_code == 200
        assert (await other.get("/assistant", headers=OWN)).status_code == 200


async def test_wrong_keys_through_a_proxy_that_names_no_address_do_not_lock_others_out(tmp_path: Path) -> None:
    async with from_address(tmp_path, "127.0.0.1", wrong_keys_per_minute=5) as (client,):
        wrong = {"Authorization": "Bearer wrong"}
        statuses = [(await client.get("/assistant", headers=wrong)).status_code for _ in range(8)]
        assert statuses == [401] * 5 + [429] * 3
        assert (await client.get("/assistant", headers=OWN)).status_code == 200


async def test_the_private_key_and_a_server_without_keys_have_no_limits(serve: Serve) -> None:
    tight = {f"public_{what}_per_minute": 1 for what in ("requests", "calls", "chats", "bytes")}
    async with serve(**tight) as client:
        for _ in range(5):
            assert (await client.post("/call/web", json=CALL)).status_code == 201
    async with serve(api_key=OWNER["Authorization"].split()[1], public_key=PUBLIC, **tight) as client:
        for _ in range(5):
            assert (await client.post("/call/web", json=CALL, headers=OWNER)).status_code == 201


async def test_live_calls_of_the_public_key_have_a_limit(tmp_path: Path) -> None:
    async with staged(tmp_path, public_live_calls=1, **KEYS) as stage, httpx.AsyncClient() as client:

        async def create(headers: dict[str, str]) -> httpx.Response:
            return await client.post(f"{stage.url}/call/web", json={"assistant": stage.speaker()}, headers=headers)

        first, second, own = [(await create(headers)).json()["webCallUrl"] for headers in (VISITOR, VISITOR, OWN)]
        async with websockets.connect(first) as live, websockets.connect(own) as of_the_owner:
            with anyio.fail_after(5):
                assert await live.recv()
                assert await of_the_owner.recv()
                async with websockets.connect(second) as refused:
                    await refused.wait_closed()
            assert refused.close_code == 1013
            assert_too_many(await create(VISITOR))
            assert (await create(OWN)).status_code == 201
        with anyio.fail_after(10):
            while (await create(VISITOR)).status_code != 201:
                await anyio.sleep(0.1)
        async with websockets.connect(second) as live:
            assert await live.recv()


class Clockwork(LoopClock):
    """A clock that a test moves."""

    ahead_ms = 0

    def epoch_ms(self) -> int:
        return super().epoch_ms() + self.ahead_ms


@pytest.mark.parametrize(
    ("path", "more"), [("/call/web", {}), ("/call", {"transport": {"provider": "vapi.websocket"}})]
)
async def test_a_call_that_nobody_joins_ends(serve: Serve, path: str, more: dict[str, Any]) -> None:
    clock = Clockwork()
    async with serve(clock=clock, join_s=60) as client:
        call = (await client.post(path, json=CALL | more)).json()
        assert "joinUntil" not in call
        assert (await client.get(f"/call/{call['id']}")).json()["status"] == "queued"
        clock.ahead_ms = 80_000
        await client.post("/call", json=CALL | {"transport": {"provider": "vapi.websocket"}})  # the scheduler looks now
        with anyio.fail_after(5):
            while (ended := (await client.get(f"/call/{call['id']}")).json())["status"] != "ended":
                await anyio.sleep(0.02)
    assert ended["endedReason"] == "customer-did-not-answer"
    assert ended["endedMessage"] == "nobody joined the call in time"
    assert "joinUntil" not in ended


@pytest.mark.parametrize(("join_s", "wanted", "waits_s"), [(900, 5, 5), (0, 5, 5), (60, None, 60), (3, 60, 3)])
async def test_an_assistant_says_how_long_its_client_may_take_to_join(
    serve: Serve, join_s: int, wanted: int | None, waits_s: int
) -> None:
    clock = Clockwork()
    async with serve(clock=clock, join_s=join_s) as client:
        mine = {**CALL["assistant"], **({} if wanted is None else {"customerJoinTimeoutSeconds": wanted})}
        made = await client.post("/assistant", json=mine)
        assert made.status_code == 201, made.text
        for body in ({"assistant": mine}, {"assistantId": made.json()["id"]}):
            call = (await client.post("/call/web", json=body)).json()
            for ahead_s, status in ((waits_s - 1, "queued"), (waits_s + 20, "ended")):
                clock.ahead_ms += ahead_s * 1000
                await client.post("/call", json=CALL | {"transport": {"provider": "vapi.websocket"}})
                with anyio.fail_after(5):
                    while (await client.get(f"/call/{call['id']}")).json()["status"] != status:
                        await anyio.sleep(0.02)


async def test_a_call_waits_for_ever_where_the_settings_say_so(serve: Serve) -> None:
    clock = Clockwork()
    async with serve(clock=clock, join_s=0) as client:
        call = (await client.post("/call/web", json=CALL)).json()
        clock.ahead_ms = 10**10
        await client.post("/call", json=CALL | {"transport": {"provider": "vapi.websocket"}})
        await anyio.sleep(0.1)
        assert (await client.get(f"/call/{call['id']}")).json()["status"] == "queued"
