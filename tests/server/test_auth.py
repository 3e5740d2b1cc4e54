"""Authentication: keys, loopback only without keys, and cross-origin requests."""

from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.types import Message

from bargein.server.app import create_app
from bargein.testing.settings import make_settings
from tests.server.conftest import OWNER, PRIVATE, PUBLIC, VISITOR, Serve

pytestmark = pytest.mark.anyio

PRIVATE_ROUTES = [
    ("POST", "/assistant"),
    ("GET", "/assistant"),
    ("GET", "/assistant/x"),
    ("PATCH", "/assistant/x"),
    ("DELETE", "/assistant/x"),
    ("POST", "/call"),
    ("GET", "/call"),
    ("GET", "/call/x"),
    ("PATCH", "/call/x"),
    ("DELETE", "/call/x"),
]


@pytest.mark.parametrize(("method", "path"), PRIVATE_ROUTES)
async def test_private_routes_need_the_private_key(client_with_keys: httpx.AsyncClient, method: str, path: str) -> None:
    async def status(headers: dict[str, str]) -> int:
        return (await client_with_keys.request(method, path, headers=headers)).status_code

    assert await status(OWNER) not in (401, 403)
    assert await status(VISITOR) == 403
    assert await status({}) == 401


@pytest.mark.parametrize(
    "authorization",
    [
        "",
        "Bearer",
        "Bearer ",
        "Bearer wrong",
        f"Basic {PRIVATE}",
        PRIVATE,
        f"Bearer {PRIVATE}x",
        f"Bearer {PRIVATE[:-1]}",
    ],
)
async def test_a_wrong_key_is_refused(client_with_keys: httpx.AsyncClient, authorization: str) -> None:
    for path in ("/assistant", "/call/web"):
        answer = await client_with_keys.post(path, json={"assistant": {}}, headers={"Authorization": authorization})
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"] == "Bearer"
        assert answer.json()["error"] == "Unauthorized"
        assert PRIVATE not in answer.text
        assert PUBLIC not in answer.text


async def test_a_key_with_non_ascii_letters_is_refused(client_with_keys: httpx.AsyncClient) -> None:
    answer = await client_with_keys.get("/call", headers={"Authorization": "Bearer schlüssel".encode()})
    assert answer.status_code == 401


async def test_the_public_key_allows_web_calls(client_with_keys: httpx.AsyncClient) -> None:
    assert (await client_with_keys.post("/call/web", json={"assistant": {}}, headers=VISITOR)).status_code == 201
    assert (await client_with_keys.post("/call/web", json={"assistant": {}}, headers=OWNER)).status_code == 201
    scheme_is_any_case = {"Authorization": f"bearer  {PUBLIC}"}
    assert (
        await client_with_keys.post("/call/web", json={"assistant": {}}, headers=scheme_is_any_case)
    ).status_code == 201


async def test_without_a_public_key_an_empty_key_is_refused(serve: Serve) -> None:
    async with serve(api_key=PRIVATE) as client:
        for headers in ({}, {"Authorization": "Bearer "}, {"Authorization": "Bearer None"}):
            assert (await client.post("/call/web", json={"assistant": {}}, headers=headers)).status_code == 401


async def test_health_needs_no_key(client_with_keys: httpx.AsyncClient) -> None:
    assert (await client_with_keys.get("/health")).status_code == 200
    assert (await client_with_keys.get("/ready")).status_code == 200


@pytest.mark.parametrize("host", ["127.0.0.1:8700", "localhost", "LOCALHOST:1", "[::1]:8700", "127.8.9.10"])
async def test_without_keys_this_machine_may_use_everything(client: httpx.AsyncClient, host: str) -> None:
    answer = await client.post("/assistant", json={}, headers={"host": host, "origin": "http://localhost:3000"})
    assert answer.status_code == 201


