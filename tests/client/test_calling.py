"""`bargein call` and `bargein.client.phone`, against a server with scripted answers."""

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
from bargein.client import Server as ApiServer
from bargein.client.calling import CallOptions, CallResult, call
from bargein.testing.http_peer import Exchange, HttpPeer

pytestmark = pytest.mark.anyio

NUMBER = {"id": "n1", "provider": "vonage", "number": "+15550001111"}
MESSAGES: list[dict[str, Any]] = [
    {"type": "transcript", "transcriptType": "final", "role": "assistant", "transcript": "Hello, this is the bakery."},
    {"type": "user-interrupted", "turnId": "turn-4711"},
    {"type": "transcript", "transcriptType": "final", "role": "user", "transcript": "Two loaves please."},
]


@dataclass
class ScriptedServer:
    """A server with one number and one call, which answers each request for the call with the next of `statuses`.

    A status is fields of the call's record, or the HTTP status of an error. `refusal` is the answer to POST /call, and
    the first `refused_listeners` sockets that listen in are closed.
    """

    statuses: Sequence[dict[str, Any] | int] = ()
    refusal: dict[str, Any] | None = None
    numbers: list[dict[str, Any]] = field(default_factory=lambda: [NUMBER])
    listeners: int = 0
    refused_listeners: int = 0
    requests: list[tuple[str, Any]] = field(default_factory=list)
    polls: int = 0

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
        self.requests.append((exchange.path, exchange.body))
        status, body = self._respond(exchange.path)
        await exchange.respond(status, json.dumps(body).encode(), content_type="application/json")

    def _respond(self, path: str) -> tuple[int, Any]:
        if path.startswith("/phone-number"):
            return 200, self.numbers
        if path == "/call":
            return (201, self.record()) if self.refusal is None else (self.refusal["statusCode"], self.refusal)
        if path == "/call/c1":
            now = self.statuses[min(self.polls, len(self.statuses) - 1)]
            self.polls += 1
            return (now, {"message": "away"}) if isinstance(now, int) else (200, self.record(**now))
        return 200, {}

    async def _listen(self, socket: ServerConnection) -> None:
        self.listeners += 1
        if self.listeners <= self.refused_listeners:
            await socket.close(1008, "not live yet")
            return
        await socket.send(b"\0" * 640)
        for message in MESSAGES:
            await socket.send(json.dumps(message))


async def place_call(server: ScriptedServer, lines: list[str], **options: Any) -> CallResult:
    call_options = CallOptions(**{"to": "+15551234567", "from_number": "n1", "url": server.url, **options})
    return await call(call_options, lines.append, every_s=0.01)


async def test_the_events_of_a_call_are_printed_from_queued_to_ended() -> None:
    lines: list[str] = []
    statuses = [{}, {"status": "ringing"}, {"status": "ringing"}, {"status": "in-progress"}, {"status": "in-progress"}]
    end = {"status": "ended", "endedReason": "customer-ended-call"}
    async with ScriptedServer([*statuses, end]) as server:
        result = await place_call(server, lines, from_number="+15550001111", extension="12")
    assert result == CallResult(call_id="c1", ended_reason="customer-ended-call", answered=True)
    assert result.exit_code == 0
    body = server.requests[1][1]
    assert body == {
        "phoneNumberId": "n1",
        "customer": {"number": "+15551234567", "extension": "12"},
        "assistant": {},
    }
    output = "\n".join(lines)
    assert "+15550001111 (vonage) → +15551234567" in output
    assert f"{server.url}/?listen=c1" in output
    order = ["queued", "ringing", "answered", "call ended: customer-ended-call"]
    assert [output.count(word) for word in order] == [1, 1, 1, 1]
    assert sorted(order, key=output.index) == order
    for text in ("Hello, this is the bakery.", "✂ user-interrupted · turn …n-4711", "Two loaves please."):
        assert text in output


async def test_a_call_is_followed_without_permission_to_listen_in() -> None:
    lines: list[str] = []
    async with ScriptedServer([{"status": "in-progress"}] * 10 + [{"status": "ended"}]) as server:
        server.numbers[0] = NUMBER | {"number": None, "sipUri": "sip:office@example.com"}
        record = server.record()
        del record["monitor"]
        server.record = lambda **fields: record | fields  # type: ignore[method-assign]
        result = await place_call(server, lines, to="sip:ada@example.com", from_number="sip:office@example.com")
    assert any("cannot listen in" in line for line in lines)
    assert (result.ended_reason, result.exit_code) == ("no reason given", 1)
    assert server.requests[1][1]["customer"] == {"sipUri": "sip:ada@example.com"}


