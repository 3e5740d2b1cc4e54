"""A run of the fuzzer: inputs by index, neighbours beside it, and what is checked meanwhile and at the end."""

import json
import os
import re
import subprocess
import sys
import tempfile
import traceback
from collections import Counter
from collections.abc import AsyncGenerator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from random import Random

import anyio
import httpx
from anyio.streams.text import TextReceiveStream

from bargein.clock import LoopClock
from bench.capacity.clips import recorded
from bench.capacity.socket import LoadSocket
from bench.speech import SPEECH
from bench.torture.fuzz import surfaces
from bench.torture.fuzz.carriers import CarrierSurfaces, loopbacks, register
from bench.torture.fuzz.onsets import Onsets
from bench.torture.fuzz.peers import FuzzPeers
from bench.torture.fuzz.schemas import Schemas
from bench.torture.fuzz.surfaces import WEBSOCKET, BrokenPromiseError, Surface, World
from bench.torture.options import Options
from bench.torture.report import PartResult
from bench.torture.servers import Launcher, LogWatch, Resources, ServerProcess
from bench.torture.waiting import wait_for

WORKERS = 5
BLOCK_S, PAUSE_S = 15.0, 10.0
"""Inputs are sent in blocks; in the pauses between them the neighbours are measured as well."""

GROWTH_MB, GROWTH_MB_PER_1000 = 40.0, 1.5
"""Allowed growth of memory after the warm-up: a constant, and more for each thousand inputs, which are on record."""
DESCRIPTORS = 6
"""Allowed number of descriptors more than before, after a rest."""
_REST_S = 40.0
_WARM_UP = 0.1

_CLOCK = LoopClock()


class Fuzzer:
    """Sends inputs to a running server.

    Args:
        server: the server.
        world: what inputs are sent to.
        carriers: the inputs of carriers.
        seed: the run's seed.
    """

    def __init__(self, server: ServerProcess, world: World, carriers: CarrierSurfaces, seed: int) -> None:
        self._server = server
        self._world = world
        self._seed = seed
        self._log = LogWatch(server.log)
        self._next = 0
        self.surfaces: Sequence[tuple[str, int, Surface]] = (
            ("REST", 46, surfaces.rest),
            ("client socket", 11, surfaces.client_socket),
            ("control", 13, surfaces.control),
            ("listen", 3, surfaces.listen),
            ("model", 5, surfaces.model),
            ("voice", 4, surfaces.voice),
            ("transcriber", 4, surfaces.transcriber),
            ("owner's server", 4, surfaces.owner),
            ("carrier webhook", 8, carriers.webhook),
            ("carrier media", 2, carriers.media),
        )
        self.sent: Counter[str] = Counter()
        self.findings: dict[str, list[int]] = {}

    def surface_of(self, index: int) -> tuple[str, Surface, Random]:
        """Return the kind of an input, its function, and its own random numbers."""
        random = Random(f"{self._seed}:{index}")  # not for secrets
        name = random.choices([name for name, _, _ in self.surfaces], [weight for _, weight, _ in self.surfaces])[0]
        return name, next(surface for other, _, surface in self.surfaces if other == name), random

    async def run_one(self, index: int) -> None:
        """Send one input; keep what it broke."""
        name, surface, random = self.surface_of(index)
        self.sent[name] += 1
        try:
            with anyio.fail_after(60):
                await surface(self._world, index, random)
        except BrokenPromiseError as error:
            self.find(f"{name}: {_without_ids(str(error))}", index)
        except (httpx.TransportError, OSError, TimeoutError, anyio.BrokenResourceError) as error:
            if not self._server.alive:
                self.find("the server's process ended", index)
            elif isinstance(error, TimeoutError | httpx.ReadTimeout):
                self.find(f"{name}: no end within its time: {type(error).__name__}", index)
        except Exception as error:  # noqa: BLE001  # a fault of the fuzzer itself must not end the run
            where = traceback.extract_tb(error.__traceback__)[-1]
            what = f"{type(error).__name__} {str(error)[:100]} {where.name}:{where.lineno}"
            self.find(f"the fuzzer failed ({name}): {what}", index)

    def find(self, text: str, index: int) -> None:
        """Keep a broken promise, with the input's index."""
        if text not in self.findings:
            print(f"  input {index} (--seed {self._seed} --only {index}): {text}", flush=True)
        self.findings.setdefault(text, []).append(index)

    async def warm_up(self) -> None:
        """Send a few inputs of each kind, so that what is loaded at its first use is loaded."""
        for name, _, surface in self.surfaces:
            for index in range(-60, -60 + (20 if name == "REST" else 5)):
                with suppress(Exception), anyio.move_on_after(30):
                    await surface(self._world, index, Random(f"{self._seed}:{name}:{index}"))  # see above
        self._log.errors()

    async def run_block(self, until: int, seconds: float) -> bool:
        """Send inputs for some seconds, or up to number `until`; return whether that was reached."""
        began, first = anyio.current_time(), self._next

        async def work() -> None:
            while self._next < until and anyio.current_time() - began < seconds and self._server.alive:
                index, self._next = self._next, self._next + 1
                await self.run_one(index)

        async with anyio.create_task_group() as tasks:
            for _ in range(WORKERS):
                tasks.start_soon(work)
        await self._read_log(first)
        return self._next >= until or not self._server.alive

    async def _read_log(self, first: int) -> None:
        """Find the inputs of this block to which errors in the log belong, by sending them again one by one."""
        errors = self._log.errors()
        if not errors:
            return
        wanted = {_without_ids(error) for error in errors}
        for index in range(first, min(self._next, first + 1500)):
            if not wanted or not self._server.alive:
                return
            await self.run_one(index)
            await anyio.sleep(0.005)
            for error in self._log.errors():
                self.find(f"in the log: {_without_ids(error)}", index)
                wanted.discard(_without_ids(error))
        for line in wanted:
            self.find(f"in the log, not seen again one by one (inputs {first}…{self._next - 1}): {line}", first)


