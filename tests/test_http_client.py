"""Answers of other servers that are meant to exhaust this one: compressed, endless, or sent byte by byte."""

import ast
import time
import zlib
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path

import anyio
import httpx
import pytest

from bargein import http_client
from bargein.carriers.interface import PhoneLine
from bargein.carriers.telnyx.client import Clients
from bargein.carriers.twilio.carrier import TwilioCarrier
from bargein.carriers.vonage.account import Account
from bargein.carriers.vonage.rest import Rest
from bargein.client.server_api import Server, request_json
from bargein.clock import LoopClock
from bargein.errors import BargeinError
from bargein.http_client import RefusedAnswerError, new_client, read_bounded, read_url, request_bounded
from bargein.ports import CarrierError, ChatMessage, ProviderError, ServerError
from bargein.providers.custom.llm import CustomLlm, CustomLlmConfig
from bargein.providers.custom.tts import CustomVoice, CustomVoiceConfig
from bargein.providers.http import endpoint
from bargein.testing.http_peer import Exchange, HttpPeer
from bargein.tools.mcp_http import Bridge
from bargein.webhooks.guard import AddressGuard
from bargein.wire.authentication import OAuth2Plan
from tests.tools.tool_calls import call, tools
from tests.webhooks.sending import sending

pytestmark = pytest.mark.anyio

SOURCES = sorted((Path(__file__).parents[1] / "src" / "bargein").rglob("*.py"))
SIZE = 32 * 1024 * 1024

Contact = Callable[[str], Awaitable[str]]
"""Sends one request to an origin, and returns the text of its failure."""


