"""Request heads that are too large, malformed or ambiguous are refused with the status of RFC 9110, 9112 and 6585."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.call.harness import serving
from tests.server.raw_http import HEAD, OK_REQUEST, answer, body_of, connect, status_of

pytestmark = pytest.mark.anyio

ENDLESS = 4 << 20
"""Bytes after which a head counts as endless, many times the limit."""


@pytest.fixture
async def url(tmp_path: Path) -> AsyncIterator[str]:
    async with serving(tmp_path) as base_url:
        yield base_url


@pytest.mark.parametrize(
    ("start", "piece", "status"),
    [
        (HEAD, b"X-Field: value\r\n" * 64, 431),
        (HEAD + b"X-Field: ", b"v" * 1024, 431),
        (HEAD, b"n" * 1024, 431),
        (b"GET /", b"p" * 1024, 414),
        (b"", b"\r\n" * 512, 431),
        (
            b"POST /call HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n",
            b"X-Trailer: value\r\n" * 64,
            431,
        ),
    ],
    ids=["fields", "field value", "field name", "request line", "empty lines", "trailers"],
)
async def test_a_head_without_end_is_refused_and_its_connection_closed(
    url: str, start: bytes, piece: bytes, status: int
) -> None:
    async with connect(url) as raw:
        await raw.send(start)
        sent, received = await raw.send_without_end(piece, ENDLESS)
    assert sent < ENDLESS
    assert status_of(received) == status
    assert body_of(received)["statusCode"] == status


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (HEAD + b"X-A: b\r\n" * 200 + b"\r\n", 431),
        (HEAD + b"X-A: " + b"v" * 40_000 + b"\r\n\r\n", 431),
        (b"GET /health?" + b"q" * 20_000 + b" HTTP/1.1\r\nHost: a\r\n\r\n", 414),
    ],
    ids=["200 fields", "one field of 40 KB", "a target of 20 KB"],
)
async def test_a_large_head_that_comes_at_once_is_refused(url: str, request_bytes: bytes, status: int) -> None:
    assert status_of(await answer(url, request_bytes)) == status


async def test_a_head_within_the_limits_is_accepted(url: str) -> None:
    fields = b"".join(b"X-%d: %s\r\n" % (number, b"v" * 200) for number in range(90))
    async with connect(url) as raw:
        await raw.send(HEAD + fields + b"\r\n")
        assert (await raw.response())[0] == 200


BODY = b'{"name": "smuggled"}'
POST = b"POST /assistant HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
AMBIGUOUS = {
    "length and chunked": POST + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "chunked and length": POST + b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
    "two lengths": POST + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
    "two equal lengths": POST + b"Content-Length: 2\r\nContent-Length: 2\r\n\r\n{}",
    "a list of lengths": POST + b"Content-Length: 2, 2\r\n\r\n{}",
    "a signed length": POST + b"Content-Length: +2\r\n\r\n{}",
    "a negative length": POST + b"Content-Length: -2\r\n\r\n{}",
    "a hexadecimal length": POST + b"Content-Length: 0x2\r\n\r\n{}",
    "an overflowing length": POST + b"Content-Length: 99999999999999999999999\r\n\r\n{}",
    "an unknown coding": POST + b"Transfer-Encoding: xchunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
    "a coding after chunked": POST + b"Transfer-Encoding: chunked, identity\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
    "chunked twice": POST + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
    "a space before the colon": POST + b"Content-Length : 2\r\n\r\n{}",
    "a folded field": POST + b"Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n",
    "an overflowing chunk": POST + b"Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n",
    "a chunk without its end": POST + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}XX\r\n",
    "line ends without CR": b"GET /health HTTP/1.1\nHost: a\n\n",
    "a NUL in a field": HEAD + b"X: a\0b\r\n\r\n",
    "a CR in a field": HEAD + b"X: a\rb\r\n\r\n",
    "a NUL in the target": b"GET /hea\0lth HTTP/1.1\r\nHost: a\r\n\r\n",
    "a space in the target": b"GET /hea lth HTTP/1.1\r\nHost: a\r\n\r\n",
    "bytes in the target": b"GET /\xff\xfe HTTP/1.1\r\nHost: a\r\n\r\n",
    "two hosts": b"GET /health HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
    "no host": b"GET /health HTTP/1.1\r\n\r\n",
    "a preface of HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "CONNECT": b"CONNECT example.org:443 HTTP/1.1\r\nHost: example.org:443\r\n\r\n",
    "an asterisk": b"GET * HTTP/1.1\r\nHost: a\r\n\r\n",
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(200),
    "no protocol": b"GET /health\r\n\r\n",
    "an unknown version": b"GET /health HTTP/9.9\r\nHost: a\r\n\r\n",
    "an unknown method": b"FROB /health HTTP/1.1\r\nHost: a\r\n\r\n",
}
SMUGGLED = POST + b"Content-Length: %d\r\n\r\n%s" % (len(BODY), BODY)


@pytest.mark.parametrize("request_bytes", AMBIGUOUS.values(), ids=AMBIGUOUS)
async def test_a_malformed_request_is_refused_and_nothing_after_it_is_read(url: str, request_bytes: bytes) -> None:
    async with connect(url) as raw:
        await raw.send(request_bytes + SMUGGLED)
        received = await raw.until_closed()
    assert received.count(b"HTTP/1.1 ") == 1
    assert status_of(received) == 400
    assert body_of(received)["error"] == "Bad Request"
    async with connect(url) as raw:
        await raw.send(b"GET /assistant HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        assert await raw.response() == (200, b"[]")


async def test_a_request_that_is_being_answered_gets_its_answer_before_garbage_after_it_closes(url: str) -> None:
    received = await answer(url, SMUGGLED + b"\0\0\0garbage\r\n\r\n")
    assert status_of(received) == 201
    assert b"smuggled" in received
    assert received.count(b"HTTP/1.1 ") == 1


async def test_requests_may_be_pipelined_but_not_without_end(url: str) -> None:
    async with connect(url) as raw:
        await raw.send(OK_REQUEST * 4)
        assert [(await raw.response())[0] for _ in range(4)] == [200] * 4
    received = await answer(url, OK_REQUEST * 500)
    assert 1 <= received.count(b"HTTP/1.1 200") <= 20


async def test_trailers_do_not_become_headers(url: str) -> None:
    chunked = POST + b"Transfer-Encoding: chunked\r\nTrailer: Authorization\r\n\r\n14\r\n" + BODY + b"\r\n0\r\n"
    async with connect(url) as raw:
        await raw.send(chunked + b"Authorization: Bearer x\r\n\r\n")
        assert (await raw.response())[0] == 201


async def test_chunk_extensions_without_end_are_refused(url: str) -> None:
    async with connect(url) as raw:
        await raw.send(POST + b"Transfer-Encoding: chunked\r\n\r\n1;")
        sent, received = await raw.send_without_end(b"x=" + b"y" * 1022, ENDLESS)
    assert sent < ENDLESS
    assert status_of(received) == 400


async def test_many_requests_that_expect_100_are_each_answered(url: str) -> None:
    async with connect(url) as raw:
        for _ in range(20):
            await raw.send(POST + b"Expect: 100-continue\r\nContent-Length: %d\r\n\r\n" % len(BODY))
            assert (await raw.response())[0] == 100
            await raw.send(BODY)
            assert (await raw.response())[0] == 201


UPGRADE = b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
KEY = b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
JOIN = b"GET /x/transport HTTP/1.1\r\nHost: 127.0.0.1\r\n"
WHOLE_JOIN = JOIN + UPGRADE + KEY + b"\r\n"
PROTOCOL = b"Sec-WebSocket-Protocol: "
BAD_UPGRADES = {
    "another method": WHOLE_JOIN.replace(b"GET", b"POST"),
    "HTTP/1.0": WHOLE_JOIN.replace(b"HTTP/1.1", b"HTTP/1.0"),
    "no key": JOIN + UPGRADE + b"\r\n",
    "a wrong key": JOIN + UPGRADE + b"Sec-WebSocket-Key: x\r\n\r\n",
    "a body": JOIN + b"Content-Length: 2\r\n" + UPGRADE + KEY + b"\r\n{}",
    "bytes in the target": WHOLE_JOIN.replace(b"/x/", b"/\xff/"),
    "bytes in a field": JOIN + b"X: \xff\r\n" + UPGRADE + KEY + b"\r\n",
    "a wrong version": WHOLE_JOIN.replace(b"13", b"99"),
    "a field of 9 KB": JOIN + PROTOCOL + b"p" * 9000 + b"\r\n" + UPGRADE + KEY + b"\r\n",
    "2000 subprotocols": JOIN + PROTOCOL + b"p," * 2000 + b"p\r\n" + UPGRADE + KEY + b"\r\n",
}


@pytest.mark.parametrize("request_bytes", BAD_UPGRADES.values(), ids=BAD_UPGRADES)
async def test_a_wrong_upgrade_is_refused_and_the_server_goes_on(url: str, request_bytes: bytes) -> None:
    received = await answer(url, request_bytes)
    status = status_of(received)
    assert status is not None
    assert status == 101 or 400 <= status < 500, received
    async with connect(url) as raw:
        await raw.send(OK_REQUEST)
        assert (await raw.response())[0] == 200


async def test_an_upgrade_is_not_read_behind_a_request_that_is_being_answered(url: str) -> None:
    received = await answer(
        url, SMUGGLED + b"GET /x/transport HTTP/1.1\r\nHost: 127.0.0.1\r\n" + UPGRADE + KEY + b"\r\n"
    )
    assert received.count(b"HTTP/1.1 ") == 1
    assert status_of(received) == 201


async def test_an_upgrade_to_another_protocol_is_ignored(url: str) -> None:
    offer = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n\r\n"
    assert status_of(await answer(url, HEAD + offer)) == 200