@pytest.mark.parametrize(
    ("reason", "hint"),
    [
        ("customer-busy", "the line was busy"),
        ("customer-did-not-answer", "nobody answered"),
        ("vonage-failed-to-connect-call", "bargein docs troubleshooting"),
        ("call.in-progress.error-providerfault-transport-never-connected", "BARGEIN_PUBLIC_URL"),
    ],
)
async def test_a_call_that_was_not_answered_fails_with_its_reason_and_a_hint(reason: str, hint: str) -> None:
    lines: list[str] = []
    end = {"status": "ended", "endedReason": reason, "endedMessage": "the carrier's message"}
    async with ScriptedServer([{}, end]) as server:
        result = await place_call(server, lines)
    assert result.exit_code == 1
    output = "\n".join(lines)
    assert reason in output
    assert hint in output
    assert "the carrier's message" in output
    assert server.listeners == 0


async def test_a_server_that_does_not_answer_for_a_moment_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    lines: list[str] = []
    async with ScriptedServer([{}, 503, 503, {"status": "ended", "endedReason": "customer-busy"}]) as server:
        assert (await place_call(server, lines)).ended_reason == "customer-busy"
    monkeypatch.setattr(phone, "_MAX_OUTAGE_S", 0.05)
    async with ScriptedServer([{}, 503]) as server:
        with pytest.raises(RefusedError, match="503"):
            await place_call(server, lines)
    async with ScriptedServer([{}, 404]) as server:
        with pytest.raises(RefusedError, match="404"):
            await place_call(server, lines)
    with pytest.raises(UnreachableError):
        await place_call(server, lines)


async def test_an_error_of_the_server_is_raised_with_its_message() -> None:
    error = {"message": ["customer.number must be a valid phone number in the E.164 format"], "statusCode": 400}
    async with ScriptedServer(refusal=error) as server:
        with pytest.raises(RefusedError, match=r"E\.164"):
            await place_call(server, [])


async def test_the_error_for_an_unknown_number_lists_the_known_ones() -> None:
    async with ScriptedServer() as server:
        with pytest.raises(ClientError, match=r"has \+15550001111 \(n1\)"):
            await place_call(server, [], from_number="n2")
        server.numbers.clear()
        with pytest.raises(ClientError, match=r"bargein docs telephony"):
            await place_call(server, [], from_number="n2")


async def test_cancellation_hangs_up() -> None:
    lines: list[str] = []
    async with ScriptedServer([{"status": "in-progress"}]) as server, anyio.create_task_group() as tasks:
        tasks.start_soon(place_call, server, lines)
        with anyio.fail_after(5):
            while not any("Two loaves" in line for line in lines):
                await anyio.sleep(0.01)
        tasks.cancel_scope.cancel()
    assert server.requests[-1] == ("/c1/control", {"type": "end-call"})
    assert any("hung up" in line for line in lines)


async def test_the_assistant_is_a_file_or_an_id(tmp_path: Path) -> None:
    file = tmp_path / "assistant.json"
    file.write_text('{"firstMessage": "Hello!"}')
    end = {"status": "ended", "endedReason": "customer-busy"}
    async with ScriptedServer([end]) as server:
        await place_call(server, [], assistant=str(file))
        await place_call(server, [], assistant="6f9619ff-8b86-d011-b42d-00cf4fc964ff")
        bodies = [body for path, body in server.requests if path == "/call"]
        assert bodies[0]["assistant"] == {"firstMessage": "Hello!"}
        assert bodies[1]["assistantId"] == "6f9619ff-8b86-d011-b42d-00cf4fc964ff"
        assert "assistant" not in bodies[1]
        for content, error in (("[]", "JSON object"), ("{oops", "not JSON")):
            file.write_text(content)
            with pytest.raises(ClientError, match=error):
                await place_call(server, [], assistant=str(file))
        with pytest.raises(ClientError, match="no file"):
            await place_call(server, [], assistant="missing.json")


async def test_the_command_line() -> None:
    end = {"status": "ended", "endedReason": "customer-busy"}
    async with ScriptedServer([end]) as server:
        arguments = ["call", "+15551234567", "--from", "n1", "--url", server.url, "--key", "some-key"]
        done = await anyio.to_thread.run_sync(lambda: CliRunner().invoke(app, arguments))
        assert done.exit_code == 1
        assert "customer-busy" in done.output
        assert server._http.exchanges[0].headers["authorization"] == "Bearer some-key"
        arguments[3] = "n2"
        refused = await anyio.to_thread.run_sync(lambda: CliRunner().invoke(app, arguments))
    assert refused.exit_code == 2
    assert "has no phone number n2" in refused.output


async def test_a_program_follows_a_call_with_the_library() -> None:
    async with ScriptedServer([{}, {"status": "in-progress"}, {"status": "ended"}]) as server:
        api = ApiServer(url=server.url)
        record = await phone.dial(api, {"number": "+15551234567"}, number_id="n1", squad_id="s1")
        assert server.requests[0][1]["squadId"] == "s1"
        statuses = [now["status"] async for now in phone.follow(api, record["id"], every_s=0.01)]
    assert statuses == ["queued", "in-progress", "ended"]
