"""Raw connections to a server, for requests that no HTTP client sends."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import anyio

HEAD = b"GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\n"
OK_REQUEST = HEAD + b"\r\n"


@dataclass
class Raw:
    """A TCP connection to a server.

    Attributes:
        reader: the received bytes.
        writer: for what is sent.
    """

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def send(self, data: bytes, seconds: float = 5) -> bool:
        """Send bytes; return False if the server has closed the connection."""
        try:
            self.writer.write(data)
            with anyio.fail_after(seconds):
                await self.writer.drain()
        except (ConnectionError, RuntimeError):
            return False
        return not self.writer.is_closing()

    async def send_without_end(self, piece: bytes, most_bytes: int) -> tuple[int, bytes]:
        """Send `piece` again and again until the server answers or closes, or `most_bytes` have been sent.

        Returns:
            The number of bytes sent, and what came until the server closed the connection.
        """
        sent, received = 0, b""
        while not received and sent < most_bytes and await self.send(piece):
            sent += len(piece)
            with anyio.move_on_after(0.002), suppress(ConnectionError):
                received = await self.reader.read(1 << 16)
                break
        return sent, received + await self.until_closed()

    async def until_closed(self, seconds: float = 5) -> bytes:
        """Return everything that comes until the server closes the connection."""
        received = bytearray()
        with anyio.fail_after(seconds), suppress(ConnectionError):
            while data := await self.reader.read(1 << 16):
                received += data
        return bytes(received)

    async def response(self, seconds: float = 5) -> tuple[int, bytes]:
        """Return the status and body of the next response, which must have a Content-Length."""
        with anyio.fail_after(seconds):
            head = await self.reader.readuntil(b"\r\n\r\n")
            length = next(
                (
                    int(line.split(b":")[1])
                    for line in head.lower().split(b"\r\n")
                    if line.startswith(b"content-length:")
                ),
                0,
            )
            return int(head.split()[1]), await self.reader.readexactly(length)

    async def closes_after_s(self, seconds: float = 10) -> float:
        """Return how many seconds pass until the server closes the connection."""
        began = time.perf_counter()
        await self.until_closed(seconds)
        return time.perf_counter() - began


@asynccontextmanager
async def connect(url: str) -> AsyncIterator[Raw]:
    """Open a connection to the server at `url`."""
    parts = urlsplit(url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    try:
        yield Raw(reader, writer)
    finally:
        writer.close()
        with suppress(ConnectionError, TimeoutError):
            with anyio.move_on_after(1):
                await writer.wait_closed()


def status_of(received: bytes) -> int | None:
    """Return the status of the first response in `received`; None if there is none."""
    return int(received.split()[1]) if received.startswith(b"HTTP/1.1 ") else None


def body_of(received: bytes) -> Any:
    """Return the JSON of the first response in `received`."""
    return json.loads(received.partition(b"\r\n\r\n")[2])


async def answer(url: str, data: bytes, seconds: float = 5) -> bytes:
    """Send bytes on a new connection, and return everything until the server closes it."""
    async with connect(url) as raw:
        await raw.send(data)
        return await raw.until_closed(seconds)
