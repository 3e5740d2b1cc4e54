"""Vapi's WebSocket transport: raw mono audio in binary frames, one JSON message in each text frame.

It has no `clear`: a client that does not act on `user-interrupted` plays all audio that was sent.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Literal, Protocol

import anyio
import structlog
from typing_extensions import override

from bargein.audio import g711
from bargein.audio.pcm import from_bytes, to_bytes
from bargein.ports import CarrierError, Leg, Pcm16
from bargein.wire.base import JsonObject

Encoding = Literal["pcm_s16le", "mulaw"]

NORMAL_CLOSURE = 1000
"""RFC 6455, section 7.4.1."""
TRY_AGAIN_LATER = 1013
"""IANA's registry of close codes: the peer is too slow, or the server too busy."""

_CLOSE_TIMEOUT_S = 10.0
# Three seconds of audio. Audio is sent just in time, so a longer queue means that the peer has stalled.
_MOST_FRAMES = 150
_MOST_TEXT_CHARS = 8 << 20

_log = structlog.get_logger("bargein.carriers.websocket")


class Socket(Protocol):
    """A server's WebSocket, as this transport uses it."""

    async def send_text(self, data: str) -> None:
        """Send a text frame.

        Raises:
            ConnectionError: the peer is gone; the other two methods raise it too.
        """
        ...

    async def send_bytes(self, data: bytes) -> None:
        """Send a binary frame."""
        ...

    async def close(self, code: int = 1000, reason: str | None = None) -> None:
        """Close the socket."""
        ...


class WebsocketLeg(Leg):
    """A `bargein.ports.Leg` over one WebSocket.

    Attributes:
        done: set once everything was sent and the socket is closed, or the peer is gone.

    Args:
        socket: the socket.
        encoding: the encoding of the audio in both directions.
        rate_hz: the sampling rate of the audio in both directions.
        most_frames: the number of frames that may wait to be sent; a peer with more has stalled and is disconnected.
    """

    can_clear = False
    has_marks = False
    can_transfer = False
    has_client = True

    def __init__(self, socket: Socket, encoding: Encoding, rate_hz: int, most_frames: int = _MOST_FRAMES) -> None:
        self.rate_hz = rate_hz
        self._socket = socket
        self._encoding = encoding
        self._most_frames = most_frames
        self._texts: deque[str] = deque()
        self._text_chars = 0
        self._frames: deque[bytes] = deque()
        self._work = asyncio.Event()  # one for the whole call: anyio's cannot be cleared
        self._scope = anyio.CancelScope()
        self._hanging_up = False
        self.done = anyio.Event()

    @property
    @override
    def bytes_per_sample(self) -> int:
        return 2 if self._encoding == "pcm_s16le" else 1

    @override
    def encode(self, pcm: Pcm16) -> bytes:
        return to_bytes(pcm) if self._encoding == "pcm_s16le" else g711.encode(pcm)

    @override
    def decode(self, data: bytes) -> Pcm16:
        return from_bytes(data) if self._encoding == "pcm_s16le" else g711.decode(data)

    @override
    def send_audio(self, frame: bytes) -> None:
        self._frames.append(frame)
        self._work.set()
        if len(self._frames) > self._most_frames:
            self._scope.cancel()

    @override
    def mark(self, name: str) -> None:
        """Refuse: Vapi's transport has no marks."""
        raise NotImplementedError

    @override
    def send_text(self, text: str) -> None:
        self._texts.append(text)
        self._text_chars += len(text)
        self._work.set()
        if self._text_chars > _MOST_TEXT_CHARS:
            self._scope.cancel()

    @override
    def clear(self) -> None:
        self._frames.clear()

    @override
    def send_dtmf(self, keys: str) -> None:
        """Refuse: a WebSocket has no telephone keys."""
        raise CarrierError("a call over a WebSocket has no telephone keys.")

    @override
    async def transfer(self, destination: JsonObject) -> None:
        """Refuse: a WebSocket client cannot be transferred to a telephone."""
        raise CarrierError("a call over a WebSocket cannot be transferred to a telephone.")

    @override
    def hang_up(self) -> None:
        self._hanging_up = True
        self._frames.clear()
        self._work.set()

    async def run(self, lost: Callable[[], None]) -> None:
        """Send until hung up; call `lost` once if the peer is gone or has stalled.

        A single send has no time limit, since it happens fifty times a second; a stalled peer shows in its queue.
        """
        try:
            with self._scope:
                while await self._send_next():
                    pass
                return
        except OSError:
            pass
        finally:
            self.done.set()
        _log.info("the caller's socket has stalled or closed")
        lost()
        with anyio.move_on_after(1, shield=True):
            await self._close(TRY_AGAIN_LATER)

    async def _send_next(self) -> bool:
        """Send one frame, text first; return False once everything was sent and the socket is closed."""
        if self._texts:
            text = self._texts.popleft()
            await self._socket.send_text(text)
            self._text_chars -= len(text)
        elif self._hanging_up:
            with anyio.move_on_after(_CLOSE_TIMEOUT_S):
                await self._close(NORMAL_CLOSURE)
            return False
        elif self._frames:
            await self._socket.send_bytes(self._frames.popleft())
        else:
            self._work.clear()
            await self._work.wait()
        return True

    async def _close(self, code: int) -> None:
        with suppress(OSError):  # it is closed already
            await self._socket.close(code)
