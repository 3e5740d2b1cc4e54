"""`disk`: a full disk, a database that hangs or restarts, and a clock that jumps; calls go on, and reports arrive."""

import shutil
import subprocess
import tempfile
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import anyio
import anyio.to_thread
import httpx
import psutil

from bargein.client.errors import ClientError
from bargein.client.server_api import Server
from bargein.clock import LoopClock
from bargein.wire.base import JsonObject
from bench.capacity.caller import Caller, Ticker
from bench.capacity.clips import Utterance, heard_at_once, recorded, room_noise
from bench.capacity.processes import Cores, providers
from bench.torture.options import Options
from bench.torture.owner import OwnerServer
from bench.torture.report import PartResult
from bench.torture.servers import Launcher, ServerProcess
from bench.torture.soak import assistant_with_owner
from bench.torture.waiting import wait_for

STAYING, LEAVING = 3, 2
"""Calls that last through the outage, and calls that end during it."""
OUTAGE_S = 12.0
"""Longer than the time for which a call waits for its record."""
REPORT_S = 90.0
ANSWER_S = 15.0

_DISK_MB = 24
_LIBFAKETIME = "/usr/lib/*/faketime/libfaketime.so.1"
_CLOCK = LoopClock()

Kind = Literal["full disk", "database hangs", "database restarts", "clock jumps"]
Change = Callable[[], Awaitable[None]]


@dataclass
class Outage:
    """A server under an outage that can begin and end.

    Attributes:
        server: the server.
        begin: begins the outage.
        end: ends it.
        owner_fails_first: whether the owner's server refuses the first delivery, so that reports are retried.
    """

    server: ServerProcess
    begin: Change
    end: Change
    owner_fails_first: bool = False


@dataclass
class Watched:
    """The calls of an outage, and what they showed.

    Attributes:
        broken: broken promises.
        callers: callers that stay, and callers that leave.
        during: status codes of `POST /call` during the outage.
        report_s: longest wait for the reports.
    """

    owner: OwnerServer
    assistant: JsonObject
    clips: list[Utterance]
    ticker: Ticker
    broken: list[str] = field(default_factory=list[str])
    callers: list[Caller] = field(default_factory=list[Caller])
    during: list[int] = field(default_factory=list[int])
    report_s: float = REPORT_S

    async def run(self, outage: Outage, seconds: float) -> None:
        """Begin the outage during calls, end it, and check what they and the owner got."""
        api = Server(url=outage.server.url)
        for number in range(STAYING + LEAVING):
            caller = Caller(number, self.clips, room_noise(), _CLOCK)
            await caller.join(api, self.assistant)
            self.ticker.add(caller)
            self.callers.append(caller)
        staying, leaving = self.callers[:STAYING], self.callers[STAYING:]
        await wait_for(lambda: all(caller.answered for caller in self.callers), 15)
        await outage.begin()
        await anyio.sleep(2)
        for caller in leaving:
            await caller.leave()
        for caller in staying:
            caller.reset(_CLOCK.monotonic_ms())
        await self.call_during(outage.server.url)
        await anyio.sleep(seconds)
        self.check_staying(staying)
        await outage.end()
        await self._call_after(outage.server.url)
        await anyio.sleep(2)
        for caller in staying:
            await caller.leave()
        await self.check_ends(outage.server.url)

    def check_staying(self, staying: list[Caller]) -> None:
        """Check that calls went on during the outage, and that their callers heard something."""
        for number, caller in enumerate(staying):
            if not caller.alive:
                self.broken.append(f"call {number} ended during the outage")
            elif not caller.heard.frames:
                self.broken.append(f"call {number}: the caller heard nothing during the outage")

    async def call_during(self, url: str) -> None:
        """Make a request that must be answered soon, with a call or with a documented refusal."""
        async with httpx.AsyncClient(base_url=url, timeout=ANSWER_S, trust_env=False) as http:
            try:
                answer = await http.post("/call", json=self._body())
            except httpx.TransportError as error:
                self.broken.append(f"POST /call was not answered during the outage: {type(error).__name__}")
                return
        self.during.append(answer.status_code)
        if answer.status_code not in (201, 503, 507):
            self.broken.append(f"POST /call answered {answer.status_code} during the outage: {answer.text[:200]}")

    async def _call_after(self, url: str) -> None:
        async with httpx.AsyncClient(base_url=url, timeout=ANSWER_S, trust_env=False) as http:
            for _ in range(100):
                with suppress(httpx.TransportError):
                    if (await http.post("/call", json=self._body())).status_code == 201:
                        return
                await anyio.sleep(0.2)
        self.broken.append("POST /call did not succeed within 20 s after the outage")

    def _body(self) -> JsonObject:
        return {"assistant": self.assistant, "transport": {"provider": "vapi.websocket"}}

    async def check_ends(self, url: str) -> None:
        """Check that each call has ended on record, with one report of the same end."""
        ids = [caller.call_id for caller in self.callers]
        await wait_for(lambda: all(self.owner.told(call_id).reports for call_id in ids), self.report_s, 0.2)
        async with httpx.AsyncClient(base_url=url, timeout=ANSWER_S, trust_env=False) as http:
            for number, call_id in enumerate(ids):
                told = self.owner.told(call_id)
                if not told.reports:
                    self.broken.append(f"call {number}: no end-of-call-report within {self.report_s:g} s")
                elif len(told.reports) > 1:
                    self.broken.append(f"call {number}: reports with {len(told.reports)} different Idempotency-Keys")
                record = (await http.get(f"/call/{call_id}")).json()
                if record.get("status") != "ended":
                    self.broken.append(f"call {number} is {record.get('status')} on record")
                elif told.reasons and told.reasons != {record.get("endedReason")}:
                    self.broken.append(f"call {number}: told {told.reasons}, on record is {record.get('endedReason')}")


