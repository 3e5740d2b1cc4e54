"""`peers`: each peer of a call is hung, slow, garbled, endless, too fast or broken off, at each moment of a turn.

The promise: the caller hears something, or the call ends with a reason, within `silenceTimeoutSeconds` and a margin.
"""

import tempfile
from collections.abc import Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from random import Random

import anyio
import anyio.lowlevel
import httpx
import numpy as np
from tests.carriers.twilio.loopback import TwilioLoopback

from bargein.client.playback import audible_ms
from bargein.clock import LoopClock
from bargein.server.telephony.call_router import CONNECT_S
from bench.capacity.clips import RATE_HZ, Utterance, recorded
from bench.capacity.socket import LoadSocket
from bench.torture import carrier_faults
from bench.torture.faulty import FAULTS, MOMENTS, FaultyPeers
from bench.torture.options import Options
from bench.torture.report import PartResult
from bench.torture.servers import Launcher, LogWatch
from bench.torture.waiting import wait_for

SILENCE_TIMEOUT_S = 10.0
"""`silenceTimeoutSeconds` of the calls, the shortest that is allowed; also the time limit of each peer."""
MARGIN_S = 6.0
OBSERVED_S = 40.0
"""A call that goes on for so long without a silence is hung up: it may go on."""
QUICK_S = 24.0
"""The same for the short form."""

CARRIER_S = 60.0
"""The longest wait for the end of a telephone call whose stream fails: each must end."""

_RECORD_S = 8.0
_AT_ONCE = 24
_FRAME = bytes(640)
_CLOCK = LoopClock()

CLIENT_FAULTS = ("hung", "slow", "garbled", "endless", "too fast", "broken off")


@dataclass(frozen=True, slots=True)
class Case:
    """A peer, its fault, and the moment at which it begins."""

    peer: str
    fault: str
    moment: str

    @property
    def key(self) -> str:
        """Name in URLs."""
        return f"{self.peer}-{self.fault}-{self.moment}".replace(" ", "_")


@dataclass(slots=True)
class Observed:
    """The course of a call with a faulty peer.

    Attributes:
        silent_s: the longest stretch of a live call in which neither side was heard.
        heard_s: amount of audible audio that the caller received.
        ended_s: time from the beginning to the end of the call; None if it went on until the end of the observation.
        reason: its `endedReason` on record; empty if the record has no end.
    """

    silent_s: float = 0.0
    heard_s: float = 0.0
    ended_s: float | None = None
    reason: str = ""

    def broken(self, allowed_s: float = SILENCE_TIMEOUT_S + MARGIN_S) -> str | None:
        """Return the broken promise, if there is one; `allowed_s` is the longest silence."""
        if self.silent_s > allowed_s:
            return f"{self.silent_s:.0f} s without a sound"
        if not self.reason:
            return f"no end on record {_RECORD_S:g} s after the call was over"
        if self.reason.endswith("worker-died"):
            return f"ended as {self.reason}"
        return None

    def cell(self, allowed_s: float = SILENCE_TIMEOUT_S + MARGIN_S) -> str:
        """Return the text of the table's cell."""
        broken = self.broken(allowed_s)
        if broken is not None and not self.reason:
            return f"**{broken}**"
        reason = self.reason.removeprefix("call.in-progress.error-").removeprefix("call.")
        heard = f"heard {self.heard_s:.0f} s" if self.heard_s >= 0.1 else "not heard"
        end = "goes on" if self.ended_s is None else f"{reason} after {self.ended_s:.0f} s"
        return f"{heard}, {end}" if broken is None else f"**{broken}** ({heard}, {end})"


CONTROL = (Case("nobody", "none", "first"), Case("nobody", "none", "last"))
"""Calls whose peers all work, at the beginning and at the end: their silence shows how late the machine is."""


def allowed_silence_s(control_s: float) -> float:
    """Return the longest silence that keeps the promise, where a call without a fault had this one.

    Such a call is silent for `SILENCE_TIMEOUT_S` before it ends. More than that is the lateness of the machine.
    """
    return SILENCE_TIMEOUT_S + MARGIN_S + max(0.0, control_s - SILENCE_TIMEOUT_S - 1)


def limit_s(case: Case, allowed_s: float) -> float:
    """Return the longest silence of a case: a carrier has 20 s to connect the stream of a call, whatever its plan."""
    if case.peer == "carrier" and case.moment != "middle":
        return allowed_s + CONNECT_S - SILENCE_TIMEOUT_S
    return allowed_s


def cases(*, quick: bool) -> list[Case]:
    """Return all cases, or a few of each peer."""
    found = [
        Case(peer, fault, moment)
        for peer in ("model", "voice", "transcriber", "tool server", "owner's server")
        for moment in MOMENTS
        for fault in FAULTS
        if moment != "before connect" or fault in ("hung", "broken off")
    ]
    found += [Case("client", fault, moment) for moment in ("before first byte", "middle") for fault in CLIENT_FAULTS]
    found += [
        Case("carrier", fault, moment)
        for moment in carrier_faults.MOMENTS
        for fault in FAULTS
        if moment != "before connect" or fault == "hung"
    ]
    if not quick:
        return found
    chosen = (("hung", "before first byte"), ("slow", "middle"), ("broken off", "interruption"))
    return [case for case in found if (case.fault, case.moment) in chosen]


