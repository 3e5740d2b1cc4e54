"""Connections that send nothing, or little, are closed; their number is limited, and calls keep places."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
import websockets

from bargein.server.connections.admission import Admission, State
from bargein.settings import LimitSettings
from tests.call.harness import CLOCK, Running, running, serving
from tests.server.raw_http import HEAD, OK_REQUEST, connect, status_of

pytestmark = pytest.mark.anyio

POST = b"POST /assistant HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
CALL = {"assistant": {"firstMessage": "Hello!"}, "transport": {"provider": "vapi.websocket"}}


@pytest.fixture
async def url(tmp_path: Path) -> AsyncIterator[str]:
    """Return the URL of a server with short time limits."""
    async with serving(tmp_path, head_s=1, idle_s=1) as base_url:
        yield base_url


async def trickle(raw: Any, start: bytes, piece: bytes, *, seconds: float, every_s: float = 0.1) -> float:
    """Send `start` and then `piece` in intervals; return after how many seconds the server closes."""
    began = time.perf_counter()
    await raw.send(start)
    while time.perf_counter() - began < seconds and not raw.reader.at_eof():
        if not await raw.send(piece):
            break
        with anyio.move_on_after(every_s):
            await raw.reader.read(1 << 16)
    return time.perf_counter() - began


@pytest.mark.parametrize(
    "start", [b"", b"GET", HEAD, b"\r\n"], ids=["nothing", "a method", "a half head", "an empty line"]
)
async def test_a_connection_without_a_whole_head_is_closed(url: str, start: bytes) -> None:
    async with connect(url) as raw:
        await raw.send(start)
        assert 0.5 < await raw.closes_after_s() < 3


@pytest.mark.parametrize(
    ("start", "piece"),
    [(b"", b"\r\n"), (HEAD, b"X: y\r\n"), (HEAD + b"X: ", b"y"), (b"GET /", b"x"), (OK_REQUEST, b"\r\n"),
     (OK_REQUEST, b"G")],
    ids=["empty lines", "fields", "a field value", "a target", "empty lines after a response", "a method"],
)  # fmt: skip
async def test_a_head_that_trickles_is_closed(url: str, start: bytes, piece: bytes) -> None:
    async with connect(url) as raw:
        assert await trickle(raw, start, piece, seconds=6) < 4


async def test_a_connection_without_a_next_request_is_closed(url: str) -> None:
    async with connect(url) as raw:
        await raw.send(OK_REQUEST)
        await raw.response()
        assert 0.5 < await raw.closes_after_s() < 3


async def test_a_half_upgrade_is_closed(url: str) -> None:
    upgrade = b"GET /x/transport HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    async with connect(url) as raw:
        await raw.send(upgrade)
        assert await raw.closes_after_s() < 3


async def test_a_body_that_trickles_behind_its_answer_is_closed(url: str) -> None:
    """The request is refused before its body is read: the rest of the body has a time limit."""
    async with connect(url) as raw:
        start = b"POST /nowhere HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 100000\r\n\r\n"
        assert await trickle(raw, start, b"x", seconds=15, every_s=0.3) < 8


async def test_a_body_that_trickles_is_refused_in_time(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bargein.server.api.bodies.MAX_SECONDS", 1)
    async with connect(url) as raw:
        assert await trickle(raw, POST + b"Content-Length: 1000\r\n\r\n", b" ", seconds=8) < 4


async def test_a_long_response_is_not_cut_by_the_time_limits_of_heads(url: str) -> None:
    """A connection whose request is being answered has no time limit of these; half a next request waits."""
    async with connect(url) as raw:
        await raw.send(POST + b"Content-Length: 2\r\n\r\n{")
        await anyio.sleep(2.5)
        await raw.send(b"}")
        assert (await raw.response())[0] == 201


async def test_connections_from_one_address_are_limited_but_not_those_of_a_trusted_proxy(tmp_path: Path) -> None:
    for trusted, fitting in (((), 5), (("127.0.0.0/8",), 12)):
        folder = tmp_path / str(fitting)
        async with AsyncExitStack() as stack:
            url = await stack.enter_async_context(
                serving(folder, connections_per_address=6, trusted_proxies=trusted, idle_s=1)
            )
            await anyio.sleep(1.2)  # the connection of the harness is gone
            raws = [await stack.enter_async_context(connect(url)) for _ in range(12)]
            statuses = [status_of(await _answer_or_nothing(raw)) for raw in raws]
            assert statuses.count(200) >= fitting
            assert set(statuses) <= ({200, 503} if not trusted else {200})
            assert (503 in statuses) is not bool(trusted)


async def _answer_or_nothing(raw: Any) -> bytes:
    await raw.send(OK_REQUEST)
    with anyio.fail_after(5):
        return await raw.reader.read(1 << 16)


async def test_waiting_connections_make_room_for_new_ones(tmp_path: Path) -> None:
    """With all places taken by half requests, every whole request is still answered."""
    async with AsyncExitStack() as stack:
        run: Running = await stack.enter_async_context(running(tmp_path, connections=20))
        for _ in range(60):
            raw = await stack.enter_async_context(connect(run.url))
            await raw.send(HEAD)
        async with connect(run.url) as raw:
            await raw.send(OK_REQUEST)
            assert (await raw.response())[0] == 200
        await run.keeps(20)


async def test_requests_that_are_being_answered_leave_places_for_calls(tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        run: Running = await stack.enter_async_context(running(tmp_path, connections=20))
        raws = [await stack.enter_async_context(connect(run.url)) for _ in range(18)]
        for raw in raws:
            await raw.send(POST + b"Content-Length: 100\r\n\r\n{")
        await anyio.sleep(0.3)
        refused = [raw for raw in raws if raw.reader._buffer]  # type: ignore[attr-defined]  # what has come so far
        assert len(refused) >= 3
        assert status_of(await refused[0].until_closed()) == 503
        async with websockets.connect(f"{run.url.replace('http', 'ws')}/no-such-call/transport") as socket:
            with anyio.fail_after(5), pytest.raises(websockets.ConnectionClosedError, match="there is no such call"):
                await socket.recv()


def test_admission_counts_every_connection_once() -> None:
    admission = Admission(LimitSettings(connections=12), 1000, CLOCK)
    closed: list[int] = []
    held = [admission.admit("192.0.2.1", lambda number=number: closed.append(number)) for number in range(12)]
    assert None not in held
    assert sum(one.use(State.REQUEST) for one in held if one) == admission.most_requests == 9
    new = admission.admit("192.0.2.2", lambda: None)
    assert new is not None
    assert closed == [9]
    assert admission.open == 12
    for one in (*held, new, new):
        assert one is not None
        one.release()
    assert admission.open == 0
    assert not admission._of_address


def test_half_of_the_file_descriptors_stay_free() -> None:
    assert Admission(LimitSettings(), 300, CLOCK).most == 150
    assert Admission(LimitSettings(), 65_536, CLOCK).most == 4096
    assert Admission(LimitSettings(connections=100), 65_536, CLOCK).most == 100


@pytest.mark.parametrize(
    ("host", "counted"),
    [("192.0.2.1", "192.0.2.1"), ("10.1.2.3", None), ("::ffff:10.1.2.3", None), ("2001:db8::1", "2001:db8::/64"),
     ("2001:db8::ffff", "2001:db8::/64"), ("fe80::1%eth0", "fe80::/64"), ("testclient", "testclient")],
)  # fmt: skip
def test_the_address_that_a_peer_counts_for(host: str, counted: str | None) -> None:
    assert LimitSettings(trusted_proxies=("10.0.0.0/8",)).counted_address(host) == counted


@contextmanager
def server_process(folder: Path, descriptors: int, **environment: str) -> Iterator[str]:
    """Run `bargein serve` with a limit on file descriptors, and yield its URL."""
    limited = f'ulimit -Sn {descriptors // 2} && ulimit -Hn {descriptors} && exec "$0" "$@"'
    process = subprocess.Popen(
        ["/bin/sh", "-c", limited, sys.executable, "-m", "bargein", "serve", "--port", "0"],
        cwd=folder,
        env={**os.environ, "BARGEIN_DATA_DIR": str(folder), **environment},
        stdout=subprocess.PIPE,
        stderr=(folder / "log").open("w"),
        text=True,
    )
    try:
        assert process.stdout is not None
        line = next(line for line in process.stdout if "Talk to it" in line)
        yield line.split()[-1].rstrip("/")
        assert process.poll() is None, "the server has ended"
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(15)


@pytest.mark.slow
async def test_a_live_call_goes_on_while_connections_take_all_file_descriptors(tmp_path: Path) -> None:
    """A call that is live, and one that is joined in the flood, hear the assistant's first message."""
    with server_process(tmp_path, 300) as url:
        async with httpx.AsyncClient(timeout=20) as client, AsyncExitStack() as stack:
            with anyio.fail_after(60):
                while (await client.get(f"{url}/ready")).status_code != 200:
                    await anyio.sleep(0.2)
            live = (await client.post(f"{url}/call", json=CALL)).json()
            later = (await client.post(f"{url}/call", json=CALL)).json()
            socket = await stack.enter_async_context(websockets.connect(live["transport"]["websocketCallUrl"]))
            for _ in range(400):
                raw = await stack.enter_async_context(connect(url))
                await raw.send(HEAD)
            for _ in range(60):
                raw = await stack.enter_async_context(connect(url))
                await raw.send(POST + b"Content-Length: 100\r\n\r\n{")
            assert await _heard_ms(socket) > 300
            second = await stack.enter_async_context(websockets.connect(later["transport"]["websocketCallUrl"]))
            assert await _heard_ms(second) > 300
            assert (await httpx.AsyncClient().get(f"{url}/call/{live['id']}")).json()["status"] == "in-progress"


async def _heard_ms(socket: Any) -> float:
    """Return how much audio of the assistant comes within ten seconds; stop at 500 ms."""
    heard = 0.0
    with anyio.move_on_after(10):
        while heard < 500:
            frame = await socket.recv()
            if isinstance(frame, bytes) and any(frame):
                heard += len(frame) / 32
            elif isinstance(frame, str) and json.loads(frame).get("type") == "hang":
                return heard
    return heard
