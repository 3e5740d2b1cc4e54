"""A carrier on loopback, with the carrier's real protocol and a playout buffer like its own; it records what its caller
heard.

A carrier is a subclass of `Loopback` (its REST API, its webhooks) and one of `Phone` (its media socket). What they must
provide is marked below; everything else (pacing, the buffer, `clear`, marks, the record) is the same for all.
"""

import abc
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, ClassVar, Self

import anyio
import httpx
import numpy as np
import soxr
import uvicorn
import websockets
from anyio.abc import TaskGroup
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from bargein.audio import g711
from bargein.clock import LoopClock

CLOCK = LoopClock()
FRAME_MS = 20
CALLER = "+15551234567"
CLIP_HZ = 16_000


@dataclass(frozen=True)
class Hook:
    """A carrier's request to the server."""

    method: str
    url: str
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass(frozen=True)
class Frame:
    """A frame that the server sent on a media socket.

    Attributes:
        kind: audio, mark, clear, or other.
    """

    kind: str
    audio: bytes = b""
    name: str = ""


@dataclass(frozen=True)
class Played:
    """Twenty milliseconds of audio that the caller heard.

    Attributes:
        at_ms: the time at which it began to play.
        pcm: the audio; empty if there was nothing to play.
    """

    at_ms: float
    pcm: np.ndarray


