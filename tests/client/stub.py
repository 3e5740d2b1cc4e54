"""A server of Vapi's WebSocket transport that falls silent a known number of milliseconds after an onset.

It finds the onset of the caller's voice in the received samples, independently of the client's measurements.
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
    """The stub's reaction to one onset, in ms after it; it ignores the onset if `message_ms` is None."""

    message_ms: float | None
    silence_ms: float = 0.0


@dataclass(slots=True, kw_only=True)
class AppliedCut:
    """Times of a cut by the stub's clock, in ms after the onset; later than in the script on a busy machine."""

    onset_ms: float
    message_ms: float = 0.0
    silence_ms: float = 0.0


@dataclass(slots=True, kw_only=True)
class Script:
    """Behaviour of the stub.

    Attributes:
        cuts: one for each time that the caller speaks over the assistant.
        greeting_ms: length of the greeting; 0 if the caller speaks first.
        answer_ms: length of each answer.
        gap_ms: length of a gap in the audio, half a second into each answer.
        burst_frames: number of frames that are sent together, before the client's queue runs dry: network jitter.
        status: HTTP status of the answer to POST /call.
        body: body of that answer, if it is not a call.
        key: the required bearer key.
        close_after_ms: time after which the stub breaks off the call.
        ring_path: a path that makes a call like POST /call.
    """

    cuts: Sequence[Cut] = ()
    greeting_ms: float = 300
    answer_ms: float = 2000
    gap_ms: float = 0
    burst_frames: int = 1
    status: int = 201
    body: Any = None
    key: str | None = None
    close_after_ms: float | None = None
    ring_path: str | None = None


class StubServer:
    """An HTTP and a WebSocket server on free ports of 127.0.0.1; `url` is the API's."""

    def __init__(self, script: Script | None = None) -> None:
        self.script = script or Script()
        self.applied_cuts: list[AppliedCut] = []
        self.controls: list[dict[str, Any]] = []
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
            serve(self._serve_call, "127.0.0.1", 0, compression=None, close_timeout=0.2)
        )
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self._stack.aclose()

    async def _answer(self, exchange: Exchange) -> None:
        self.requests.append(exchange)
        if exchange.path not in ("/call", self.script.ring_path):
            await exchange.respond(200, b"{}", content_type="application/json")
            return
        status, body = self.script.status, self.script.body
        if self.script.key and exchange.headers.get("authorization") != f"Bearer {self.script.key}":
            status, body = 401, {"message": "Invalid Key.", "error": "Unauthorized", "statusCode": 401}
        if status == 201 and body is None:
            audio = exchange.body["transport"]["audioFormat"]
            body = {"id": "c1", "transport": {"websocketCallUrl": self.socket_url, "audioFormat": audio}}
        await exchange.respond(status, json.dumps(body).encode(), content_type="application/json")

    async def _serve_call(self, socket: ServerConnection) -> None:
        assert socket.request is not None
        self.socket_headers.append({k.lower(): v for k, v in socket.request.headers.raw_items()})
        try:
            async with anyio.create_task_group() as tasks:
                assistant = _Assistant(socket, self.script, self.applied_cuts)
                tasks.start_soon(assistant.run)
                async for frame in socket:
                    if isinstance(frame, bytes):
                        await assistant.receive_audio(frame)
                    else:
                        self.controls.append(json.loads(frame))
                        if self.controls[-1]["type"] == "end-call":
                            await assistant.end_call()
                tasks.cancel_scope.cancel()
        except* ConnectionClosed:
            pass