@dataclass(slots=True)
class _Ear:
    """The times at which a caller heard something or spoke."""

    last_ms: float = field(default_factory=_CLOCK.monotonic_ms)
    silent_ms: float = 0.0
    heard_ms: float = 0.0
    begun: bool = False

    def begin(self, _: bytes = b"") -> None:
        """Note the server's first message: before it the call has not begun."""
        if not self.begun:
            self.begun, self.last_ms = True, _CLOCK.monotonic_ms()

    def sound(self, duration_ms: float = 0.0) -> None:
        """Note a sound of either side that ends after `duration_ms`."""
        now_ms = _CLOCK.monotonic_ms()
        self.silent_ms = max(self.silent_ms, now_ms - self.last_ms)
        self.last_ms = max(self.last_ms, now_ms + duration_ms)

    def receive(self, data: bytes) -> None:
        """Take the assistant's audio."""
        heard_ms = audible_ms(np.frombuffer(data[: len(data) // 2 * 2], dtype="<i2").astype(np.int16), RATE_HZ)
        if heard_ms > 0:
            self.heard_ms += len(data) / (RATE_HZ * 2 / 1000)
            self.sound(heard_ms)


class PeersRun:
    """Runs cases against a server.

    Args:
        http: client of the server's API.
        peers: the faulty peers.
        carrier: telephone calls whose stream is the faulty peer.
        clip: what callers say to interrupt.
        observed_s: how long a call is watched that goes on.
    """

    def __init__(
        self,
        http: httpx.AsyncClient,
        peers: FaultyPeers,
        carrier: carrier_faults.CarrierCalls,
        *,
        clip: Utterance,
        observed_s: float,
    ) -> None:
        self._carrier = carrier
        self._observed_s = observed_s
        self._http = http
        self._peers = peers
        self._clip = clip

    async def observe(self, case: Case) -> Observed:
        """Make a call with the faulty peer and watch it until it ends."""
        if case.peer == "carrier":
            return Observed(*await self._carrier.observe(case.fault, case.moment, CARRIER_S))
        self._peers.add(case.key, case.peer, case.fault, case.moment)
        ear, began_ms = _Ear(), _CLOCK.monotonic_ms()
        body = {
            "assistant": self._peers.assistant(case.key, SILENCE_TIMEOUT_S),
            "transport": {"provider": "vapi.websocket"},
        }
        made = (await self._http.post("/call", json=body)).json()
        observed = Observed()
        try:
            socket = await LoadSocket.open(made["transport"]["websocketCallUrl"], ear.receive, ear.begin)
        except (OSError, TimeoutError):
            observed.reason = await self._reason(made["id"])
            return observed
        over = socket.closed
        with anyio.move_on_after(self._observed_s):
            async with anyio.create_task_group() as tasks:
                if case.peer == "client":
                    over = anyio.Event()  # a client that does not read sees no end
                    tasks.start_soon(self._be_faulty, case, socket, ear)
                    tasks.start_soon(self._until_on_record, made["id"], over)
                else:
                    tasks.start_soon(self._talk, case, socket, ear)
                await over.wait()
                tasks.cancel_scope.cancel()
        if over.is_set():
            observed.ended_s = (_CLOCK.monotonic_ms() - began_ms) / 1000
        ear.sound()
        observed.silent_s, observed.heard_s = ear.silent_ms / 1000, ear.heard_ms / 1000
        socket.send_text('{"type":"end-call"}')
        with anyio.move_on_after(2):
            await socket.closed.wait()
        socket.abort()
        observed.reason = await self._reason(made["id"])
        return observed

    async def _until_on_record(self, call_id: str, over: anyio.Event) -> None:
        while not await self._reason(call_id):
            pass
        over.set()

    async def _reason(self, call_id: str) -> str:
        for _ in range(int(_RECORD_S / 0.2)):
            with suppress(httpx.TransportError):
                record = (await self._http.get(f"/call/{call_id}")).json()
                if record.get("status") == "ended":
                    return str(record.get("endedReason"))
            await anyio.sleep(0.2)
        return ""

    async def _talk(self, case: Case, socket: LoadSocket, ear: _Ear) -> None:
        """Ask something; for the moment of an interruption, interrupt the answer."""
        frames: list[bytes] = []
        interrupted = case.moment != "interruption"
        socket.send_text('{"type":"add-message","message":{"role":"user","content":"Tell me a story."}}')
        while not socket.closed.is_set():
            if not interrupted and ear.heard_ms > 1200:
                interrupted, frames = True, list(self._clip.frames)
                self._peers.interrupt(case.key)
            if frames:
                ear.sound()
            socket.send_audio(frames.pop(0) if frames else _FRAME)
            await anyio.sleep(0.02)

    async def _be_faulty(self, case: Case, socket: LoadSocket, ear: _Ear) -> None:  # noqa: C901  # a case each
        random = Random(1)
        await wait_for(lambda: ear.begun, 10)
        if case.moment == "middle":
            socket.send_text('{"type":"add-message","message":{"role":"user","content":"Tell me a story."}}')
            await wait_for(lambda: ear.heard_ms > 500 or socket.closed.is_set(), 8)
        match case.fault:
            case "hung":
                socket.pause_reading()
                await anyio.sleep_forever()
            case "broken off":
                socket.abort()
            case "slow":
                while not socket.closed.is_set():
                    socket.send_audio(_FRAME)
                    await anyio.sleep(1)
            case "garbled":
                while not socket.closed.is_set():
                    socket.send_audio(random.randbytes(640))
                    socket.send_text(random.randbytes(20).decode("latin-1"))
                    await anyio.sleep(0.02)
            case "endless":
                while not socket.closed.is_set():
                    socket.send_audio(_FRAME)
                    await anyio.sleep(0.02)
            case _:
                for _ in range(100_000):
                    if socket.closed.is_set():
                        return
                    socket.send_audio(_FRAME * 4)
                    await anyio.lowlevel.checkpoint()


def table(results: Sequence[tuple[Case, Observed]], allowed_s: float) -> list[list[str]]:
    """Return the matrix: a row for each peer and moment, a column for each fault."""
    rows = [["peer", "moment", *FAULTS]]
    for (peer, moment), group in groupby(results, lambda one: (one[0].peer, one[0].moment)):
        cells = {case.fault: observed.cell(limit_s(case, allowed_s)) for case, observed in group}
        rows.append([peer, moment, *(cells.get(fault, "-") for fault in FAULTS)])
    return rows


async def run(options: Options) -> PartResult:
    """Run the part."""
    began_ms = _CLOCK.monotonic_ms()
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bargein-peers-"))) / "data"
        folder.mkdir()
        launcher = await stack.enter_async_context(Launcher.running())
        carrier = await stack.enter_async_context(TwilioLoopback().running())
        server = await launcher.start(folder, {"TWILIO_API_URL": carrier.url})
        watch = LogWatch(server.log)
        peers = await stack.enter_async_context(FaultyPeers())
        http = await stack.enter_async_context(httpx.AsyncClient(base_url=server.url, timeout=15, trust_env=False))
        peers.add("carrier", "nobody", "none", "none")
        given = peers.assistant("carrier", SILENCE_TIMEOUT_S)
        calls = await stack.enter_async_context(carrier_faults.CarrierCalls.ready(carrier, http, given))
        runner = PeersRun(
            http,
            peers,
            calls,
            clip=recorded(options.data, 1)[0],
            observed_s=QUICK_S if options.quick else OBSERVED_S,
        )
        todo = cases(quick=options.quick)
        observed: dict[Case, Observed] = {}
        limiter = anyio.CapacityLimiter(_AT_ONCE)

        async def one(case: Case) -> None:
            async with limiter:
                observed[case] = await runner.observe(case)
                cell = observed[case].cell(limit_s(case, SILENCE_TIMEOUT_S + MARGIN_S))
                print(f"  {case.peer}, {case.fault}, {case.moment}: {cell}", flush=True)

        async with anyio.create_task_group() as tasks:
            for case in (CONTROL[0], *todo, CONTROL[1]):
                tasks.start_soon(one, case)
                await anyio.sleep(0.05)
        control_s = max(observed[case].silent_s for case in CONTROL)
        allowed_s = allowed_silence_s(control_s)
        results = [(case, observed[case]) for case in todo]
        broken = [
            f"{case.peer}, {case.fault}, {case.moment}: {line}"
            for case, one_observed in results
            if (line := one_observed.broken(limit_s(case, allowed_s))) is not None
        ]
        if not server.alive:
            broken.append("the server's process ended")
        broken += sorted({f"in the server's log: {line}" for line in watch.errors()})
        figures: dict[str, str | int | float] = {
            "cases": len(results),
            "longest silence s": round(max(one_observed.silent_s for _, one_observed in results), 1),
            "without a fault s": round(control_s, 1),
            "allowed s": round(allowed_s, 1),
        }
        if not await server.stop():
            broken.append("the server did not end within 15 s of SIGTERM")
        late = control_s > 2 * SILENCE_TIMEOUT_S
    return PartResult(
        part="peers",
        figures=figures,
        broken=[] if late else broken,
        tables={"peers, faults and moments": table(results, allowed_s)},
        seconds=(_CLOCK.monotonic_ms() - began_ms) / 1000,
        void=f"the machine was too busy: a call without a fault was silent for {control_s:.0f} s" if late else None,
    )
