"""A real server on loopback, and a caller with a real socket that keeps everything it receives, with the time."""

import json
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import anyio
import httpx
import numpy as np
import soundfile
import soxr
import websockets

from bargein.audio import g711
from bargein.clock import LoopClock
from bargein.ports import EndOfTurnDetector, InterruptionClassifier, Model, Transcriber, Voice, VoiceDetector
from bargein.providers.embedded.vad import SileroDetector
from bargein.server.app import create_app
from bargein.server.serving import Server, config_of, give_up_stuck_peers
from bargein.testing.settings import make_settings
from tests.published import conforms

RATE_HZ = 16_000
FRAME = RATE_HZ // 50
CLOCK = LoopClock()
T = TypeVar("T")


async def eventually(look: Callable[[], Awaitable[T]], true: Callable[[T], bool], seconds: float = 5) -> T:
    """Poll until a condition holds, for things that do not notify about changes."""
    with anyio.fail_after(seconds):
        while not true(found := await look()):  # what is looked at tells nobody of its changes
            await anyio.sleep(0.02)
    return found


class DetectorOnly:
    """Embedded providers with a real detector only, for tests with their own model, voice and transcriber."""

    def __init__(self) -> None:
        self.detector: VoiceDetector = SileroDetector()
        self.interruption_classifier: InterruptionClassifier | None = None
        self.end_of_turn_detector: EndOfTurnDetector | None = None

    def transcriber_of(self, _tags: Sequence[str]) -> Transcriber:
        raise AssertionError("the test brings its own transcriber")

    @property
    def voice(self) -> Voice:
        raise AssertionError("the test brings its own voice")

    @property
    def model(self) -> Model:
        raise AssertionError("the test brings its own model")

    async def warm_up(self) -> None:
        self.detector.load()  # type: ignore[attr-defined]

    def close(self) -> None:
        self.detector.close()  # type: ignore[attr-defined]


@dataclass
class Running:
    """A running server."""

    url: str
    _server: Server
    _over: anyio.Event

    async def stop(self) -> None:
        """Stop the server as SIGTERM does, and wait until it is gone."""
        self._server.should_exit = True
        with anyio.fail_after(15):
            await self._over.wait()

    def give_up_after_s(self, seconds: float) -> None:
        """Close connections whose peer reads nothing for so long, from now on."""
        for listener in self._server.servers[0].sockets:
            give_up_stuck_peers(listener, seconds)

    async def keeps(self, connections: int) -> None:
        """Wait until the server has at most this many open sockets."""

        async def look() -> int:
            return len(self._server.server_state.connections)

        await eventually(look, lambda count: count <= connections)


@asynccontextmanager
async def running(
    tmp_path: Path, embedded: Any = None, config: dict[str, Any] | None = None, **settings: Any
) -> AsyncIterator[Running]:
    """Run a server; `config` is passed to uvicorn."""
    embedded = embedded or DetectorOnly()
    settings = {"allow_private_addresses": True, **settings}  # the fakes are on loopback
    made = make_settings(data_dir=tmp_path, port=0, **settings)
    app = create_app(made, embedded=embedded)
    bound: list[int] = []
    listening, over = anyio.Event(), anyio.Event()

    def heard(port: int) -> None:
        bound.append(port)
        listening.set()

    server = Server(config_of(app, made, **{"timeout_graceful_shutdown": 2, **(config or {})}), heard)
    server.capture_signals = _no_signals  # type: ignore[method-assign]

    async def serve() -> None:
        await server.serve()
        over.set()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(serve)
        with anyio.fail_after(20):
            await listening.wait()
        run = Running(f"http://127.0.0.1:{bound[0]}", server, over)
        await _ready(run.url)
        try:
            yield run
        finally:
            with anyio.CancelScope(shield=True):
                await run.stop()


@asynccontextmanager
async def serving(tmp_path: Path, embedded: Any = None, **settings: Any) -> AsyncIterator[str]:
    """Run a server and yield its base URL."""
    async with running(tmp_path, embedded, **settings) as run:
        yield run.url


async def _ready(url: str) -> None:
    async with httpx.AsyncClient() as client:
        await eventually(lambda: client.get(f"{url}/ready"), lambda answer: answer.status_code == 200, 30)


class _no_signals:  # noqa: N801  # stands in for uvicorn's method: a test's process keeps its own signal handlers
    def __enter__(self) -> None: ...

    def __exit__(self, *_: object) -> None: ...


def speech(path: Path, level_dbfs: float = -26.0) -> np.ndarray:
    """Return a clip at 16 kHz and a normal level."""
    samples, rate = soundfile.read(path, dtype="float32")
    samples = soxr.resample(samples, rate, RATE_HZ) if rate != RATE_HZ else samples
    active = samples[np.abs(samples) > 0.02]
    rms = float(np.sqrt(np.mean(active**2))) if active.size else 1.0
    return np.clip(samples * (10 ** (level_dbfs / 20) / rms) * 32767, -32768, 32767).astype("<i2")