class _Assistant:
    """An assistant that greets, answers after each pause of the caller, and stops as the script says."""

    def __init__(self, socket: ServerConnection, script: Script, applied_cuts: list[AppliedCut]) -> None:
        self._socket = socket
        self._applied_cuts = applied_cuts
        self._script = script
        self._cuts = list(script.cuts)
        self._turn = 0
        self._speaking = False
        self._until_ms = 0.0
        self._voice_ms: float | None = None
        self._quiet_from_ms = 0.0
        self._received_ms = 0.0
        self._began_ms: float | None = None
        self._answer_due = anyio.Event()
        self._cutting: tuple[Cut, AppliedCut] | None = None
        self._stopped: AppliedCut | None = None

    async def run(self) -> None:
        await self._send_message(type="status-update", status="in-progress")
        mode = "assistant-speaks-first" if self._script.greeting_ms else "assistant-waits-for-user"
        await self._send_message(type="assistant.started", newAssistant={"firstMessageMode": mode})
        if self._script.close_after_ms is not None:
            await anyio.sleep(self._script.close_after_ms / 1000)
            await self._socket.close(1011, "broken on purpose")
        if self._script.greeting_ms:
            await self._speak(self._script.greeting_ms, None)
        while True:
            await self._answer_due.wait()
            self._answer_due = anyio.Event()
            self._turn += 1
            await self._speak(self._script.answer_ms, f"turn-{self._turn}")

    async def receive_audio(self, frame: bytes) -> None:
        """Find onsets in the caller's audio; its time is the count of samples since the stream began."""
        now_ms = _CLOCK.monotonic_ms()
        # The frame with the smallest delay gives the best estimate of the stream's beginning.
        began_ms = now_ms - self._received_ms - len(frame) / _BYTES_PER_MS
        self._began_ms = min(began_ms, began_ms if self._began_ms is None else self._began_ms)
        start_ms = self._began_ms + self._received_ms
        self._received_ms += len(frame) / _BYTES_PER_MS
        loud = np.flatnonzero(np.abs(np.frombuffer(frame, "<i2").astype(int)) > _LOUD)
        if loud.size:
            if self._voice_ms is None:
                self._voice_ms = start_ms + int(loud[0]) / 16
                await self._onset(self._voice_ms)
            self._quiet_from_ms = start_ms + (int(loud[-1]) + 1) / 16
        elif self._voice_ms is not None and start_ms - self._quiet_from_ms > _QUIET_MS:
            self._voice_ms = None
            if not self._speaking or self._stopped is not None:
                self._answer_due.set()

    async def end_call(self) -> None:
        await self._send_message(type="status-update", status="ended", endedReason="customer-ended-call")
        await self._socket.close(1000)

    async def _onset(self, onset_ms: float) -> None:
        if not self._speaking or not self._cuts:
            return
        cut = self._cuts.pop(0)
        if cut.message_ms is not None:
            self._stopped = AppliedCut(onset_ms=onset_ms)
            self._applied_cuts.append(self._stopped)
            self._cutting = (cut, self._stopped)
            self._until_ms = onset_ms + cut.silence_ms

    async def _speak(self, duration_ms: float, turn_id: str | None) -> None:
        began_ms = _CLOCK.monotonic_ms()
        self._speaking, self._until_ms, self._cutting, self._stopped = True, began_ms + duration_ms, None, None
        if turn_id:
            await self._send_message(type="model-output", turnId=turn_id, output="words ")
        await self._send_message(type="speech-update", status="started", role="assistant", turn=self._turn)
        sent_ms, pending, played_until_ms, gap_ms = 0.0, b"", 0.0, self._script.gap_ms
        while (left_ms := self._until_ms - began_ms - sent_ms) > 0 or self._cutting is not None:
            await self._message_if_due(turn_id)
            if sent_ms >= 500 and gap_ms > 0:
                await anyio.sleep(gap_ms / 1000)
                gap_ms = 0.0
            if left_ms > 0 and _CLOCK.monotonic_ms() >= began_ms + sent_ms - _LEAD_MS:
                pending += _voice(min(20.0, left_ms))
                sent_ms += min(20.0, left_ms)
            # Send when a burst is complete, and at the end.
            if len(pending) >= 640 * self._script.burst_frames or (pending and self._until_ms - began_ms <= sent_ms):
                played_until_ms = max(played_until_ms, _CLOCK.monotonic_ms()) + len(pending) / _BYTES_PER_MS
                await self._socket.send(pending)
                pending = b""
            await anyio.sleep(0.002)
        self._speaking = False
        await self._send_message(type="speech-update", status="stopped", role="assistant", turn=self._turn)
        if self._stopped is not None:
            self._stopped.silence_ms = played_until_ms - self._stopped.onset_ms
            self._stopped = None
            await anyio.sleep(_BACKOFF_MS / 1000)

    async def _message_if_due(self, turn_id: str | None) -> None:
        if self._cutting is None:
            return
        cut, applied = self._cutting
        applied.message_ms = _CLOCK.monotonic_ms() - applied.onset_ms
        if applied.message_ms >= float(cut.message_ms or 0):
            self._cutting = None
            await self._send_message(type="user-interrupted", turnId=turn_id)
            await self._send_message(type="model-output", turnId=turn_id, output="late ")

    async def _send_message(self, **message: Any) -> None:
        await self._socket.send(json.dumps(message))


def _voice(duration_ms: float) -> bytes:
    """Return audio in which every sample is audible."""
    return np.full(round(duration_ms * 16), 4000, dtype="<i2").tobytes()