@pytest.mark.parametrize(
    "headers",
    [
        {"host": "evil.example"},  # DNS rebinding
        {"host": "127.0.0.1.evil.example"},
        {"host": "localhost@evil.example"},
        {"host": "evil.example/localhost"},
        {"host": "192.168.1.7:8700"},
        {"host": ""},
        {"host": "[::1"},
        {"origin": "https://evil.example"},  # a foreign page that posts here
        {"origin": "null"},
        {"origin": "http://localhost.evil.example"},
        {"origin": "file://localhost"},
        {"origin": ""},
    ],
)
async def test_without_keys_other_machines_are_refused(client: httpx.AsyncClient, headers: dict[str, str]) -> None:
    for method, path in (("POST", "/assistant"), ("GET", "/health"), ("GET", "/"), ("POST", "/call/web")):
        answer = await client.request(method, path, json={"assistant": {}}, headers=headers)
        assert answer.status_code == 403
        assert answer.json()["error"] == "Forbidden"
    assert (await client.get("/assistant")).json() == []


@pytest.mark.parametrize(
    ("headers", "reached"),
    [
        ([(b"host", b"127.0.0.1:8700")], True),
        ([(b"host", b"127.0.0.1:8700"), (b"origin", b"http://localhost:8700")], True),
        ([(b"host", b"evil.example")], False),
        ([(b"host", b"127.0.0.1"), (b"origin", b"https://evil.example")], False),
        ([(b"host", b"127.0.0.1"), (b"host", b"evil.example")], False),
        ([], False),
    ],
)
async def test_sockets_are_guarded_too(tmp_path: Path, headers: list[tuple[bytes, bytes]], reached: bool) -> None:
    app = create_app(make_settings(data_dir=tmp_path))
    accepted = False

    async def endpoint(scope: Any, receive: Any, send: Any) -> None:
        nonlocal accepted
        accepted = True

    app.mount("/somewhere", endpoint)
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    async def receive() -> Message:
        return {"type": "websocket.connect"}

    scope = {"type": "websocket", "path": "/somewhere/x", "headers": headers, "query_string": b"", "scheme": "ws"}
    await app(scope, receive, send)
    assert accepted is reached
    assert [(m["type"], m.get("code")) for m in sent] == ([] if reached else [("websocket.close", 1008)])


async def preflight(client: httpx.AsyncClient, path: str, origin: str) -> httpx.Response:
    headers = {
        "origin": origin,
        "access-control-request-method": "POST",
        "access-control-request-headers": "authorization,content-type,x-client-id",
    }
    return await client.options(path, headers=headers)


async def test_with_keys_any_page_may_start_a_web_call(client_with_keys: httpx.AsyncClient) -> None:
    origin = "https://shop.example"
    for path in ("/call/web", "/chat/web"):
        allowed = await preflight(client_with_keys, path, origin)
        assert allowed.status_code == 200
        assert allowed.headers["access-control-allow-origin"] == "*"
    answer = await client_with_keys.post("/call/web", json={"assistant": {}}, headers={**VISITOR, "origin": origin})
    assert answer.headers["access-control-allow-origin"] == "*"
    assert "access-control-allow-credentials" not in answer.headers
    refused = await client_with_keys.post("/call/web", json={"assistant": {}}, headers={"origin": origin})
    assert refused.status_code == 401
    assert refused.headers["access-control-allow-origin"] == "*"  # so that the page can read why


async def test_with_keys_pages_may_use_nothing_else(client_with_keys: httpx.AsyncClient) -> None:
    for path in ("/assistant", "/call"):
        assert (
            "access-control-allow-origin"
            not in (await preflight(client_with_keys, path, "https://shop.example")).headers
        )
        answer = await client_with_keys.get(path, headers={**OWNER, "origin": "https://shop.example"})
        assert "access-control-allow-origin" not in answer.headers


async def test_without_keys_pages_of_this_machine_may_use_everything(client: httpx.AsyncClient) -> None:
    origin = "http://localhost:3000"
    for path in ("/assistant", "/call/web"):
        assert (await preflight(client, path, origin)).headers["access-control-allow-origin"] == origin
    assert (await preflight(client, "/call/web", "https://shop.example")).status_code == 403
