"""`bargein call`: a telephone call is asked for, followed and told, against a server that does as it is told."""

import json
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import anyio
import pytest
from typer.testing import CliRunner
from websockets.asyncio.server import Server, ServerConnection, serve

from bargein.cli import app
from bargein.client import ClientError, RefusedError, UnreachableError, phone
from bargein.client import Server as Where
from bargein.client.calling import CallOptions, CallResult, call
from bargein.testing.http_peer import Exchange, HttpPeer

pytestmark = pytest.mark.anyio

NUMBER = {"id": "n1", "provider": "vonage", "number": "+15550001111"}
SAID: list[dict[str, Any]] = [
    {"type": "transcript", "transcriptType": "final", "role": "assistant", "transcript": "Hello, this is the bakery."},
    {"type": "user-interrupted", "turnId": "turn-4711"},
    {"type": "transcript", "transcriptType": "final", "role": "user", "transcript": "Two loaves please."},
]


@dataclass
class Exchanges:
    """A server with one number, whose only call goes through `statuses`, one for each look at it.

    A status is a record's fields, or the HTTP status of an error.
    """

    statuses: Sequence[dict[str, Any] | int] = ()
    refuses: dict[str, Any] | None = None
    numbers: list[dict[str, Any]] = field(default_factory=lambda: [NUMBER])
    listeners: int = 0
    deaf: int = 0
    asked: list[tuple[str, Any]] = field(default_factory=list)
    looked: int = 0

    def __post_init__(self) -> None:
        self._http = HttpPeer(self._answer)
        self._stack = AsyncExitStack()
        self._sockets: Server | None = None

    @property
    def url(self) -> str:
        return self._http.origin

    async def __aenter__(self) -> Self:
        await self._stack.enter_async_context(self._http)
        self._sockets = await self._stack.enter_async_context(serve(self._listen, "127.0.0.1", 0, close_timeout=0.2))
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._stack.aclose()

    def record(self, **fields: Any) -> dict[str, Any]:
        assert self._sockets is not None
        port = next(iter(self._sockets.sockets)).getsockname()[1]
        monitor = {"listenUrl": f"ws://127.0.0.1:{port}/c1/listen", "controlUrl": f"{self.url}/c1/control"}
        return {"id": "c1", "status": "queued", "monitor": monitor, **fields}

    async def _answer(self, exchange: Exchange) -> None:
        self.asked.append((exchange.path, exchange.body))
        status, body = self._of(exchange.path)
        await exchange.respond(status, json.dumps(body).encode(), content_type="application/json")

    def _of(self, path: str) -> tuple[int, Any]:
        if path.startswith("/phone-number"):
            return 200, self.numbers
        if path == "/call":
            return (201, self.record()) if self.refuses is None else (self.refuses["statusCode"], self.refuses)
        if path == "/call/c1":
            now = self.statuses[min(self.looked, len(self.statuses) - 1)]
            self.looked += 1
            return (now, {"message": "away"}) if isinstance(now, int) else (200, self.record(**now))
        return 200, {}

    async def _listen(self, socket: ServerConnection) -> None:
        self.listeners += 1
        if self.listeners <= self.deaf:
            await socket.close(1008, "not live yet")
            return
        await socket.send(b"\0" * 640)
        for message in SAID:
            await socket.send(json.dumps(message))


async def made(server: Exchanges, lines: list[str], **options: Any) -> CallResult:
    asked = CallOptions(**{"to": "+15551234567", "by": "n1", "url": server.url, **options})
    return await call(asked, lines.append, every_s=0.01)


async def test_a_call_is_told_from_its_queue_to_its_end() -> None:
    lines: list[str] = []
    statuses = [{}, {"status": "ringing"}, {"status": "ringing"}, {"status": "in-progress"}, {"status": "in-progress"}]
    end = {"status": "ended", "endedReason": "customer-ended-call"}
    async with Exchanges([*statuses, end]) as server:
        result = await made(server, lines, by="+15550001111", extension="12")
    assert result == CallResult(call_id="c1", ended_reason="customer-ended-call", answered=True)
    assert result.exit_code == 0
    body = server.asked[1][1]
    assert body == {
        "phoneNumberId": "n1",
        "customer": {"number": "+15551234567", "extension": "12"},
        "assistant": {},
    }
    told = "\n".join(lines)
    assert "+15550001111 (vonage) → +15551234567" in told
    assert f"{server.url}/?listen=c1" in told
    order = ["queued", "ringing", "answered", "call ended: customer-ended-call"]
    assert [told.count(word) for word in order] == [1, 1, 1, 1]
    assert sorted(order, key=told.index) == order
    for words in ("Hello, this is the bakery.", "✂ user-interrupted · turn …n-4711", "Two loaves please."):
        assert words in told


async def test_whoever_may_not_listen_in_still_follows_the_call() -> None:
    lines: list[str] = []
    async with Exchanges([{"status": "in-progress"}] * 10 + [{"status": "ended"}]) as server:
        server.numbers[0] = NUMBER | {"number": None, "sipUri": "sip:desk@example.com"}
        record = server.record()
        del record["monitor"]
        server.record = lambda **fields: record | fields  # type: ignore[method-assign]
        result = await made(server, lines, to="sip:ada@example.com", by="sip:desk@example.com")
    assert any("cannot listen in" in line for line in lines)
    assert (result.ended_reason, result.exit_code) == ("no reason given", 1)
    assert server.asked[1][1]["customer"] == {"sipUri": "sip:ada@example.com"}


