"""`kill`: SIGKILL at random moments of calls; each call ends once on record, and its report arrives."""

import tempfile
from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import anyio
import httpx
import numpy as np

from bargein.clock import LoopClock
from bargein.testing import FakeLlm, FakeTranscriber, FakeVoice, LlmScript, TimedReply, TranscriberScript
from bargein.wire.base import JsonObject
from bargein.wire.json import as_object
from bench.capacity.socket import LoadSocket
from bench.torture.options import Database, Options
from bench.torture.owner import OwnerServer
from bench.torture.report import PartResult
from bench.torture.servers import Launcher, LogWatch, ServerProcess, free_port

CALLS_AT_ONCE = 4
LIFE_MS = (900.0, 8000.0)
"""The shortest and the longest life of a server after it listens; it is killed at a random time of it.

The length follows the machine, so that in about half of the lives a call begins before the kill.
"""

SETTLE_EVERY = 25
"""After so many kills the server is left alone until all calls have ended."""
SETTLE_S = 40.0

_CLOCK = LoopClock()
_FRAME = bytes(640)
_SCRIPT = TranscriberScript(timed=[TimedReply(120, "Tell me a story."), TimedReply(700, "Stop, please.")])
_STORY = LlmScript(tokens=[f"word{n:02d} " for n in range(80)])


@dataclass(slots=True)
class KilledCall:
    """A call of which somebody was told.

    Attributes:
        id: its id.
        began: whether its client or the owner was told that it began.
        killed_ms: time of the first kill after it began and before it was known to have ended.
        ended_ms: time at which its end was first seen on record.
        seen: the end as it was first seen on record: reason and time.
    """

    id: str
    began: bool = False
    killed_ms: float | None = None
    ended_ms: float | None = None
    seen: tuple[str, str] | None = None


@dataclass(slots=True)
class Ledger:
    """Compares what was told with what is on record.

    Attributes:
        calls: all calls by id.
        broken: broken promises.
        kills: number of kills.
    """

    owner: OwnerServer
    calls: dict[str, KilledCall] = field(default_factory=dict[str, KilledCall])
    broken: list[str] = field(default_factory=list[str])
    kills: int = 0
    unended: set[str] = field(default_factory=set[str])

    @property
    def began(self) -> int:
        """Number of calls that have begun."""
        return sum(call.began for call in self.calls.values())

    def tell(self, call_id: str, *, began: bool = False) -> KilledCall:
        """Note that somebody was told of a call."""
        call = self.calls.setdefault(call_id, KilledCall(call_id))
        call.began = call.began or began
        if call.ended_ms is None:
            self.unended.add(call_id)
        return call

    def on_kill(self) -> None:
        """Note a kill."""
        self.kills += 1
        for call_id in self.unended:
            call = self.calls[call_id]
            if call.began and call.killed_ms is None:
                call.killed_ms = _CLOCK.monotonic_ms()

    def on_record(self, call_id: str, status: int, record: JsonObject) -> None:
        """Compare a call's record with what was seen of it before."""
        call = self.calls[call_id]
        if status == 404:
            self._break(f"call {call_id} is not on record, although somebody was told of it")
            self.unended.discard(call_id)
            return
        if record.get("status") != "ended":
            if call.seen is not None:
                self._break(f"call {call_id} had ended ({call.seen}) and is {record.get('status')} again")
            return
        end = (str(record.get("endedReason")), str(record.get("endedAt")))
        if call.seen is None:
            call.seen, call.ended_ms = end, _CLOCK.monotonic_ms()
            self.unended.discard(call_id)
        elif call.seen != end:
            self._break(f"call {call_id} ended twice: {call.seen}, then {end}")

    def settled(self, call: KilledCall) -> bool:
        """Return whether the call has ended and its report has arrived, or it never began."""
        told = self.owner.told(call.id)
        return call.seen is not None and bool(told.reports)

    def check(self, call: KilledCall) -> None:
        """Check all promises about a call, once nothing more will happen to it."""
        told = self.owner.told(call.id)
        if call.seen is None:
            self._break(f"call {call.id} has not ended on record (began: {call.began})")
        if not told.reports:
            self._break(f"call {call.id} ended ({call.seen}) without an end-of-call-report")
        for name, keys in (("end-of-call-report", told.reports), ("status-update ended", told.ends)):
            if len(keys) > 1:
                self._break(f"call {call.id}: {name} came with {len(keys)} different Idempotency-Keys")
        if call.seen is not None and told.reasons and told.reasons != {call.seen[0]}:
            self._break(f"call {call.id}: told {sorted(told.reasons)}, on record is {call.seen[0]}")

    def _break(self, line: str) -> None:
        self.broken.append(f"{line} [after kill {self.kills}]")

    def figures(self) -> dict[str, str | int | float]:
        """Return the counts and times."""
        calls = list(self.calls.values())
        told = [self.owner.told(call.id) for call in calls]
        waits_ms = [call.ended_ms - call.killed_ms for call in calls if call.killed_ms and call.ended_ms]
        p50, p95 = np.percentile(waits_ms, (50, 95)) if waits_ms else (0.0, 0.0)
        return {
            "kills": self.kills,
            "calls told": len(calls),
            "of them cut by a kill": len(waits_ms),
            "ended once": sum(call.seen is not None for call in calls),
            "reports lost": sum(not one.reports for one in told),
            "doubled, same key": sum(any(count > 1 for count in one.reports.values()) for one in told),
            "doubled, other key": sum(len(one.reports) > 1 for one in told),
            "kill to recovered end p50 ms": round(float(p50)),
            "p95 ms": round(float(p95)),
        }


