"""Floods of WebSocket frames that carry no audio: fragments, pings and pongs that never end."""

import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import httpx
import pytest

from bargein.server.connections.websocket import MAX_CONTROL_FRAMES
from tests.call.stage import staged
from tests.server.raw_http import Raw, connect

pytestmark = pytest.mark.anyio

UPGRADE = (
    b"GET /%s/transport HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n%s\r\n"
)
CONT, TEXT, BINARY, PING, PONG = 0x0, 0x1, 0x2, 0x9, 0xA
DEFLATE = b"Sec-WebSocket-Extensions: permessage-deflate\r\n"


def frame(opcode: int, payload: bytes = b"", *, last: bool = True, reserved: int = 0) -> bytes:
    """Return a masked frame (RFC 6455, section 5.2); the mask is 0, so that the payload is as given."""
    return bytes([0x80 * last | reserved | opcode, 0x80 | len(payload)]) + bytes(4) + payload


@asynccontextmanager
async def joined(tmp_path: Path, more: bytes = b"") -> AsyncIterator[tuple[Raw, bytes]]:
    """Create a call and join it on a raw connection; yield it with the head of the server's answer."""
    async with staged(tmp_path) as stage:
        async with httpx.AsyncClient() as client:
            body = {"assistant": stage.speaker(), "transport": {"provider": "vapi.websocket"}}
            call = (await client.post(f"{stage.url}/call", json=body)).raise_for_status().json()
        async with connect(stage.url) as raw:
            await raw.send(UPGRADE % (call["id"].encode(), more))
            with anyio.fail_after(5):
                yield raw, await raw.reader.readuntil(b"\r\n\r\n")


async def close_code(raw: Raw, piece: bytes, most_bytes: int = 1 << 20) -> int | None:
    """Send `piece` until the server closes the socket; return the code of its close frame."""
    sent = 0
    received = bytearray()
    while sent < most_bytes and await raw.send(piece):
        sent += len(piece)
        with anyio.move_on_after(0.001):
            if not (data := await raw.reader.read(1 << 16)):
                break
            received += data
    if sent >= most_bytes:
        return None
    received += await raw.until_closed()
    return closing(bytes(received))


def closing(data: bytes) -> int | None:
    """Return the code of the close frame in a server's frames."""
    while len(data) >= 2:
        size, start = data[1] & 0x7F, 2
        if size == 126:
            size, start = struct.unpack_from("!H", data, 2)[0], 4
        if data[0] & 0x0F == 0x8:
            return struct.unpack_from("!H", data, start)[0]
        data = data[start + size :]
    return None


@pytest.mark.parametrize(
    ("start", "piece", "code"),
    [
        (frame(TEXT, b"{", last=False), frame(CONT, last=False) * 50, 1009),
        (frame(BINARY, b"", last=False), frame(CONT, b"\0\0", last=False) * 50, 1009),
        (b"", frame(PING) * 20, 1008),
        (b"", frame(PING, bytes(125)) * 20, 1008),
        (b"", frame(PONG) * 20, 1008),
    ],
    ids=["empty fragments", "small fragments", "pings", "long pings", "pongs"],
)
async def test_a_flood_closes_its_socket(tmp_path: Path, start: bytes, piece: bytes, code: int) -> None:
    async with joined(tmp_path) as (raw, _):
        await raw.send(start)
        assert await close_code(raw, piece) == code


async def test_pings_at_a_usual_rate_are_answered(tmp_path: Path) -> None:
    async with joined(tmp_path) as (raw, _):
        await raw.send(frame(PING, b"abcd") * (MAX_CONTROL_FRAMES // 2))
        received = b""
        with anyio.fail_after(5):
            while received.count(b"\x8a\x04abcd") < MAX_CONTROL_FRAMES // 2:
                received += await raw.reader.read(1 << 16)
        assert closing(received) is None


async def test_compression_is_not_negotiated_and_a_compressed_frame_closes_the_socket(tmp_path: Path) -> None:
    async with joined(tmp_path, DEFLATE) as (raw, head):
        assert b"permessage-deflate" not in head.lower()
        assert await close_code(raw, frame(BINARY, bytes(64), reserved=0x40)) == 1002
