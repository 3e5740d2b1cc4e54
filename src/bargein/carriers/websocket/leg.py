"""Vapi's WebSocket transport: raw mono audio in binary frames, one bare JSON message a text frame.

It has no `clear`: what was sent will be played by clients that know nothing of `user-interrupted`.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Literal, Protocol

import anyio
import structlog

from bargein.audio import g711
from bargein.audio.pcm import from_bytes, to_bytes
from bargein.ports import CarrierError, Pcm16
from bargein.wire.base import JsonObject

Encoding = Literal["pcm_s16le", "mulaw"]

NORMAL_CLOSURE = 1000
"""RFC 6455, section 7.4.1."""
TRY_AGAIN_LATER = 1013
"""IANA's registry of close codes: the peer is too slow, or the server too busy."""

_CLOSE_TIMEOUT_S = 10.0
# Three seconds. Audio goes out just in time, so that more than a few frames waiting mean a peer that has stalled.
_MOST_FRAMES = 150
_MOST_TEXT_CHARS = 8 << 20

_log = structlog.get_logger("bargein.carriers.websocket")


class Socket(Protocol):
    """What this carrier needs of a server's WebSocket."""

    async def send_text(self, data: str) -> None:
        """Send a text frame.

        Raises:
            ConnectionError: the peer is gone; also from the other two.
        """
        ...

    async def send_bytes(self, data: bytes) -> None:
        """Send a binary frame."""
        ...

    async def close(self, code: int = 1000, reason: str | None = None) -> None:
        """Close."""
        ...


class WebsocketLeg:
    """A `bargein.ports.Leg` over one WebSocket.

    Attributes:
        done: all is said and the socket is closed, or it is gone.

    Args:
        socket: where to.
        encoding: of the audio.
        rate_hz: of the audio.
        most_frames: so many frames may wait to be sent; a peer for which more do has stalled, and is let go.
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
    def bytes_per_sample(self) -> int:
        """See `Leg.bytes_per_sample`."""
        return 2 if self._encoding == "pcm_s16le" else 1

    def encode(self, pcm: Pcm16) -> bytes:
        """See `Leg.encode`."""
        return to_bytes(pcm) if self._encoding == "pcm_s16le" else g711.encode(pcm)

    def decode(self, data: bytes) -> Pcm16:
        """See `Leg.decode`."""
        return from_bytes(data) if self._encoding == "pcm_s16le" else g711.decode(data)

    def send_audio(self, frame: bytes) -> None:
        """See `Leg.send_audio`."""
        self._frames.append(frame)
        self._work.set()
        if len(self._frames) > self._most_frames:
            self._scope.cancel()

    def mark(self, name: str) -> None:
        """See `bargein.ports.Leg.mark`: Vapi's transport has none."""
        raise NotImplementedError

    def send_text(self, text: str) -> None:
        """See `Leg.send_text`."""
        self._texts.append(text)
        self._text_chars += len(text)
        self._work.set()
        if self._text_chars > _MOST_TEXT_CHARS:
            self._scope.cancel()

    def clear(self) -> None:
        """See `Leg.clear`."""
        self._frames.clear()

    def send_dtmf(self, keys: str) -> None:
        """See `bargein.ports.Leg.press`: a WebSocket has no telephone behind it."""
        raise CarrierError("a call over a WebSocket has no telephone keys.")

    async def transfer(self, destination: JsonObject) -> None:
        """See `bargein.ports.Leg.transfer`: whoever holds a WebSocket cannot be passed on to a telephone."""
        raise CarrierError("a call over a WebSocket cannot be transferred to a telephone.")

    def hang_up(self) -> None:
        """See `Leg.hang_up`."""
        self._hanging_up = True
        self._frames.clear()
        self._work.set()

    async def run(self, lost: Callable[[], None]) -> None:
        """Send until hung up. `lost` is called, once, when the peer is gone or takes nothing any more.

        A single send has no time limit, fifty times a second: a peer that stalls shows by what waits for it.
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
        _log.info("the caller's socket takes nothing any more")
        lost()
        with anyio.move_on_after(1, shield=True):
            await self._close(TRY_AGAIN_LATER)

    async def _send_next(self) -> bool:
        """Send one frame, text first; False once all is said and the socket is closed."""
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
        with suppress(OSError):  # closed already, which is what was wanted
            await self._socket.close(code)