def onset_ms(samples: np.ndarray) -> int:
    """Return the onset of a clip by its energy."""
    frames = samples[: samples.size // 80 * 80].reshape(-1, 80).astype(float)
    level = np.sqrt(np.mean(frames**2, axis=1))
    return int(np.argmax(level > level.max() * 0.1)) * 5


@dataclass(frozen=True)
class Sound:
    """The audio format of a caller's binary frames, and the samples of a frame."""

    rate_hz: int = RATE_HZ
    encoding: str = "pcm_s16le"
    frame_samples: int = FRAME

    @property
    def bytes_per_sample(self) -> int:
        return 1 if self.encoding == "mulaw" else 2

    @property
    def frame_ms(self) -> float:
        return self.frame_samples * 1000 / self.rate_hz

    @property
    def bytes_per_ms(self) -> float:
        return self.rate_hz * self.bytes_per_sample / 1000

    @property
    def silence(self) -> bytes:
        return self.encode(np.zeros(self.frame_samples, dtype="<i2"))

    def encode(self, pcm: np.ndarray) -> bytes:
        return g711.encode(pcm) if self.encoding == "mulaw" else pcm.astype("<i2").tobytes()

    def decode(self, data: bytes) -> np.ndarray:
        return g711.decode(data) if self.encoding == "mulaw" else np.frombuffer(data, "<i2")

    def frames(self, samples: np.ndarray) -> deque[bytes]:
        """Return a clip at 16 kHz as frames."""
        if self.rate_hz != RATE_HZ:
            floats = soxr.resample(samples.astype(np.float32), RATE_HZ, self.rate_hz)
            samples = np.clip(floats, -32768, 32767).astype("<i2")
        size = self.frame_samples
        padded = np.pad(samples, (0, -samples.size % size))
        return deque(self.encode(padded[i : i + size]) for i in range(0, padded.size, size))

    def as_transport(self) -> dict[str, Any]:
        """Return the call's `transport`."""
        audio = {"format": self.encoding, "container": "raw", "sampleRate": self.rate_hz}
        return {"provider": "vapi.websocket", "audioFormat": audio}


class Gaps(NamedTuple):
    """The longest gap within a speech, in milliseconds.

    Attributes:
        any_ms: whatever it came of.
        busy_ms: as far as this process was at work meanwhile. Server, callers and fakes are one process; a machine that
            is busy with other things makes it wait, but does not make it work.
    """

    any_ms: float
    busy_ms: float


@dataclass
class Caller:
    """A caller that sends its frames on an absolute schedule, and silence when it has none."""

    url: str
    call: dict[str, Any]
    socket: Any
    began: float
    sound: Sound = field(default_factory=Sound)
    messages: list[tuple[float, dict[str, Any]]] = field(default_factory=list)
    audio: list[tuple[float, bytes]] = field(default_factory=list)
    busy: list[float] = field(default_factory=list)
    order: list[dict[str, Any] | bytes] = field(default_factory=list)
    closed: int | None = None
    reason: str = ""
    _saying: deque[bytes] = field(default_factory=deque)
    _said_at: float | None = None
    _sent: anyio.Event = field(default_factory=anyio.Event)
    _changed: anyio.Event = field(default_factory=anyio.Event)

    @property
    def id(self) -> str:
        return str(self.call["id"])

    def now(self) -> float:
        """Return the milliseconds since the socket opened."""
        return CLOCK.monotonic_ms() - self.began

    async def pump(self) -> None:
        silence, frame_ms = self.sound.silence, self.sound.frame_ms
        n = 0
        while self.closed is None:
            frame = silence
            if self._saying:
                frame = self._saying.popleft()
                if self._said_at is None:
                    self._said_at = self.now()
                    self._sent.set()
            try:
                await self.socket.send(frame)
            except websockets.ConnectionClosed:
                return
            n += 1
            await anyio.sleep(max(0.0, (n * frame_ms - self.now()) / 1000))

    async def listen(self) -> None:
        try:
            async for frame in self.socket:
                if isinstance(frame, bytes):
                    self.audio.append((self.now(), frame))
                    self.busy.append(time.process_time() * 1000)
                    self.order.append(frame)
                else:
                    message = json.loads(frame)
                    self.messages.append((self.now(), message))
                    self.order.append(message)
                self._changed.set()
                self._changed = anyio.Event()
        except websockets.ConnectionClosed:
            pass
        self.closed, self.reason = self.socket.close_code, self.socket.close_reason or ""
        self._changed.set()

    async def say(self, samples: np.ndarray) -> float:
        """Start to say a clip (16 kHz); return when its first frame was sent."""
        self._said_at, self._sent = None, anyio.Event()
        self._saying = self.sound.frames(samples)
        while (said_at := self._said_at) is None:
            await self._sent.wait()
        return said_at

    async def send(self, message: dict[str, Any]) -> None:
        await self.socket.send(json.dumps(message))

    async def until(self, true: Callable[[], Any], seconds: float = 10) -> Any:
        """Wait until a condition holds, and return its value."""
        with anyio.fail_after(seconds):
            while not (found := true()):
                if self.closed is not None:
                    raise AssertionError(f"the socket closed ({self.closed}) first: {self.kinds()}")
                await self._changed.wait()
        return found

    async def until_closed(self, seconds: float = 10) -> int:
        with anyio.fail_after(seconds):
            while self.closed is None:
                await self._changed.wait()
        return self.closed

    def of(self, kind: str, **fields: Any) -> list[dict[str, Any]]:
        return [m for _, m in self.messages if m.get("type") == kind and fields.items() <= m.items()]

    def when(self, kind: str, **fields: Any) -> list[float]:
        return [t for t, m in self.messages if m.get("type") == kind and fields.items() <= m.items()]

    def kinds(self) -> list[str]:
        return [str(m.get("type", m)) for _, m in self.messages]

    def last_sound(self, before: float = 1e12) -> float:
        """Return when the last audio that came before `before` will have been played."""
        end = 0.0
        for at, frame in self.audio:
            if at <= before:
                end = max(end, at) + len(frame) / self.sound.bytes_per_ms
        return end

    def gaps(self) -> Gaps:
        """Return the longest gaps of a player that plays audio as soon as it comes."""
        longest = longest_busy = end = busy_before = 0.0
        for (at, frame), busy in zip(self.audio, self.busy, strict=True):
            waited = at - end if end else 0.0
            longest = max(longest, waited)
            longest_busy = max(longest_busy, min(waited, busy - busy_before))
            end, busy_before = max(at, end) + len(frame) / self.sound.bytes_per_ms, busy
        return Gaps(longest, longest_busy)

    def ahead_ms(self) -> float:
        """Return the largest amount of unplayed audio of a player that starts with the first frame."""
        got_ms = most = 0.0
        for at, frame in self.audio:
            got_ms += len(frame) / self.sound.bytes_per_ms
            most = max(most, got_ms - (at - self.audio[0][0]))
        return most


def assistant(llm: Any, voice: Any, transcriber: Any, **more: Any) -> dict[str, Any]:
    """Return an assistant with the test's own model, voice and transcriber."""
    return {
        "firstMessageMode": "assistant-waits-for-user",
        "model": {"provider": "custom-llm", "url": llm.url, "model": "scripted"},
        "voice": {"provider": "custom-voice", "server": {"url": voice.url}, "cachingEnabled": False},
        "transcriber": {"provider": "custom-transcriber", "server": {"url": transcriber.url}},
        "stopSpeakingPlan": {"numWords": 0, "voiceSeconds": 0.2},
        **more,
    }


def bearing(key: str | None) -> dict[str, str]:
    """Return the header with a key."""
    return {} if key is None else {"Authorization": f"Bearer {key}"}


async def create_call(
    url: str, assistant: dict[str, Any] | None, *, sound: Sound | None = None, key: str | None = "some-key", **body: Any
) -> dict[str, Any]:
    """Create a call, which then waits for its caller."""
    transport = {"provider": "vapi.websocket"} if sound is None else sound.as_transport()
    async with httpx.AsyncClient() as client:
        answer = await client.post(
            f"{url}/call", json={"assistant": assistant, "transport": transport, **body}, headers=bearing(key)
        )
    assert answer.status_code == 201, answer.text
    return answer.json()


@asynccontextmanager
async def joining(
    url: str, call: dict[str, Any], *, sound: Sound | None = None, key: str | None = None, pump: bool = True
) -> AsyncIterator[Caller]:
    """Open the socket of a call and keep it open; without `pump` the caller sends nothing."""
    address = f"ws{url.removeprefix('http')}/{call['id']}/transport"
    async with websockets.connect(address, compression=None, additional_headers=bearing(key)) as socket:
        caller = Caller(url, call, socket, CLOCK.monotonic_ms(), sound or Sound())
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(caller.listen)
            if pump:
                tasks.start_soon(caller.pump)
            yield caller
            await socket.close()
            tasks.cancel_scope.cancel()
    for _, message in caller.messages:
        if "statusCode" not in message:  # the answer to a message that was refused is none of the call's
            conforms(message)


@asynccontextmanager
async def calling(
    url: str, assistant: dict[str, Any], *, sound: Sound | None = None, key: str | None = "some-key", **body: Any
) -> AsyncIterator[Caller]:
    """Create a call and keep its socket open."""
    call = await create_call(url, assistant, sound=sound, key=key, **body)
    async with joining(url, call, sound=sound) as caller:
        yield caller


async def stored(
    url: str,
    call_id: str,
    key: str | None = None,
    until: Callable[[dict[str, Any]], bool] | None = None,
    seconds: float = 5,
) -> dict[str, Any]:
    """Return the stored call; with `until`, once that holds, since a record is stored after the socket has closed."""
    async with httpx.AsyncClient(headers=bearing(key)) as client:

        async def look() -> dict[str, Any]:
            answer = await client.get(f"{url}/call/{call_id}")
            assert answer.status_code == 200, answer.text
            return answer.json()

        return await eventually(look, until or (lambda _: True), seconds)


async def ended(url: str, call_id: str, key: str | None = None) -> str:
    """Return the `endedReason` of the stored call, once it has ended."""
    record = await stored(url, call_id, key, lambda call: call["status"] == "ended")
    assert record["endedAt"]
    return str(record["endedReason"])