@asynccontextmanager
async def _full_disk(launcher: Launcher, folder: Path) -> AsyncGenerator[Outage]:
    """Run a server whose data folder is a file system of some megabytes; where none may be mounted, limit its files."""
    mount = ["mount", "-t", "tmpfs", "-o", f"size={_DISK_MB}m", "tmpfs", str(folder)]
    mounted = subprocess.run(mount, check=False, capture_output=True).returncode == 0  # noqa: ASYNC221  # a moment
    try:
        server = await launcher.start(folder)
        filler = folder / "filler"

        async def fill() -> None:
            if not mounted:
                psutil.Process(server.pid).rlimit(psutil.RLIMIT_FSIZE, (1, resource_infinity()))
                return
            with suppress(OSError), filler.open("wb", buffering=0) as file:
                while file.write(bytes(65_536)):
                    pass

        async def free() -> None:
            if mounted:
                filler.unlink()
            else:
                psutil.Process(server.pid).rlimit(psutil.RLIMIT_FSIZE, (resource_infinity(), resource_infinity()))

        yield Outage(server, fill, free)
        await server.stop()
    finally:
        if mounted:
            subprocess.run(["umount", "-l", str(folder)], check=False)  # noqa: ASYNC221  # see above


def resource_infinity() -> int:
    """Return the value of no limit."""
    import resource  # noqa: PLC0415  # not on every system

    return resource.RLIM_INFINITY


@asynccontextmanager
async def _database(launcher: Launcher, folder: Path, *, restarts: bool) -> AsyncGenerator[Outage]:
    """Run a server on a Postgres of its own that stops answering, or is stopped and started again."""
    from tests.postgres import cluster  # noqa: PLC0415  # Postgres is needed here only

    with cluster() as postgres, postgres.database() as url:
        server = await launcher.start(folder, {"BARGEIN_DATABASE_URL": url})

        async def begin() -> None:
            await anyio.to_thread.run_sync(postgres.stop if restarts else postgres.pause)

        async def end() -> None:
            await anyio.to_thread.run_sync(postgres.start if restarts else postgres.resume)

        yield Outage(server, begin, end)
        await server.stop()


