"""A server of Vapi's WebSocket transport with one gift: it falls silent exactly so many milliseconds after an onset.

Where the caller's voice begins it reads from the caller's own samples, apart from everything the client measures.
"""

import json
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any, Self

import anyio
import numpy as np
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from bargein.clock import LoopClock
from bargein.testing.http_peer import Exchange, HttpPeer

RATE_HZ = 16_000
_BYTES_PER_MS = 32
_CLOCK = LoopClock()
_LOUD = 200
_LEAD_MS = 60
_QUIET_MS = 250
_BACKOFF_MS = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """What the stub does about one onset: nothing, if `message_ms` is None."""

    message_ms: float | None
    silence_ms: float = 0.0


@dataclass(slots=True, kw_only=True)
class Done:
    """What came of a cut, by the stub's own clock and from the onset on: a busy machine makes it late by some ms."""

    onset_ms: float
    message_ms: float = 0.0
    silence_ms: float = 0.0


@dataclass(slots=True, kw_only=True)
class Script:
    """How the stub behaves.

    Attributes:
        cuts: one for each time that the caller speaks over it.
        greeting_ms: how long it speaks first.
        answer_ms: how long each answer is.
        hiccup_ms: how long it sends nothing, once, half a second into each answer.
        bunch: how many of its frames leave together, late but within what is queued: network jitter.
        status: of the answer to POST /call.
        body: of that answer, when it is an error.
        key: what it wants as bearer key.
        close_after_ms: breaks the call off so long after its start.
        rings_at: a path that makes a call as POST /call does.
    """

    cuts: Sequence[Cut] = ()
    greeting_ms: float = 300
    answer_ms: float = 2000
    hiccup_ms: float = 0
    bunch: int = 1
    status: int = 201
    body: Any = None
    key: str | None = None
    close_after_ms: float | None = None
    rings_at: str | None = None


class StubServer:
    """HTTP and WebSocket on free ports of 127.0.0.1; `url` is the API's."""

    def __init__(self, script: Script | None = None) -> None:
        self.script = script or Script()
        self.done: list[Done] = []
        self.said: list[dict[str, Any]] = []
        self.requests: list[Exchange] = []
        self.socket_headers: list[dict[str, str]] = []
        self._http = HttpPeer(self._answer)
        self._stack = AsyncExitStack()
        self._sockets: Server | None = None

    @property
    def url(self) -> str:
        return self._http.origin

    @property
    def socket_url(self) -> str:
        assert self._sockets is not None
        return f"ws://127.0.0.1:{next(iter(self._sockets.sockets)).getsockname()[1]}/c1/transport"

    async def __aenter__(self) -> Self:
        await self._stack.enter_async_context(self._http)
        self._sockets = await self._stack.enter_async_context(
            serve(self._talk, "127.0.0.1", 0, compression=None, close_timeout=0.2)
        )
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self._stack.aclose()

    async def _answer(self, exchange: Exchange) -> None:
        self.requests.append(exchange)
        if exchange.path not in ("/call", self.script.rings_at):
            await exchange.respond(200, b"{}", content_type="application/json")
            return
        status, body = self.script.status, self.script.body
        if self.script.key and exchange.headers.get("authorization") != f"Bearer {self.script.key}":
            status, body = 401, {"message": "Invalid Key.", "error": "Unauthorized", "statusCode": 401}
        if status == 201 and body is None:
            audio = exchange.body["transport"]["audioFormat"]
            body = {"id": "c1", "transport": {"websocketCallUrl": self.socket_url, "audioFormat": audio}}
        await exchange.respond(status, json.dumps(body).encode(), content_type="application/json")

    async def _talk(self, socket: ServerConnection) -> None:
        assert socket.request is not None
        self.socket_headers.append({k.lower(): v for k, v in socket.request.headers.raw_items()})
        try:
            async with anyio.create_task_group() as tasks:
                assistant = _Assistant(socket, self.script, self.done)
                tasks.start_soon(assistant.run)
                async for frame in socket:
                    if isinstance(frame, bytes):
                        await assistant.hear(frame)
                    else:
                        self.said.append(json.loads(frame))
                        if self.said[-1]["type"] == "end-call":
                            await assistant.say_goodbye()
                tasks.cancel_scope.cancel()
        except* ConnectionClosed:
            pass


