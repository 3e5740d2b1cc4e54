"""Error responses have Vapi's format and reveal nothing internal."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import httpx
import pytest
from structlog.testing import capture_logs

from bargein.ports import ProviderError
from bargein.server.api import bodies
from bargein.server.app import create_app
from bargein.testing.settings import make_settings
from bargein.wire.errors import WireError
from tests.server.conftest import BASE, Serve

pytestmark = pytest.mark.anyio

JSON = {"content-type": "application/json"}


def check(answer: httpx.Response, status: int, error: str) -> Any:
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/json"
    body = answer.json()
    assert set(body) == {"message", "error", "statusCode"}
    assert (body["error"], body["statusCode"]) == (error, status)
    return body["message"]


async def test_unknown_routes_and_methods(client: httpx.AsyncClient) -> None:
    assert check(await client.get("/nowhere"), 404, "Not Found") == "Cannot GET /nowhere"
    answer = await client.put("/assistant", json={})
    assert check(answer, 405, "Method Not Allowed") == "Cannot PUT /assistant"
    assert answer.headers["allow"]


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b"", "the body is not valid JSON"),
        (b"{", "the body is not valid JSON"),
        (b'{"name": NaN}', "the body is not valid JSON"),
        (b'{"name": 1e999}', "the body is not valid JSON"),
        (b'{"name": ' + b"9" * 5000 + b"}", "the body is not valid JSON"),
        (b'{"name": "\\ud800"}', "the body is not valid JSON"),
        (b'{"name": "\xff"}', "the body is not valid JSON"),
        (b'{"metadata": ' + b'{"a":' * 63 + b"1" + b"}" * 64, "the body must not be nested deeper than 64 levels"),
        (b"[" * 400_000, "the body must not be nested deeper than 64 levels"),
        (
            b'{"metadata": ' + b"[" * 300_000 + b"]" * 300_000 + b"}",
            "the body must not be nested deeper than 64 levels",
        ),
        (b"[]", "the body must be a JSON object"),
        (b"null", "the body must be a JSON object"),
    ],
)
async def test_invalid_json_is_refused(client: httpx.AsyncClient, raw: bytes, message: str) -> None:
    for path in ("/assistant", "/call", "/call/web"):
        answer = await client.post(path, content=raw, headers=JSON)
        assert check(answer, 400, "Bad Request") == [message]


async def test_the_deepest_allowed_nesting_is_accepted(client: httpx.AsyncClient) -> None:
    raw = b'{"metadata": ' + b'{"a":' * 62 + b"1" + b"}" * 63
    assert (await client.post("/assistant", content=raw, headers=JSON)).status_code == 201


async def test_large_numbers_are_rounded_as_in_javascript(client: httpx.AsyncClient) -> None:
    answer = await client.post("/assistant", content=b'{"metadata": {"n": 123456789012345678901234}}', headers=JSON)
    assert answer.json()["metadata"] == {"n": 123456789012345678901234.0}


async def test_a_form_is_refused_where_json_is_expected(client: httpx.AsyncClient) -> None:
    answer = await client.post("/assistant", data={"name": "a"})
    assert check(answer, 415, "Unsupported Media Type")
    assert (await client.post("/assistant", content=b"{}", headers={"content-type": "text/plain"})).status_code == 415
    assert (
        await client.post("/assistant", content=b"{}", headers={"content-type": "application/json; charset=utf-8"})
    ).status_code == 201


async def test_a_body_that_announces_a_too_large_size_is_not_read(client: httpx.AsyncClient) -> None:
    big = json.dumps({"firstMessage": "x" * bodies.MAX_BODY_BYTES}).encode()
    answer = await client.post("/assistant", content=big, headers=JSON)
    assert check(answer, 413, "Payload Too Large")
    assert answer.headers["connection"] == "close"


async def test_a_body_that_grows_too_large_is_cut_off(client: httpx.AsyncClient) -> None:
    given = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal given
        while True:
            given += 65_536
            yield b" " * 65_536

    answer = await client.post("/assistant", content=endless(), headers=JSON)
    check(answer, 413, "Payload Too Large")
    assert given <= bodies.MAX_BODY_BYTES + 2 * 65_536


async def test_a_body_that_does_not_arrive_times_out(
    client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bodies, "MAX_SECONDS", 0.05)
    never = anyio.Event()

    async def stalled() -> AsyncIterator[bytes]:
        yield b"{"
        await never.wait()

    answer = await client.post("/assistant", content=stalled(), headers=JSON)
    assert check(answer, 408, "Request Timeout")
    assert answer.headers["connection"] == "close"


async def test_the_largest_allowed_body_is_accepted(client: httpx.AsyncClient) -> None:
    frame = len(json.dumps({"metadata": {"a": ""}}))
    body = json.dumps({"metadata": {"a": "x" * (bodies.MAX_BODY_BYTES - frame)}}).encode()
    assert len(body) == bodies.MAX_BODY_BYTES
    assert (await client.post("/assistant", content=body, headers=JSON)).status_code == 201


async def test_an_unexpected_error_reveals_nothing(tmp_path: Path) -> None:
    app = create_app(make_settings(data_dir=tmp_path))

    @app.get("/broken")
    async def broken() -> None:
        raise RuntimeError("hush-hush")

    transport = httpx.ASGITransport(app)
    async with app.router.lifespan_context(app), httpx.AsyncClient(transport=transport, base_url=BASE) as client:
        with capture_logs() as lines:
            answer = await client.get("/broken")
        assert check(answer, 500, "Internal Server Error") == "Internal Server Error"
        assert (await client.get("/health")).status_code == 200
    (line,) = lines
    assert line["event"] == "unexpected"
    assert line["error"] == "RuntimeError"
    assert any("broken" in place for place in line["at"])
    assert "hush-hush" not in str(lines)


async def test_each_refusal_is_one_line_in_the_log(client: httpx.AsyncClient) -> None:
    with capture_logs() as lines:
        await client.post("/assistant", json={"name": "x" * 41}, headers={"Authorization": "Bearer hush-hush"})
    (line,) = lines
    assert (line["method"], line["path"], line["status"]) == ("POST", "/assistant", 400)
    assert line["reason"] == ["name must be shorter than or equal to 40 characters"]
    assert "hush-hush" not in str(line)


async def test_a_line_cannot_be_forged_by_a_path(client: httpx.AsyncClient) -> None:
    with capture_logs() as lines:
        await client.get("/x%0a2026 all is well")
    assert "\n" not in lines[0]["path"]


class Slow:
    """Providers that finish loading when `go` is set."""

    def __init__(self, error: Exception | None = None) -> None:
        self.go = anyio.Event()
        self.closed = False
        self.error = error

    async def warm_up(self) -> None:
        await self.go.wait()
        if self.error is not None:
            raise self.error

    def close(self) -> None:
        self.closed = True


async def wait_until_not(client: httpx.AsyncClient, message: list[str]) -> httpx.Response:
    with anyio.fail_after(5):
        while (answer := await client.get("/ready")).status_code == 503 and answer.json()["message"] == message:
            await anyio.lowlevel.checkpoint()
    return answer


async def test_the_server_is_ready_once_its_providers_are(serve: Serve) -> None:
    providers = Slow()
    async with serve(embedded=providers) as client:
        assert (await client.get("/health")).json()["status"] == "ok"
        message = check(await client.get("/ready"), 503, "Service Unavailable")
        assert message == ["embedded providers: still loading"]
        providers.go.set()
        assert (await wait_until_not(client, message)).json() == {"status": "ready"}
        assert not providers.closed
    assert providers.closed


@pytest.mark.parametrize("expected", [True, False])
async def test_providers_that_cannot_load_do_not_stop_the_server(serve: Serve, expected: bool) -> None:
    error = ProviderError("the voice is not installed", ended_reason="x") if expected else RuntimeError("hush-hush")
    providers = Slow(error)
    providers.go.set()
    async with serve(embedded=providers) as client:
        answer = await wait_until_not(client, ["embedded providers: still loading"])
        text = "the voice is not installed" if expected else "failed to load"
        assert check(answer, 503, "Service Unavailable") == [f"embedded providers: {text}"]
        assert (await client.post("/assistant", json={})).status_code == 201


async def test_a_dead_database_is_not_ready(serve: Serve, tmp_path: Path) -> None:
    async with serve() as client:
        assert (await client.get("/ready")).status_code == 200
        path = tmp_path / "bargein.db"
        services = client._transport.app.state.services  # type: ignore[attr-defined]  # httpx's ASGITransport
        for suffix in ("", "-wal", "-shm"):
            await anyio.Path(f"{path}{suffix}").unlink(missing_ok=True)
        await services.store.close()  # the next request, and the tasks in the background, open new connections
        assert check(await client.get("/ready"), 503, "Service Unavailable") == ["the database does not answer"]
        assert not path.exists()


def test_a_wire_error_has_a_readable_text() -> None:
    assert str(WireError(400, ["a", "b"])) == "a; b"
    assert WireError(418, "teapot").body()["error"]
    assert WireError(799, "?").body() == {"message": "?", "error": "Error", "statusCode": 799}
