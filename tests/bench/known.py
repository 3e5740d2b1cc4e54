"""A server of Vapi's WebSocket transport that falls silent at given times, whatever it receives."""

import json
from contextlib import AsyncExitStack
from typing import Any, Self

import anyio
import numpy as np
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from bargein.audio import g711
from bargein.clock import LoopClock
from bargein.testing.http_peer import Exchange, HttpPeer

_CLOCK = LoopClock()
_LEAD_MS = 60
_TURN_MS = 20.0
_SETTLED_S = 0.15


class KnownServer:
    """A server whose calls are `KnownCall`s, in the order in which they began; `url` is that of its API.

    Args:
        talks: whether the assistant begins to speak by itself.
        pause_ms: length of the silence after a cut; None: it does not speak again.
    """

    def __init__(self, *, talks: bool = True, pause_ms: float | None = None) -> None:
        self.calls: list[KnownCall] = []
        self.assistants: list[dict[str, Any]] = []
        self._talks = talks
        self._pause_ms = pause_ms
        self._http = HttpPeer(self._answer)
        self._stack = AsyncExitStack()
        self._sockets: Server | None = None

    @property
    def url(self) -> str:
        return self._http.origin

    async def __aenter__(self) -> Self:
        await self._stack.enter_async_context(self._http)
        self._sockets = await self._stack.enter_async_context(
            serve(self._talk, "127.0.0.1", 0, compression=None, close_timeout=0.2)
        )
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self._stack.aclose()

    async def _answer(self, exchange: Exchange) -> None:
        assert self._sockets is not None
        self.assistants.append(exchange.body["assistant"])
        audio = exchange.body["transport"]["audioFormat"]
        port = next(iter(self._sockets.sockets)).getsockname()[1]
        transport = {"websocketCallUrl": f"ws://127.0.0.1:{port}/{audio['format']}", "audioFormat": audio}
        body = json.dumps({"id": "c", "transport": transport}).encode()
        await exchange.respond(201, body, content_type="application/json")

    async def _talk(self, socket: ServerConnection) -> None:
        assert socket.request is not None
        call = KnownCall(socket, coded="mulaw" in socket.request.path)
        self.calls.append(call)
        try:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self._speak, call)
                async for frame in socket:
                    if isinstance(frame, bytes):
                        call.heard += frame
                        continue
                    call.said.append(json.loads(frame))
                    if call.said[-1]["type"] == "end-call":
                        await socket.close()
                tasks.cancel_scope.cancel()
        except* ConnectionClosed:
            pass

    async def _speak(self, call: "KnownCall") -> None:
        if self._talks:
            await anyio.sleep(_SETTLED_S)  # the handshake takes processor time
            await call.speak()
        while self._pause_ms is not None or not self._talks:
            await call.wait(self._pause_ms)
            await call.speak()


class KnownCall:
    """A call. `cut_at_ms` is when it is to fall silent, and `silent_ms` when it last did, on the loop's clock."""

    def __init__(self, socket: ServerConnection, *, coded: bool) -> None:
        self.heard = bytearray()
        self.said: list[dict[str, Any]] = []
        self.cut_at_ms = float("inf")
        self.speak_at_ms: float | None = None
        self.silent_ms = 0.0
        self._socket = socket
        self._coded = coded

    async def wait(self, pause_ms: float | None) -> None:
        """Wait until the pause is over, or until it is time to speak."""
        if pause_ms is not None:
            await anyio.sleep(pause_ms / 1000)
            return
        while self.speak_at_ms is None or _CLOCK.monotonic_ms() < self.speak_at_ms:
            await anyio.sleep(0.002)
        self.speak_at_ms = None

    async def speak(self) -> None:
        """Send a tone in real time until the cut."""
        began_ms, sent_ms, end_ms = _CLOCK.monotonic_ms(), 0.0, 0.0
        while (left_ms := self.cut_at_ms - began_ms - sent_ms) > 0:
            if _CLOCK.monotonic_ms() >= began_ms + sent_ms - _LEAD_MS:
                piece_ms = min(_TURN_MS, left_ms)
                end_ms = max(end_ms, _CLOCK.monotonic_ms()) + await self._send(piece_ms)
                sent_ms += piece_ms
            await anyio.sleep(0.002)
        self.silent_ms, self.cut_at_ms = end_ms, float("inf")
        await self._socket.send(json.dumps({"type": "user-interrupted", "turnId": "t"}))

    async def _send(self, duration_ms: float) -> float:
        rate_khz = 8 if self._coded else 16
        pcm = np.full(round(duration_ms * rate_khz), 4000, dtype="<i2")
        await self._socket.send(g711.encode(pcm) if self._coded else pcm.tobytes())
        return pcm.size / rate_khz