class _Assistant:
    """Greets, answers after each silence of the caller, and stops as the script says."""

    def __init__(self, socket: ServerConnection, script: Script, done: list[Done]) -> None:
        self._socket = socket
        self._done = done
        self._script = script
        self._cuts = list(script.cuts)
        self._turn = 0
        self._speaking = False
        self._until_ms = 0.0
        self._voiced_ms: float | None = None
        self._quiet_from_ms = 0.0
        self._heard_ms = 0.0
        self._began_ms: float | None = None
        self._wanted = anyio.Event()
        self._cutting: tuple[Cut, Done] | None = None
        self._yielded: Done | None = None

    async def run(self) -> None:
        await self._tell(type="status-update", status="in-progress")
        mode = "assistant-speaks-first" if self._script.greeting_ms else "assistant-waits-for-user"
        await self._tell(type="assistant.started", newAssistant={"firstMessageMode": mode})
        if self._script.close_after_ms is not None:
            await anyio.sleep(self._script.close_after_ms / 1000)
            await self._socket.close(1011, "broken on purpose")
        if self._script.greeting_ms:
            await self._speak(self._script.greeting_ms, None)
        while True:
            await self._wanted.wait()
            self._wanted = anyio.Event()
            self._turn += 1
            await self._speak(self._script.answer_ms, f"turn-{self._turn}")

    async def hear(self, frame: bytes) -> None:
        """Take the caller's audio; its clock is the count of samples, from the first frame's arrival."""
        now_ms = _CLOCK.monotonic_ms()
        # The frame that was least late tells best when the stream began.
        began_ms = now_ms - self._heard_ms - len(frame) / _BYTES_PER_MS
        self._began_ms = min(began_ms, began_ms if self._began_ms is None else self._began_ms)
        start_ms = self._began_ms + self._heard_ms
        self._heard_ms += len(frame) / _BYTES_PER_MS
        loud = np.flatnonzero(np.abs(np.frombuffer(frame, "<i2").astype(int)) > _LOUD)
        if loud.size:
            if self._voiced_ms is None:
                self._voiced_ms = start_ms + int(loud[0]) / 16
                await self._onset(self._voiced_ms)
            self._quiet_from_ms = start_ms + (int(loud[-1]) + 1) / 16
        elif self._voiced_ms is not None and start_ms - self._quiet_from_ms > _QUIET_MS:
            self._voiced_ms = None
            if not self._speaking or self._yielded is not None:
                self._wanted.set()

    async def say_goodbye(self) -> None:
        await self._tell(type="status-update", status="ended", endedReason="customer-ended-call")
        await self._socket.close(1000)

    async def _onset(self, onset_ms: float) -> None:
        if not self._speaking or not self._cuts:
            return
        cut = self._cuts.pop(0)
        if cut.message_ms is not None:
            self._yielded = Done(onset_ms=onset_ms)
            self._done.append(self._yielded)
            self._cutting = (cut, self._yielded)
            self._until_ms = onset_ms + cut.silence_ms

    async def _speak(self, duration_ms: float, turn_id: str | None) -> None:
        began_ms = _CLOCK.monotonic_ms()
        self._speaking, self._until_ms, self._cutting, self._yielded = True, began_ms + duration_ms, None, None
        if turn_id:
            await self._tell(type="model-output", turnId=turn_id, output="words ")
        await self._tell(type="speech-update", status="started", role="assistant", turn=self._turn)
        sent_ms, waiting, heard_until_ms, hiccup_ms = 0.0, b"", 0.0, self._script.hiccup_ms
        while (left_ms := self._until_ms - began_ms - sent_ms) > 0 or self._cutting is not None:
            await self._message_if_due(turn_id)
            if sent_ms >= 500 and hiccup_ms > 0:
                await anyio.sleep(hiccup_ms / 1000)
                hiccup_ms = 0.0
            if left_ms > 0 and _CLOCK.monotonic_ms() >= began_ms + sent_ms - _LEAD_MS:
                waiting += _voice(min(20.0, left_ms))
                sent_ms += min(20.0, left_ms)
            # What waits leaves when enough is together, or when this was the end.
            if len(waiting) >= 640 * self._script.bunch or (waiting and self._until_ms - began_ms <= sent_ms):
                heard_until_ms = max(heard_until_ms, _CLOCK.monotonic_ms()) + len(waiting) / _BYTES_PER_MS
                await self._socket.send(waiting)
                waiting = b""
            await anyio.sleep(0.002)
        self._speaking = False
        await self._tell(type="speech-update", status="stopped", role="assistant", turn=self._turn)
        if self._yielded is not None:
            self._yielded.silence_ms = heard_until_ms - self._yielded.onset_ms
            self._yielded = None
            await anyio.sleep(_BACKOFF_MS / 1000)

    async def _message_if_due(self, turn_id: str | None) -> None:
        if self._cutting is None:
            return
        cut, done = self._cutting
        done.message_ms = _CLOCK.monotonic_ms() - done.onset_ms
        if done.message_ms >= float(cut.message_ms or 0):
            self._cutting = None
            await self._tell(type="user-interrupted", turnId=turn_id)
            await self._tell(type="model-output", turnId=turn_id, output="late ")

    async def _tell(self, **message: Any) -> None:
        await self._socket.send(json.dumps(message))


def _voice(duration_ms: float) -> bytes:
    """A tone whose every sample can be heard."""
    return np.full(round(duration_ms * 16), 4000, dtype="<i2").tobytes()
