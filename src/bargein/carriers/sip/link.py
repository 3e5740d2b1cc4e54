"""The link between the server and its SIP agent: one pair of sockets that carries orders and the sound of all calls.

A frame is a length, a channel and a kind, then what it holds. Channel 0 holds messages (`carriers.sip.messages`), each
other channel one call's `SipCodec` frames. Both ends are on this machine and both are asyncio, and one task reads for
all calls: a hundred of them are ten thousand frames a second.
"""

import asyncio
import socket
import struct
from collections import deque
from collections.abc import Callable
from typing import cast

import anyio
from typing_extensions import override

_HEAD = struct.Struct(">IIB")
_TEXT, _BYTES = 0, 1
_LONGEST = 1 << 20
"""The headers of an INVITE are the longest that is ever said; a SIP message over UDP has at most 64 KiB."""
_MOST_UNSENT = 16 << 20
"""Half a minute of a hundred calls' sound: an end for which so much waits has stalled."""

MESSAGES = 0
"""The channel of messages."""


class Link(asyncio.Protocol):
    """One end.

    Attributes:
        lost: the other end is gone, has stalled, or said what makes no sense.

    Args:
        take: gets each frame and its channel, from the task that runs `pump`.
    """

    def __init__(self, take: Callable[[int, str | bytes], None]) -> None:
        self.lost = anyio.Event()
        self._take = take
        self._rest = bytearray()
        self._came: deque[tuple[int, str | bytes]] = deque()
        self._work = asyncio.Event()
        self._transport: asyncio.Transport | None = None

    @classmethod
    async def over(cls, end: socket.socket, take: Callable[[int, str | bytes], None]) -> "Link":
        """Make a link of a connected socket, which is the link's from now on."""
        end.setblocking(False)  # noqa: FBT003  # the socket library's own
        link = cls(take)
        await asyncio.get_running_loop().create_unix_connection(lambda: link, sock=end)
        return link

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is no subclass

    @override
    def data_received(self, data: bytes) -> None:
        rest = self._rest
        rest += data
        at = 0
        while len(rest) - at >= _HEAD.size:
            length, channel, kind = _HEAD.unpack_from(rest, at)
            if length > _LONGEST:
                self.close()
                return
            end = at + _HEAD.size + length
            if len(rest) < end:
                break
            held = bytes(rest[at + _HEAD.size : end])
            at = end
            self._came.append((channel, held.decode(errors="replace") if kind == _TEXT else held))
        del rest[:at]
        self._work.set()

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        self.lost.set()
        self._work.set()

    async def pump(self) -> None:
        """Hand on what comes, until the link is lost."""
        while True:
            while self._came:
                self._take(*self._came.popleft())
            if self.lost.is_set():
                return
            self._work.clear()
            await self._work.wait()

    def send(self, channel: int, frame: str | bytes) -> None:
        """Put a frame on its way; on a link that is lost it goes nowhere."""
        transport = self._transport
        if transport is None or self.lost.is_set():
            return
        data, kind = (frame.encode(), _TEXT) if isinstance(frame, str) else (frame, _BYTES)
        transport.write(_HEAD.pack(len(data), channel, kind) + data)
        if transport.get_write_buffer_size() > _MOST_UNSENT:
            self.close()

    def close(self) -> None:
        """Cut it."""
        self.lost.set()
        self._work.set()
        if self._transport is not None:
            self._transport.abort()