class Phone(abc.ABC):
    """One call at the carrier, and its media socket.

    Attributes:
        id: the carrier's id of the call.
        heard: the audio that the caller heard, frame by frame.
        got: the frames received on the socket, with their times.
        clears: the times of the `clear`s.
        dropped: the audio that each of them dropped, in milliseconds.
        returned: the marks that were returned.
        pressed: the keys that the server sent.
        forwarded: the destination that the server forwarded the call to.
        ended: True once the server has ended the call at the carrier.
        closed: True once the media socket is closed.
        said_at: the time of the first frame of the caller's current speech; None before it.
    """

    encoding: ClassVar[str] = "pcm_s16le"
    rate_hz: ClassVar[int] = 16_000
    returns_marks: ClassVar[bool] = True

    def __init__(self, carrier: "Loopback", call_id: str) -> None:
        self.carrier = carrier
        self.id = call_id
        self.heard: list[Played] = []
        self.got: list[tuple[float, Frame]] = []
        self.clears: list[float] = []
        self.dropped: list[float] = []
        self.returned: list[str] = []
        self.pressed = ""
        self.forwarded: Any = None
        self.ended = False
        self.closed = False
        self.said_at: float | None = None
        self.socket: Any = None
        self.media_url = ""
        self._buffer: deque[bytes | str] = deque()
        self._saying: deque[bytes] = deque()
        self._quiet = False
        self._changed = anyio.Event()

    # Provided by each carrier's own class.

    @abc.abstractmethod
    def opening(self) -> Sequence[str | bytes]:
        """Return the frames with which the stream begins."""

    @abc.abstractmethod
    def audio_frame(self, data: bytes) -> str | bytes:
        """Return a frame with the caller's audio, in `encoding`."""

    @abc.abstractmethod
    def key_frame(self, key: str) -> str | bytes:
        """Return the frame that reports a key."""

    @abc.abstractmethod
    def mark_frame(self, name: str) -> str | bytes:
        """Return the frame that reports a mark; only if the carrier `returns_marks`."""

    @abc.abstractmethod
    def stop_frame(self) -> str | bytes | None:
        """Return the frame that ends the stream; None if the carrier only closes its socket."""

    @abc.abstractmethod
    def read(self, frame: str | bytes) -> Frame:
        """Read a frame of the server."""

    @abc.abstractmethod
    def nonsense(self) -> dict[str, str | bytes]:
        """Return frames that the server must ignore, by their fault: an unreadable payload, a repeated chunk, …"""

    @abc.abstractmethod
    def other_format(self) -> Sequence[str | bytes] | None:
        """Return the first frames of a stream with a codec that was not offered; None if frames name no codec."""

    def upgrade_headers(self) -> dict[str, str]:
        """Return the headers that authenticate the socket."""
        return {}

    def cleared_frame(self) -> str | bytes | None:
        """Return the frame that acknowledges a `clear`, if there is one."""
        return None

    # The same for all carriers.

    @property
    def bytes_per_frame(self) -> int:
        return self.rate_hz * FRAME_MS // 1000 * (1 if self.encoding == "mulaw" else 2)

    def encode(self, pcm: np.ndarray) -> bytes:
        return g711.encode(pcm) if self.encoding == "mulaw" else pcm.astype("<i2").tobytes()

    def decode(self, data: bytes) -> np.ndarray:
        return g711.decode(data) if self.encoding == "mulaw" else np.frombuffer(data, "<i2")

    @property
    def silence(self) -> bytes:
        return self.encode(np.zeros(self.rate_hz * FRAME_MS // 1000, dtype=np.int16))

    async def connect(self, url: str, tasks: TaskGroup, *, opening: Sequence[str | bytes] | None = None) -> None:
        """Open the media socket and run it until it closes."""
        self.media_url = url
        self.socket = await websockets.connect(
            url, compression=None, additional_headers=self.upgrade_headers(), max_size=None
        )
        for frame in self.opening() if opening is None else opening:
            await self.socket.send(frame)
        tasks.start_soon(self._listen)
        tasks.start_soon(self._live)

    async def _listen(self) -> None:
        try:
            async for data in self.socket:
                frame, now_ms = self.read(data), CLOCK.monotonic_ms()
                self.got.append((now_ms, frame))
                if frame.kind == "audio":
                    self._buffer.append(frame.audio)
                elif frame.kind == "mark":
                    self._buffer.append(frame.name)
                elif frame.kind == "clear":
                    await self._clear(now_ms)
                self._tell()
        except websockets.ConnectionClosed:
            pass
        self.closed = True
        self._tell()

    async def _clear(self, now_ms: float) -> None:
        held = sum(len(one) for one in self._buffer if isinstance(one, bytes))
        marks = [one for one in self._buffer if isinstance(one, str)]
        self._buffer.clear()
        self.clears.append(now_ms)
        self.dropped.append(held / self.bytes_per_frame * FRAME_MS)
        if (cleared := self.cleared_frame()) is not None:
            await self.send(cleared)
        for name in marks:
            await self._return(name)

    async def _return(self, name: str) -> None:
        self.returned.append(name)
        if self.returns_marks:
            await self.send(self.mark_frame(name))

    async def _live(self) -> None:
        """Play received audio and send the caller's, one frame of each every twenty milliseconds."""
        began, n = CLOCK.monotonic_ms(), 0
        while not self.closed:
            await self._play(began + n * FRAME_MS)
            if not self._quiet:
                if self._saying and self.said_at is None:
                    self.said_at = CLOCK.monotonic_ms()
                frame = self._saying.popleft() if self._saying else self.silence
                await self.send(self.audio_frame(frame))
            n += 1
            await anyio.sleep(max(0.0, (began + n * FRAME_MS - CLOCK.monotonic_ms()) / 1000))

    async def _play(self, at_ms: float) -> None:
        playing = bytearray()
        while self._buffer and len(playing) < self.bytes_per_frame:
            if isinstance(first := self._buffer.popleft(), str):
                await self._return(first)
                continue
            room = self.bytes_per_frame - len(playing)
            playing += first[:room]
            if len(first) > room:
                self._buffer.appendleft(first[room:])
        while self._buffer and isinstance(self._buffer[0], str):
            await self._return(str(self._buffer.popleft()))
        self.heard.append(Played(at_ms, self.decode(bytes(playing)) if playing else np.zeros(0, np.int16)))
        self._tell()

    async def send(self, frame: str | bytes) -> None:
        """Send any frame."""
        try:
            await self.socket.send(frame)
        except websockets.ConnectionClosed:
            self.closed = True

    def say(self, clip: np.ndarray) -> float:
        """Begin to speak a clip (16 kHz); return the latest time of its first frame."""
        if self.rate_hz != CLIP_HZ:
            clip = np.clip(soxr.resample(clip.astype(np.float32), CLIP_HZ, self.rate_hz), -32768, 32767)
        whole = self.encode(clip.astype(np.int16))
        size = self.bytes_per_frame
        padded = whole + self.silence[: -len(whole) % size]
        self.said_at = None
        self._saying = deque(padded[i : i + size] for i in range(0, len(padded), size))
        return CLOCK.monotonic_ms()

    def mute(self) -> None:
        """Stop sending frames."""
        self._quiet = True

    async def send_dtmf(self, keys: str) -> None:
        for key in keys:
            await self.send(self.key_frame(key))

    async def hang_up(self) -> None:
        """Hang up as the caller."""
        if self.socket is not None and (stop := self.stop_frame()) is not None:
            await self.send(stop)
        await self.carrier.tell_over(self)
        if self.socket is not None:
            await self.socket.close()

    def lose_socket(self) -> None:
        """Break the media socket's connection."""
        self.socket.transport.abort()

    def sounds(self, since_ms: float = 0.0) -> float:
        """Return the audio that the caller heard since then, in milliseconds."""
        sounding = [
            one for one in self.heard if one.at_ms + FRAME_MS > since_ms and np.abs(one.pcm).max(initial=0) > 300
        ]
        return sum(one.pcm.size for one in sounding) * 1000 / self.rate_hz

    def audio(self, since_ms: float = 0.0) -> list[float]:
        """Return the times of received audio."""
        return [at_ms for at_ms, frame in self.got if frame.kind == "audio" and at_ms > since_ms]

    async def until(self, true: Callable[[], Any], seconds: float = 10.0) -> Any:
        """Wait until a condition is true; return its value."""
        with anyio.fail_after(seconds):
            while not (found := true()):
                await self._changed.wait()
        return found

    def _tell(self) -> None:
        self._changed.set()
        self._changed = anyio.Event()

    def changed(self) -> None:
        """Wake up waiting conditions after a change of the call."""
        self._tell()


class Loopback(abc.ABC):
    """A carrier.

    Attributes:
        provider: the provider of its phone numbers.
        can_send_dtmf: True if keys can be sent into a call.
        can_send_sms: True if text messages can be sent from its numbers.
        marks: True if it reports that a mark was reached.
        signs_once: True if each of its signatures is valid for one request.
        native: True if it brings its calls itself, without webhooks and media sockets.
        numbers: True if its callers have numbers.
        counted_as: the name that its refusals are counted under, if not its provider.
        settings: settings for the server (`make_settings`), so that it finds this carrier.
        secrets: texts that must not appear in any response or log.
        url: the URL of its REST API.
        calls: all calls by their ids, also those that the server placed.
        asked: the requests to its REST API: method, path, body.
    """

    provider: ClassVar[str]
    can_send_dtmf: ClassVar[bool]
    can_send_sms: ClassVar[bool] = False
    marks: ClassVar[bool] = True
    signs_once: ClassVar[bool] = False
    native: ClassVar[bool] = False
    numbers: ClassVar[bool] = True
    counted_as: ClassVar[str | None] = None

    def __init__(self) -> None:
        self.url = ""
        self.server_url = ""
        self.number_id = ""
        self.secrets: tuple[str, ...] = ()
        self.calls: dict[str, Phone] = {}
        self.asked: list[tuple[str, str, bytes]] = []
        self.placed: list[Phone] = []
        self.fails: int | None = None
        self._tasks: TaskGroup | None = None
        self._count = 0

    # Provided by each carrier's own class.

    @property
    @abc.abstractmethod
    def settings(self) -> dict[str, Any]:
        """Return settings for the server, so that it finds this carrier."""

    @abc.abstractmethod
    async def number(self, client: httpx.AsyncClient) -> dict[str, Any]:
        """Return the body of a `POST /phone-number`; create the credential that it names."""

    @abc.abstractmethod
    async def rest(self, request: Request) -> Response:
        """Answer a request of the SDK. A placed call goes through `new_call(placed=True)`."""

    @abc.abstractmethod
    def incoming(self, phone: Phone, caller: str = CALLER) -> Hook:
        """Return the signed webhook of an incoming call."""

    @abc.abstractmethod
    async def follow(self, phone: Phone, answer: httpx.Response) -> None:
        """Follow the server's answer to `incoming`: `connect`, or set `phone.forwarded` or `phone.ended`."""

    @abc.abstractmethod
    async def tell_ringing(self, phone: Phone) -> None:
        """Report to the server that a placed call rings."""

    @abc.abstractmethod
    async def answered(self, phone: Phone) -> None:
        """Answer a placed call: report it to the server, and connect its media."""

    @abc.abstractmethod
    async def tell_over(self, phone: Phone, why: str = "completed") -> None:
        """Report to the server that a call is over: completed, busy, no-answer, failed."""

    @abc.abstractmethod
    def make_phone(self, call_id: str) -> Phone:
        """Make a call of this carrier."""

    def forged(self, hook: Hook) -> Hook:
        """Return the webhook with a body that was not signed."""
        return Hook(hook.method, hook.url, hook.headers, hook.body + b"&x=1")

    def again(self, hook: Hook) -> Hook:
        """Return the webhook as the carrier repeats it: signed anew, if a signature is valid for one request."""
        return hook

    @abc.abstractmethod
    def unsigned(self, hook: Hook) -> Hook:
        """Return the webhook without its signature."""

    def is_clear(self, phone: Phone, written: Sequence[str | bytes]) -> bool:
        """Return whether a `clear` is among frames that the server wrote, to this carrier and to others."""
        kinds = []
        for frame in written:
            try:
                kinds.append(phone.read(frame).kind)
            except Exception:  # noqa: BLE001, S112  # it went to another peer
                continue
        return "clear" in kinds

    # The same for all carriers.

    @property
    def customer(self) -> dict[str, Any]:
        """The customer for outbound calls."""
        return {"number": CALLER}

    def seen(self, caller: str) -> dict[str, Any]:
        """Return a caller as in the record of a call."""
        return {"number": caller}

    def new_call(self, *, placed: bool = False) -> Phone:
        self._count += 1
        phone = self.make_phone(self.new_id(self._count))
        self.calls[phone.id] = phone
        if placed:
            self.placed.append(phone)
        return phone

    def new_id(self, count: int) -> str:
        return f"call-{count}"

    async def send(self, hook: Hook) -> httpx.Response:
        """Send a request to the server."""
        async with httpx.AsyncClient(timeout=20) as client:
            return await client.request(hook.method, hook.url, headers=hook.headers, content=hook.body)

    async def rings(self, caller: str = CALLER) -> Phone:
        """Ring the number; return the call once the server has answered and the answer was followed."""
        phone = self.new_call()
        answer = await self.send(self.incoming(phone, caller))
        assert answer.status_code == 200, answer.text
        await self.follow(phone, answer)
        return phone

    def end(self, phone: Phone) -> None:
        """End the call for the server."""
        phone.ended = True
        self.close(phone)
        phone.changed()

    def close(self, phone: Phone) -> None:
        """Begin to close a call's media socket."""
        if phone.socket is not None and self._tasks is not None:
            self._tasks.start_soon(phone.socket.close)

    async def connect(self, phone: Phone, url: str, **more: Any) -> None:
        assert self._tasks is not None
        await phone.connect(url, self._tasks, **more)

    async def next_placed(self, seconds: float = 5.0) -> Phone:
        """Wait for the next call that the server places."""
        with anyio.fail_after(seconds):
            while not self.placed:
                await anyio.sleep(0.01)
        return self.placed.pop(0)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Self]:
        """Serve the REST API."""
        listening = anyio.Event()
        methods = ["GET", "POST", "PUT", "PATCH", "DELETE"]
        app = Starlette(routes=[Route("/{path:path}", self._rest, methods=methods)])
        config = uvicorn.Config(app, host="127.0.0.1", port=0, log_config=None, access_log=False, lifespan="off")
        server = _Server(config, listening)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(server.serve)
            with anyio.fail_after(10):
                await listening.wait()
            self.url = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
            async with anyio.create_task_group() as self._tasks:
                try:
                    yield self
                finally:
                    for phone in self.calls.values():
                        if phone.socket is not None:
                            with anyio.CancelScope(shield=True), anyio.move_on_after(2):
                                await phone.socket.close()
                    self._tasks.cancel_scope.cancel()
            server.should_exit = True
            with anyio.move_on_after(3, shield=True):
                while server.started and server.servers[0].is_serving():
                    await anyio.sleep(0.01)

    async def _rest(self, request: Request) -> Response:
        self.asked.append((request.method, request.url.path, await request.body()))
        return await self.rest(request)


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, listening: anyio.Event) -> None:
        super().__init__(config)
        self._listening = listening

    async def startup(self, sockets: Any = None) -> None:
        await super().startup(sockets)
        self._listening.set()

    @staticmethod
    def capture_signals() -> Any:
        return _Nothing()


class _Nothing:
    def __enter__(self) -> None: ...

    def __exit__(self, *_: object) -> None: ...
