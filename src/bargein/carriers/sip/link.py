"""The link between the server and its SIP agent: one socket pair for messages and the audio of all calls.

A frame is a length, a channel and a kind, then the payload. Channel 0 carries messages (`carriers.sip.messages`), each
other channel the `SipCodec` frames of one call. Both ends run asyncio on the same machine, and one task reads for all
calls: a hundred calls make ten thousand frames a second.
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
"""The longest payloads are the headers of an INVITE; a SIP message over UDP has at most 64 KiB."""
_MOST_UNSENT = 16 << 20
"""Half a minute of the audio of a hundred calls: an end with so much unsent has stalled."""

MESSAGES = 0
"""The channel of messages."""


class Link(asyncio.Protocol):
    """One end of the link.

    Attributes:
        lost: set once the other end is gone, has stalled, or has sent an unreadable frame.

    Args:
        on_frame: is called with each channel and frame, by the task that runs `pump`.
    """

    def __init__(self, on_frame: Callable[[int, str | bytes], None]) -> None:
        self.lost = anyio.Event()
        self._on_frame = on_frame
        self._partial = bytearray()
        self._received: deque[tuple[int, str | bytes]] = deque()
        self._wake = asyncio.Event()
        self._transport: asyncio.Transport | None = None

    @classmethod
    async def connect(cls, end: socket.socket, on_frame: Callable[[int, str | bytes], None]) -> "Link":
        """Make a link over a connected socket, which it then owns."""
        end.setblocking(False)  # noqa: FBT003  # the socket library's own
        link = cls(on_frame)
        await asyncio.get_running_loop().create_unix_connection(lambda: link, sock=end)
        return link

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is no subclass

    @override
    def data_received(self, data: bytes) -> None:
        partial = self._partial
        partial += data
        at = 0
        while len(partial) - at >= _HEAD.size:
            length, channel, kind = _HEAD.unpack_from(partial, at)
            if length > _LONGEST:
                self.close()
                return
            end = at + _HEAD.size + length
            if len(partial) < end:
                break
            payload = bytes(partial[at + _HEAD.size : end])
            at = end
            self._received.append((channel, payload.decode(errors="replace") if kind == _TEXT else payload))
        del partial[:at]
        self._wake.set()

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        self.lost.set()
        self._wake.set()

    async def pump(self) -> None:
        """Pass frames on until the link is lost."""
        while True:
            while self._received:
                self._on_frame(*self._received.popleft())
            if self.lost.is_set():
                return
            self._wake.clear()
            await self._wake.wait()

    def send(self, channel: int, frame: str | bytes) -> None:
        """Send a frame; a lost link drops it."""
        transport = self._transport
        if transport is None or self.lost.is_set():
            return
        data, kind = (frame.encode(), _TEXT) if isinstance(frame, str) else (frame, _BYTES)
        transport.write(_HEAD.pack(len(data), channel, kind) + data)
        if transport.get_write_buffer_size() > _MOST_UNSENT:
            self.close()

    def close(self) -> None:
        """Close the link at once."""
        self.lost.set()
        self._wake.set()
        if self._transport is not None:
            self._transport.abort()