class KillRun:
    """Kills servers on one data folder while callers make short calls.

    Args:
        launcher: starts the servers.
        folder: the data folder.
        environment: environment variables of the servers.
        ledger: what is known of the calls.
        assistant: the calls' assistant.
        random: all random choices.
    """

    def __init__(
        self,
        *,
        launcher: Launcher,
        folder: Path,
        environment: dict[str, str],
        ledger: Ledger,
        assistant: JsonObject,
        random: Random,
    ) -> None:
        self._launcher = launcher
        self._folder = folder
        self._environment = environment
        self._ledger = ledger
        self._assistant = assistant
        self._random = random
        self._port = free_port()
        self.errors: Counter[str] = Counter()
        self.cycles_ms: list[float] = []
        self._life_ms = LIFE_MS[0]

    async def run(self, kills: int) -> None:
        """Kill this number of servers; in between and at the end wait until all calls have ended, and check them."""
        log = LogWatch(self._folder.parent / f"{self._folder.name}.log")
        for number in range(1, kills + 1):
            began_ms = _CLOCK.monotonic_ms()
            server = await self._start()
            await self._live_and_kill(server)
            self.cycles_ms.append(_CLOCK.monotonic_ms() - began_ms)
            if number % SETTLE_EVERY == 0 or number == kills:
                await self._settle(last=number == kills)
                for error in log.errors():
                    self.errors[error] += 1
                print(f"  {number} of {kills} kills, broken so far: {len(self._ledger.broken)}", flush=True)

    async def _start(self) -> ServerProcess:
        return await self._launcher.start(self._folder, self._environment, port=self._port, until="/health")

    async def _live_and_kill(self, server: ServerProcess) -> None:
        life_s = self._random.uniform(0, self._life_ms) / 1000
        began_before = self._ledger.began
        async with (
            httpx.AsyncClient(base_url=server.url, timeout=5, trust_env=False) as http,
            anyio.create_task_group() as tasks,
        ):
            for _ in range(CALLS_AT_ONCE):
                tasks.start_soon(self._call, http, Random(self._random.random()), life_s)
            tasks.start_soon(self._look, http)
            await anyio.sleep(life_s)
            server.kill()
            self._ledger.on_kill()
            await server.wait_ended()
            tasks.cancel_scope.cancel()
        factor = 0.92 if self._ledger.began > began_before else 1.09
        self._life_ms = min(max(self._life_ms * factor, LIFE_MS[0]), LIFE_MS[1])

    async def _call(self, http: httpx.AsyncClient, random: Random, life_s: float) -> None:
        """Make a call, talk, and perhaps hang up, each at a random time."""
        await anyio.sleep(random.uniform(0, 0.4 * life_s))
        with suppress(httpx.TransportError, OSError, TimeoutError):
            answer = await http.post(
                "/call", json={"assistant": self._assistant, "transport": {"provider": "vapi.websocket"}}
            )
            if answer.status_code != 201:
                self.errors[f"POST /call answered {answer.status_code}: {answer.text[:200]}"] += 1
                return
            made = answer.json()
            self._ledger.tell(made["id"])
            await self._talk(made, random, life_s)

    async def _talk(self, made: JsonObject, random: Random, life_s: float) -> None:
        url = str(as_object(made["transport"])["websocketCallUrl"])

        def begun(_: bytes) -> None:
            self._ledger.tell(str(made["id"]), began=True)

        socket = await LoadSocket.open(url, lambda _: None, begun)
        try:
            hang_up_after = random.uniform(0, 1.5 * life_s) if random.random() < 0.6 else float("inf")
            began_s = anyio.current_time()
            while not socket.closed.is_set() and anyio.current_time() - began_s < hang_up_after:
                socket.send_audio(_FRAME)
                await anyio.sleep(0.02)
            if random.random() < 0.5:
                socket.send_text('{"type":"end-call"}')
                await socket.closed.wait()
        finally:
            socket.abort()

    async def _look(self, http: httpx.AsyncClient) -> None:
        """Read the records of calls that have not ended, again and again, and of some that have."""
        while True:
            ended = [call_id for call_id in list(self._ledger.calls)[-200:] if call_id not in self._ledger.unended]
            again = self._random.sample(ended, min(2, len(ended)))
            for call_id in (*self._ledger.unended.copy(), *again):
                with suppress(httpx.TransportError):
                    answer = await http.get(f"/call/{call_id}")
                    self._read(call_id, answer)
            await anyio.sleep(0.05)

    def _read(self, call_id: str, answer: httpx.Response) -> None:
        if answer.status_code in (200, 404):
            self._ledger.on_record(call_id, answer.status_code, as_object(answer.json()))
        elif answer.status_code >= 500:
            self.errors[f"GET /call answered {answer.status_code}: {answer.text[:200]}"] += 1

    async def _settle(self, *, last: bool) -> None:
        """Run a server until every call has ended and been reported; join those that nobody has joined.

        Then the ends of recent calls are read again, and the last time those of all.
        """
        server = await self._start()
        await server.wait_until("/ready")
        for call_id in self._ledger.owner.calls:
            self._ledger.tell(call_id, began=True)
        open_calls = [call for call in self._ledger.calls.values() if not self._ledger.settled(call)]
        async with httpx.AsyncClient(base_url=server.url, timeout=5, trust_env=False) as http:
            with anyio.move_on_after(SETTLE_S):
                while open_calls:
                    for call in open_calls:
                        answer = await http.get(f"/call/{call.id}")
                        self._read(call.id, answer)
                        if answer.is_success and answer.json()["status"] == "queued":
                            await self._join_and_leave(answer.json())
                    await anyio.sleep(0.1)
                    open_calls = [call for call in open_calls if not self._ledger.settled(call)]
            recent = SETTLE_EVERY * CALLS_AT_ONCE * 2
            for call in list(self._ledger.calls.values())[-recent if not last else 0 :]:  # may an end change later?
                self._read(call.id, await http.get(f"/call/{call.id}"))
        if not await server.stop():
            self._ledger.broken.append("a server did not end within 15 s of SIGTERM")

    async def _join_and_leave(self, made: JsonObject) -> None:
        with suppress(OSError, TimeoutError):
            url = str(as_object(made["transport"])["websocketCallUrl"])
            socket = await LoadSocket.open(url, lambda _: None, lambda _: None)
            socket.send_text('{"type":"end-call"}')
            with anyio.move_on_after(3):
                await socket.closed.wait()
            socket.abort()