def _without_ids(text: str) -> str:
    return re.sub(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f-]{4,}|\d{3,}", "…", text)


@asynccontextmanager
async def _victim(world: World) -> AsyncGenerator[None]:
    """Keep a live call for the inputs of `control` and `listen`."""
    ended = anyio.Event()

    async def keep() -> None:
        while True:
            with suppress(OSError, TimeoutError, httpx.HTTPError, KeyError):
                given = world.peers.assistant(-1, maxDurationSeconds=600, silenceTimeoutSeconds=600)
                made = (await world.http.post("/call", json={"assistant": given, **WEBSOCKET})).json()
                socket = await LoadSocket.open(made["transport"]["websocketCallUrl"], lambda _: None, lambda _: None)
                world.victim = made["id"]
                try:
                    while not socket.closed.is_set():
                        socket.send_audio(bytes(640))
                        await anyio.sleep(0.02)
                finally:
                    world.victim = ""
                    socket.abort()
            await anyio.sleep(0.2)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(keep)
        yield
        tasks.cancel_scope.cancel()
    ended.set()


class _Neighbours:
    """Reads the interruptions of the process `bench.torture.fuzz.neighbour`."""

    def __init__(self) -> None:
        self.onsets = Onsets()
        self.failed: list[str] = []
        self.windows: list[tuple[float, float, bool]] = []

    @asynccontextmanager
    async def running(self, url: str) -> AsyncGenerator[None]:
        """Run the process."""
        command = [sys.executable, "-m", "bench.torture.fuzz.neighbour", url]
        async with (
            await anyio.open_process(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=None) as process,
            anyio.create_task_group() as tasks,
        ):
            if process.stdout is None or process.stdin is None:
                raise RuntimeError("the neighbours' process has no pipes")
            lines: list[dict[str, object]] = []
            tasks.start_soon(self._read, TextReceiveStream(process.stdout), lines)
            try:
                yield
            finally:
                with anyio.CancelScope(shield=True), anyio.move_on_after(20):
                    await process.stdin.aclose()
                    await process.wait()
                tasks.cancel_scope.cancel()
                self._sort(lines)

    async def _read(self, stream: TextReceiveStream, lines: list[dict[str, object]]) -> None:
        rest = ""
        async for text in stream:
            *whole, rest = (rest + text).split("\n")
            lines += [json.loads(line) for line in whole]

    def _sort(self, lines: list[dict[str, object]]) -> None:
        """Assign interruptions to windows; those at a border belong to none."""
        for line in lines:
            if "failed" in line:
                self.failed.append(str(line["failed"]))
                continue
            onset_ms, silence_ms = float(str(line["onset_ms"])), line["silence_ms"]
            for begin_ms, end_ms, fuzzed in self.windows:
                if begin_ms + 500 <= onset_ms < end_ms - 500:
                    self.onsets.add(onset_ms, None if silence_ms is None else float(str(silence_ms)), fuzzed=fuzzed)


async def run(options: Options) -> PartResult:
    """Run the part."""
    began_ms = _CLOCK.monotonic_ms()
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bargein-fuzz-"))) / "data"
        folder.mkdir()
        carriers, environment = await stack.enter_async_context(loopbacks())
        launcher = await stack.enter_async_context(Launcher.running())
        server = await launcher.start(folder, environment)
        peers = await stack.enter_async_context(FuzzPeers())
        limits = httpx.Limits(max_connections=40)
        http = await stack.enter_async_context(
            httpx.AsyncClient(base_url=server.url, timeout=20, trust_env=False, limits=limits)
        )
        document = (await http.get("/openapi.json")).json()
        world = World(http, peers, Schemas(document))
        await register(carriers, server.url, peers.assistant(-2))
        await _store_some(world)
        fuzzer = Fuzzer(server, world, CarrierSurfaces(carriers), options.seed)
        if options.only is not None:
            async with _victim(world):
                await wait_for(lambda: world.victim, 10)
                await fuzzer.run_one(options.only)
                await fuzzer._read_log(options.only)  # noqa: SLF001
            return _result(fuzzer, {}, [], began_ms)
        neighbours = _Neighbours()
        os.nice(5)  # the server and the neighbours go first: what is measured is the server, not this machine's size
        async with neighbours.running(server.url):
            figures, broken = await _run_blocks(fuzzer, server, world, neighbours, options)
        broken += neighbours.onsets.problems() + sorted(set(neighbours.failed))
        if not await server.stop():
            broken.append("the server did not end within 15 s of SIGTERM")
        return _result(fuzzer, {**figures, **neighbours.onsets.figures()}, broken, began_ms)