@pytest.mark.parametrize(
    ("reason", "hint"),
    [
        ("customer-busy", "the line was busy"),
        ("customer-did-not-answer", "nobody answered"),
        ("vonage-failed-to-connect-call", "bargein docs troubleshooting"),
        ("call.in-progress.error-providerfault-transport-never-connected", "BARGEIN_PUBLIC_URL"),
    ],
)
async def test_a_call_that_comes_to_nothing_says_why_and_fails(reason: str, hint: str) -> None:
    lines: list[str] = []
    end = {"status": "ended", "endedReason": reason, "endedMessage": "the carrier's own words"}
    async with Exchanges([{}, end]) as server:
        result = await made(server, lines)
    assert result.exit_code == 1
    told = "\n".join(lines)
    assert reason in told
    assert hint in told
    assert "the carrier's own words" in told
    assert server.listeners == 0


async def test_a_server_that_is_away_for_a_moment_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    lines: list[str] = []
    async with Exchanges([{}, 503, 503, {"status": "ended", "endedReason": "customer-busy"}]) as server:
        assert (await made(server, lines)).ended_reason == "customer-busy"
    monkeypatch.setattr(phone, "_AWAY_S", 0.05)
    async with Exchanges([{}, 503]) as server:
        with pytest.raises(RefusedError, match="503"):
            await made(server, lines)
    async with Exchanges([{}, 404]) as server:
        with pytest.raises(RefusedError, match="404"):
            await made(server, lines)
    with pytest.raises(UnreachableError):
        await made(server, lines)


async def test_the_servers_refusal_is_told_in_its_words() -> None:
    words = {"message": ["customer.number must be a valid phone number in the E.164 format"], "statusCode": 400}
    async with Exchanges(refuses=words) as server:
        with pytest.raises(RefusedError, match=r"E\.164"):
            await made(server, [])


async def test_a_number_that_the_server_does_not_have_is_told_with_those_that_it_has() -> None:
    async with Exchanges() as server:
        with pytest.raises(ClientError, match=r"has \+15550001111 \(n1\)"):
            await made(server, [], by="n2")
        server.numbers.clear()
        with pytest.raises(ClientError, match=r"bargein docs telephony"):
            await made(server, [], by="n2")


async def test_being_cancelled_hangs_up() -> None:
    lines: list[str] = []
    async with Exchanges([{"status": "in-progress"}]) as server, anyio.create_task_group() as tasks:
        tasks.start_soon(made, server, lines)
        with anyio.fail_after(5):
            while not any("Two loaves" in line for line in lines):
                await anyio.sleep(0.01)
        tasks.cancel_scope.cancel()
    assert server.asked[-1] == ("/c1/control", {"type": "end-call"})
    assert any("hung up" in line for line in lines)


async def test_the_assistant_is_a_file_or_an_id(tmp_path: Path) -> None:
    file = tmp_path / "assistant.json"
    file.write_text('{"firstMessage": "Hello!"}')
    end = {"status": "ended", "endedReason": "customer-busy"}
    async with Exchanges([end]) as server:
        await made(server, [], assistant=str(file))
        await made(server, [], assistant="6f9619ff-8b86-d011-b42d-00cf4fc964ff")
        bodies = [body for path, body in server.asked if path == "/call"]
        assert bodies[0]["assistant"] == {"firstMessage": "Hello!"}
        assert bodies[1]["assistantId"] == "6f9619ff-8b86-d011-b42d-00cf4fc964ff"
        assert "assistant" not in bodies[1]
        for content, why in (("[]", "JSON object"), ("{oops", "not JSON")):
            file.write_text(content)
            with pytest.raises(ClientError, match=why):
                await made(server, [], assistant=str(file))
        with pytest.raises(ClientError, match="no file"):
            await made(server, [], assistant="missing.json")


async def test_the_command_line() -> None:
    end = {"status": "ended", "endedReason": "customer-busy"}
    async with Exchanges([end]) as server:
        words = ["call", "+15551234567", "--from", "n1", "--url", server.url, "--key", "some-key"]
        done = await anyio.to_thread.run_sync(lambda: CliRunner().invoke(app, words))
        assert done.exit_code == 1
        assert "customer-busy" in done.output
        assert server._http.exchanges[0].headers["authorization"] == "Bearer some-key"
        words[3] = "n2"
        refused = await anyio.to_thread.run_sync(lambda: CliRunner().invoke(app, words))
    assert refused.exit_code == 2
    assert "has no phone number n2" in refused.output


async def test_a_program_follows_a_call_with_the_library() -> None:
    async with Exchanges([{}, {"status": "in-progress"}, {"status": "ended"}]) as server:
        where = Where(url=server.url)
        record = await phone.dial(where, {"number": "+15551234567"}, number_id="n1", squad_id="s1")
        assert server.asked[0][1]["squadId"] == "s1"
        seen = [now["status"] async for now in phone.follow(where, record["id"], every_s=0.01)]
    assert seen == ["queued", "in-progress", "ended"]