def bomb(encoding: str) -> bytes:
    """Return a body of some kilobytes that unpacks to `SIZE`; junk for encodings that the standard library lacks."""
    wbits = {"gzip": 31, "x-gzip": 31, "deflate": 15}.get(encoding)
    if wbits is None:
        return b"\x28\xb5\x2f\xfd" + bytes(64)
    packer = zlib.compressobj(9, wbits=wbits)
    return packer.compress(b": " * (SIZE // 2)) + packer.flush()


BOMBS = {encoding: bomb(encoding) for encoding in ("gzip", "x-gzip", "deflate", "br", "zstd", "gzip, identity")}


async def ask_model(origin: str) -> str:
    async with new_client() as client:
        with pytest.raises(ProviderError) as caught:
            _ = [
                t
                async for t in CustomLlm(CustomLlmConfig(url=origin, model="m"), client).reply(
                    [ChatMessage("user", "a")]
                )
            ]
    return str(caught.value)


async def ask_voice(origin: str) -> str:
    async with new_client() as client:
        voice = CustomVoice(CustomVoiceConfig(url=origin, sample_rate_hz=16_000), client, LoopClock())
        with pytest.raises(ProviderError) as caught:
            _ = [chunk async for chunk in voice.speak("Hello there.")]
    return str(caught.value)


async def ask_owner(origin: str) -> str:
    async with sending() as parts:
        with pytest.raises(ServerError) as caught:
            await parts.sender.ask({"url": origin}, {"type": "tool-calls"})
    return str(caught.value)


async def ask_for_a_token(origin: str) -> str:
    plan = OAuth2Plan.from_json({"type": "oauth2", "url": "http://a/", "clientId": "a", "clientSecret": "b"})
    plan = plan.model_copy(update={"url": origin})  # also one that the schema would refuse
    async with sending() as parts:
        with pytest.raises(ServerError) as caught:
            await parts.authentication._tokens.get(plan)
    return str(caught.value)


async def run_api_request(origin: str) -> str:
    async with tools() as runner:
        result = await runner.run({"type": "apiRequest", "url": origin, "method": "GET"}, call())
    assert result.failed
    return result.text


async def ask_telnyx(origin: str) -> str:
    clients = Clients(origin)
    with pytest.raises(CarrierError) as caught:
        async with clients.use(PhoneLine({}, {"apiKey": "key"}), retries=0) as client:
            await client.phone_numbers.retrieve("1")
    await clients.close()
    return str(caught.value)


async def ask_twilio(origin: str) -> str:
    carrier = TwilioCarrier(origin)
    line = PhoneLine({"twilioAccountSid": "AC1", "twilioAuthToken": "t"})
    with pytest.raises(CarrierError) as caught:
        await carrier.hang_up(line, "CA1")
    await carrier.close()
    return str(caught.value)


async def ask_vonage(origin: str) -> str:
    rest = Rest(origin)
    with pytest.raises(CarrierError) as caught:
        await rest.run(Account(api_key="k", api_secret="s"), lambda client: client.account.get_balance())
    rest.close()
    return str(caught.value)


async def ask_server(origin: str) -> str:
    with pytest.raises(BargeinError) as caught:
        await request_json(Server(url=origin), "GET", "/call")
    return str(caught.value)


async def check_address(origin: str) -> str:
    with pytest.raises(httpx.HTTPError) as caught:
        await anyio.to_thread.run_sync(lambda: request_bounded("GET", origin, timeout_s=5, max_bytes=1000))
    return str(caught.value)


PEERS: list[Contact] = [
    ask_model, ask_voice, ask_owner, ask_for_a_token, run_api_request, ask_telnyx, ask_twilio, ask_vonage, ask_server,
    check_address,
]  # fmt: skip


@pytest.mark.parametrize("encoding", BOMBS)
@pytest.mark.parametrize("contact", PEERS)
async def test_a_compressed_answer_is_refused_before_it_is_read(contact: Contact, encoding: str) -> None:
    async def answer(exchange: Exchange) -> None:
        await exchange.respond(200, BOMBS[encoding], content_type="text/event-stream", content_encoding=encoding)

    async with HttpPeer(answer) as peer:
        assert await contact(peer.origin)
        assert {one.headers["accept-encoding"] for one in peer.exchanges} == {"identity"}


@pytest.mark.parametrize("contact", [ask_model, ask_voice, ask_owner, ask_for_a_token, run_api_request])
async def test_the_failure_says_that_the_answer_was_compressed(contact: Contact) -> None:
    async def answer(exchange: Exchange) -> None:
        await exchange.respond(200, BOMBS["gzip"], content_encoding="gzip")

    async with HttpPeer(answer) as peer:
        assert "sent a compressed answer (Content-Encoding)" in await contact(peer.origin)


@pytest.mark.parametrize(
    "contact", [ask_owner, ask_for_a_token, run_api_request, ask_telnyx, ask_twilio, ask_vonage, check_address]
)
async def test_an_endless_body_is_given_up(contact: Contact) -> None:
    async def answer(exchange: Exchange) -> None:
        await exchange.start("application/json", b"[")
        while True:
            await exchange.send(b" " * 65_536)

    async with HttpPeer(answer) as peer:
        with anyio.fail_after(10):
            assert await contact(peer.origin)
        assert peer.exchanges[0].sent_bytes < 16 * 1024 * 1024


async def test_an_endless_head_is_given_up() -> None:
    async def answer(exchange: Exchange) -> None:
        await exchange._write(b"HTTP/1.1 200 OK\r\n")
        while True:
            await exchange._write(b"x-more: " + b"x" * 1000 + b"\r\n")

    async with HttpPeer(answer) as peer, new_client() as client:
        with anyio.fail_after(5), pytest.raises(httpx.RemoteProtocolError):
            await client.get(peer.origin)


async def test_a_body_has_a_limit_also_where_its_reader_has_none() -> None:
    async def answer(exchange: Exchange) -> None:
        await exchange.respond(200, bytes(2000))

    async with HttpPeer(answer) as peer, new_client(max_body_bytes=1000) as client:
        with pytest.raises(RefusedAnswerError, match="more than 1000 bytes"):
            await client.get(peer.origin)


@pytest.mark.parametrize("given", ["gzip", "br, zstd", "*"])
async def test_headers_of_an_assistant_cannot_ask_for_compression(given: str) -> None:
    async def answer(exchange: Exchange) -> None:
        await exchange.respond(200, b"{}")

    async with HttpPeer(answer) as peer, new_client() as client:
        await client.get(peer.origin, headers={"accept-encoding": given})
        assert peer.exchanges[0].headers["accept-encoding"] == "identity"


async def lateness(contact: Callable[[], Awaitable[object]]) -> float:
    """Return the longest time in seconds for which other tasks did not run meanwhile, of this process's own work."""
    late = 0.0

    async def beat() -> None:
        nonlocal late
        while True:
            began = time.process_time()
            await anyio.sleep(0.002)
            late = max(late, time.process_time() - began)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(beat)
        await contact()
        tasks.cancel_scope.cancel()
    return late


HEAD = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
FLOODS = {
    "chunks of one byte": HEAD + b"1\r\na\r\n" * 12_000,
    "informational responses": b"HTTP/1.1 100 Continue\r\n\r\n" * 2500 + HEAD,
}


@pytest.mark.parametrize("flood", FLOODS)
async def test_other_calls_go_on_while_an_answer_is_parsed(flood: str) -> None:
    async def answer(exchange: Exchange) -> None:
        await exchange._write(FLOODS[flood])
        await exchange.die()

    async with HttpPeer(answer) as peer, new_client(AddressGuard(allow_private=True).transport()) as client:

        async def read() -> None:
            with suppress(httpx.HTTPError), anyio.move_on_after(8):
                await client.get(peer.origin)

        assert await lateness(read) < 0.1


async def test_a_body_in_too_many_chunks_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_client, "MAX_CHUNKS", 1000)

    async def answer(exchange: Exchange) -> None:
        await exchange._write(HEAD + b"1\r\na\r\n" * 2000)

    async with HttpPeer(answer) as peer, new_client() as client:
        with pytest.raises(RefusedAnswerError, match="in more than 1000 chunks"):
            await client.get(peer.origin)


@pytest.mark.parametrize(("size", "read"), [(1000, bytes(1000)), (1001, None)])
async def test_a_reader_has_a_limit_of_its_own(size: int, read: bytes | None) -> None:
    async def answer(exchange: Exchange) -> None:
        await exchange.respond(200, bytes(size))

    async with HttpPeer(answer) as peer, new_client() as client, client.stream("GET", peer.origin) as response:
        assert await read_bounded(response, 1000) == read


async def test_the_mcp_librarys_requests_are_bounded_too() -> None:
    import httpx2

    async def answer(exchange: Exchange) -> None:
        await exchange.respond(200, BOMBS["gzip"], content_type="application/json", content_encoding="gzip")

    async with HttpPeer(answer) as peer, new_client() as client:
        async with httpx2.AsyncClient(transport=Bridge(client, None)) as library:
            with pytest.raises(httpx2.TransportError, match="RefusedAnswerError"):
                await library.get(peer.origin)
        assert peer.exchanges[0].headers["accept-encoding"] == "identity"


BROKEN_URLS = [
    "http://xn--/", "http://\ud83d/", "http://a\0b/", "http://[::1", "http://127.0.0.1:99999/", "http:///path", "ftp://a/",
    "http://127.0.0.1:-1/", "http://" + "a" * 70_000, "", "http://xn--a.b.xn--/", "http://\u200b.com/",
]  # fmt: skip


@pytest.mark.parametrize("url", [*BROKEN_URLS, None, 1])
def test_a_url_that_cannot_be_requested_is_none(url: object) -> None:
    assert read_url(url) is None


@pytest.mark.parametrize("url", BROKEN_URLS)
@pytest.mark.parametrize("contact", [ask_owner, ask_for_a_token, run_api_request])
async def test_a_broken_url_is_a_failure_in_words(contact: Contact, url: str) -> None:
    assert await contact(url)


def test_a_broken_url_of_a_provider_is_its_failure() -> None:
    for url in BROKEN_URLS:
        with pytest.raises(ProviderError):
            endpoint(url, {}, ended_reason="failed")


def test_every_client_is_made_in_one_place() -> None:
    """No other module makes a client of httpx, or sends a request without one."""
    made = {"AsyncClient", "Client", "get", "post", "put", "patch", "delete", "head", "request", "stream"}
    found = {
        f"{path.name}:{node.lineno}"
        for path in SOURCES
        if path.name != "http_client.py"
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and isinstance(node.func.value, ast.Name)
        and node.func.value.id == "httpx"
        and node.func.attr in made
    }
    assert not found


def test_no_outgoing_socket_is_compressed() -> None:
    """Each connection of the websockets library turns permessage-deflate off."""
    calls = [
        node
        for path in SOURCES
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and any(keyword.arg == "additional_headers" for keyword in node.keywords)
    ]
    assert len(calls) >= 2
    for made in calls:
        options = {keyword.arg: keyword.value for keyword in made.keywords}
        assert isinstance(options["compression"], ast.Constant)
        assert options["compression"].value is None
        assert "max_size" in options