@asynccontextmanager
async def _clock(folder: Path, library: Path) -> AsyncGenerator[Outage]:
    """Run a server whose wall clock jumps an hour ahead, and then two hours back; its monotonic clock goes on."""
    offset = folder.parent / "offset"
    offset.write_text("+0")
    environment = {
        "LD_PRELOAD": str(library),
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "FAKETIME_FORCE_MONOTONIC_FIX": "0",  # with it, threads of Python wait up to two seconds for one another
        "FAKETIME_CACHE_DURATION": "1",  # seconds; to read the file at each look at the clock would take all time
        "FAKETIME_TIMESTAMP_FILE": str(offset),
    }
    async with Launcher.running(environment) as launcher:
        server = await launcher.start(folder)

        async def ahead() -> None:
            _replace(offset, "+3600")

        async def back() -> None:
            _replace(offset, "-3600")

        yield Outage(server, ahead, back, owner_fails_first=True)
        await server.stop()


def _replace(path: Path, text: str) -> None:
    """Replace a file at once, so that nobody reads half of it."""
    other = path.with_suffix(".new")
    other.write_text(text)
    other.replace(path)


def _libfaketime() -> Path | None:
    return next(iter(Path("/").glob(_LIBFAKETIME.lstrip("/"))), None)


def _kinds(options: Options) -> list[Kind]:
    kinds: list[Kind] = ["full disk", "clock jumps"]
    if "postgres" in options.databases:
        kinds += ["database hangs", "database restarts"]
    return kinds


def _missing(kind: Kind) -> str | None:
    """Return what is not installed for an outage."""
    if kind == "clock jumps" and _libfaketime() is None:
        return "libfaketime is not installed (apt-get install faketime)"
    if kind.startswith("database"):
        from tests.programs import find  # noqa: PLC0415  # see above

        if find("postgres") is None:
            return "Postgres is not installed (apt-get install postgresql)"
    return None


@asynccontextmanager
async def _outage(kind: Kind, folder: Path) -> AsyncGenerator[Outage]:
    if kind == "clock jumps":
        library = _libfaketime()
        if library is None:
            raise RuntimeError("libfaketime is missing")
        async with _clock(folder, library) as outage:
            yield outage
        return
    async with Launcher.running() as launcher:
        if kind == "full disk":
            async with _full_disk(launcher, folder) as outage:
                yield outage
        else:
            async with _database(launcher, folder, restarts=kind == "database restarts") as outage:
                yield outage


async def _run_one(kind: Kind, options: Options) -> PartResult:
    began_ms = _CLOCK.monotonic_ms()
    if (missing := _missing(kind)) is not None:
        return PartResult(part="disk", setting=kind, void=missing)
    async with AsyncExitStack() as stack:
        name = tempfile.mkdtemp(prefix="bargein-outage-")
        stack.callback(shutil.rmtree, name, ignore_errors=True)
        folder = Path(name) / "data"
        folder.mkdir()
        outage = await stack.enter_async_context(_outage(kind, folder))
        urls = await stack.enter_async_context(providers(Cores(None, ())))
        owner = await stack.enter_async_context(OwnerServer(fails_first=outage.owner_fails_first))
        tasks = await stack.enter_async_context(anyio.create_task_group())
        stack.callback(tasks.cancel_scope.cancel)
        ticker = Ticker(_CLOCK)
        tasks.start_soon(ticker.run)
        clips = heard_at_once(recorded(options.data, 24))
        watched = Watched(owner, assistant_with_owner(urls, owner.url), clips, ticker)
        try:
            await watched.run(outage, 4.0 if options.quick else OUTAGE_S)
        except (ClientError, OSError, TimeoutError, httpx.HTTPError) as error:
            watched.broken.append(f"the calls could not be made: {type(error).__name__} {error}")
        if not outage.server.alive:
            watched.broken.append("the server's process ended")
        tasks.cancel_scope.cancel()
    reports = sum(bool(owner.told(caller.call_id).reports) for caller in watched.callers)
    figures: dict[str, str | int | float] = {
        "calls": len(watched.callers),
        "reports": reports,
        "POST /call meanwhile": ", ".join(map(str, watched.during)) or "-",
    }
    seconds = (_CLOCK.monotonic_ms() - began_ms) / 1000
    return PartResult(part="disk", setting=kind, figures=figures, broken=watched.broken, seconds=seconds)


async def run(options: Options) -> list[PartResult]:
    """Run the part."""
    return [await _run_one(kind, options) for kind in _kinds(options)]