@asynccontextmanager
async def database_environment(database: Database) -> AsyncGenerator[dict[str, str]]:
    """Yield the environment variables of a server on this database; run a Postgres if need be."""
    if database == "sqlite":
        yield {}
        return
    from tests.postgres import cluster  # noqa: PLC0415  # Postgres is needed for this database only

    with cluster() as server, server.database() as url:
        yield {"BARGEIN_DATABASE_URL": url}


async def run(options: Options, database: Database) -> PartResult:
    """Run the part on one database."""
    began_ms = _CLOCK.monotonic_ms()
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bargein-kill-"))) / "data"
        folder.mkdir()
        environment = await stack.enter_async_context(database_environment(database))
        owner = await stack.enter_async_context(OwnerServer(options.seed, slowest_ms=60))
        llm = await stack.enter_async_context(FakeLlm(_STORY, record=False))
        voice = await stack.enter_async_context(FakeVoice(record=False))
        transcriber = await stack.enter_async_context(FakeTranscriber(_SCRIPT, record=False))
        launcher = await stack.enter_async_context(Launcher.running())
        ledger = Ledger(owner)
        assistant: JsonObject = {
            "firstMessage": "Hello there, how can I help you today?",
            "model": {"provider": "custom-llm", "url": llm.url, "model": "scripted"},
            "voice": {"provider": "custom-voice", "server": {"url": voice.url}, "cachingEnabled": False},
            "transcriber": {"provider": "custom-transcriber", "server": {"url": transcriber.url}},
            "server": {"url": owner.url},
            "serverMessages": ["status-update", "end-of-call-report", "conversation-update"],
        }
        run_ = KillRun(
            launcher=launcher,
            folder=folder,
            environment=environment,
            ledger=ledger,
            assistant=assistant,
            random=Random(options.seed),
        )
        await run_.run(options.kills)
        for call in ledger.calls.values():
            ledger.check(call)
        figures = ledger.figures()
        figures["cycle p50 ms"] = round(float(np.median(run_.cycles_ms)))
        broken = list(dict.fromkeys(ledger.broken))
        broken += [f"{count} times in the log or in an answer: {text}" for text, count in run_.errors.most_common(10)]
        seconds = (_CLOCK.monotonic_ms() - began_ms) / 1000
        return PartResult(part="kill", setting=database, figures=figures, broken=broken, seconds=seconds)