async def _run_blocks(
    fuzzer: Fuzzer, server: ServerProcess, world: World, neighbours: _Neighbours, options: Options
) -> tuple[dict[str, str | int | float], list[str]]:
    block_s, pause_s = (6.0, 3.0) if options.quick else (BLOCK_S, PAUSE_S)
    await anyio.sleep(2 if options.quick else 15)  # until the neighbours talk
    async with _victim(world):
        await _talk_to_embedded(world)
        await fuzzer.warm_up()
        if not options.quick:
            await fuzzer.run_block(int(options.inputs * _WARM_UP), 600)
    before = await _rested(server, 3 if options.quick else _REST_S, None)
    over = False
    async with _victim(world):
        while not over:
            begin_ms = _CLOCK.monotonic_ms()
            over = await fuzzer.run_block(options.inputs, block_s)
            middle_ms = _CLOCK.monotonic_ms()
            await anyio.sleep(pause_s)
            neighbours.windows += [(begin_ms, middle_ms, True), (middle_ms, _CLOCK.monotonic_ms(), False)]
    if not server.alive:
        return {}, ["the server's process ended"]
    after = await _rested(server, 3 * PAUSE_S if options.quick else _REST_S, before)
    broken: list[str] = []
    grown_mb = after.rss_mb - before.rss_mb
    if grown_mb > GROWTH_MB + GROWTH_MB_PER_1000 * options.inputs / 1000:
        broken.append(f"memory grew by {grown_mb:.0f} MB after the warm-up")
    if after.descriptors > before.descriptors + DESCRIPTORS:
        broken.append(f"{after.descriptors - before.descriptors} more descriptors are open than before")
    live = await _live_calls(world)
    if live > 4:
        broken.append(f"{live - 4:.0f} calls were live {_REST_S:g} s after the last input")
    return {
        "memory before and after MB": f"{before.rss_mb:.0f} {after.rss_mb:.0f}",
        "descriptors": f"{before.descriptors} {after.descriptors}",
        "calls left": round(live) - 4,
    }, broken


async def _rested(server: ServerProcess, rest_s: float, before: Resources | None) -> Resources:
    """Measure the server's resources after a rest, which ends as soon as there are as few descriptors as before."""

    def rested() -> bool:
        return before is not None and server.resources().descriptors <= before.descriptors

    await wait_for(rested, rest_s, 0.5)
    return server.resources()


async def _live_calls(world: World) -> float:
    text = (await world.http.get("/metrics")).text
    return next(float(line.split()[1]) for line in text.splitlines() if line.startswith("bargein_live_calls "))


async def _talk_to_embedded(world: World) -> None:
    """Make a call with the embedded providers: their models are loaded at their first use."""
    made = (await world.http.post("/call", json={"assistant": {"firstMessage": "Hello there."}, **WEBSOCKET})).json()
    socket = await LoadSocket.open(made["transport"]["websocketCallUrl"], lambda _: None, lambda _: None)
    for frame in recorded(SPEECH, 1)[0].frames:
        socket.send_audio(frame)
        await anyio.sleep(0.02)
    for _ in range(100):
        socket.send_audio(bytes(640))
        await anyio.sleep(0.02)
    socket.send_text('{"type":"end-call"}')
    with anyio.move_on_after(5):
        await socket.closed.wait()
    socket.abort()


async def _store_some(world: World) -> None:
    """Store resources whose ids inputs may name."""
    for path, body in (
        ("/assistant", {"name": "One", "firstMessage": "Hello."}),
        ("/assistant", world.peers.assistant(-3)),
        ("/tool", {"type": "function", "function": {"name": "f"}}),
        ("/call", {"assistant": world.peers.assistant(-3), **WEBSOCKET}),
        ("/session", {"name": "s"}),
    ):
        made = await world.http.post(path, json=body)
        if made.is_success:
            world.ids.setdefault(path, []).append(made.json()["id"])


def _result(fuzzer: Fuzzer, figures: dict[str, str | int | float], broken: list[str], began_ms: float) -> PartResult:
    found = [
        f"{text} ({len(indexes)} inputs, first: --only {min(indexes)})" for text, indexes in fuzzer.findings.items()
    ]
    rows = [["socket or route", "inputs"], *([name, str(count)] for name, count in sorted(fuzzer.sent.items()))]
    return PartResult(
        part="fuzz",
        figures={"inputs": fuzzer.sent.total(), "failing kinds": len(fuzzer.findings), **figures},
        broken=found + broken,
        tables={"inputs": rows},
        seconds=(_CLOCK.monotonic_ms() - began_ms) / 1000,
    )
