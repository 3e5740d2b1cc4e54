"""`soak`: hours of calls with interruptions, during which memory, descriptors, threads, tasks and times stay flat."""

import csv
import signal
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, get_type_hints

import anyio
import httpx
import numpy as np

from bargein.client.errors import ClientError
from bargein.client.server_api import Server, request_json
from bargein.clock import LoopClock
from bargein.wire.base import JsonObject
from bench.capacity.caller import WITHIN_MS, Caller, Ticker
from bench.capacity.clips import Utterance, heard_at_once, recorded, room_noise
from bench.capacity.processes import Cores, providers
from bench.capacity.run import assistant_of
from bench.torture.options import Options
from bench.torture.owner import OwnerServer
from bench.torture.report import PartResult
from bench.torture.servers import Launcher, LogWatch, ServerProcess
from bench.torture.waiting import wait_for

if TYPE_CHECKING:
    from bargein.client.playback import Interruption

_CLOCK = LoopClock()
_CANDIDATES = 24
_REPORT_S = 120.0  # a report that is late is not lost: a job waits for its turn while the machine is busy
_LOST_INTERRUPTIONS = 0.01
_SHORT_MINUTES = 10.0
_OF_THE_MACHINE = ("cpu_ms_per_call_s", "silence_p95_ms")

BOUNDS: Mapping[str, float] = {
    "rss_mb": 10.0,
    "descriptors": 10.0,
    "threads": 2.0,
    "tasks": 15.0,
    "cpu_ms_per_call_s": 3.0,
    "silence_p95_ms": 25.0,
}
"""The most that a value may rise over the second half of a run, by the line that fits it best."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Minute:
    """The figures of one minute, at its end.

    Attributes:
        minute: time since the first measurement, in minutes.
        live: calls that are live.
        rss_mb: the server's memory.
        descriptors: its open descriptors.
        threads: its threads.
        tasks: tasks of its event loop.
        cpu_ms_per_call_s: processor time for a second of one call, all steps of it included.
        health_p99_ms: 99th percentile of the time of `GET /health`, which waits for the event loop.
        calls: calls that ended in this minute.
        interruptions: interruptions in them.
        missed: those after which the assistant was not silent within 2 s.
        silence_p50_ms: median of the time from a caller's voice to silence.
        silence_p95_ms: its 95th percentile.
        reports_lost: calls, since the beginning, whose end-of-call-report was not received within two minutes.
    """

    minute: float
    live: int
    rss_mb: float
    descriptors: int
    threads: int
    tasks: int
    cpu_ms_per_call_s: float
    health_p99_ms: float
    calls: int
    interruptions: int
    missed: int
    silence_p50_ms: float
    silence_p95_ms: float
    reports_lost: int


def rises(minutes: Sequence[Minute]) -> dict[str, float]:
    """Return how much each value of `BOUNDS` rose over the second half, by the line that fits it best.

    Fewer than four measurements in the second half show no slope: then the result is empty.
    """
    return {name: rise for name, (rise, _) in _fits(minutes).items()}


def _fits(minutes: Sequence[Minute]) -> dict[str, tuple[float, float]]:
    """Return the rise of each value over the second half, and the standard error of that rise."""
    half = minutes[len(minutes) // 2 :]
    at = np.array([one.minute for one in half])
    found: dict[str, tuple[float, float]] = {}
    for name in BOUNDS:
        values = np.array([float(getattr(one, name)) for one in half])
        known = ~np.isnan(values)
        if known.sum() < 4:
            continue
        x, y = at[known], values[known]
        slope, start = np.polyfit(x, y, 1)
        rest = y - (slope * x + start)
        deviation = float(np.sqrt((rest @ rest) / (x.size - 2) / np.sum((x - x.mean()) ** 2)))
        length = float(at[-1] - at[0])
        found[name] = (float(slope) * length, deviation * length)
    return found


def problems(minutes: Sequence[Minute]) -> list[str]:
    """Return the broken promises of a run.

    A rise counts if it exceeds its bound and three times its own standard error. Processor time and latency depend on
    what else the machine does, so in a run of less than `_SHORT_MINUTES` they do not count.
    """
    short = not minutes or minutes[-1].minute < _SHORT_MINUTES
    found = [
        f"{name} rose by {rise:.1f} over the second half (at most {BOUNDS[name]:g})"
        for name, (rise, error) in _fits(minutes).items()
        if rise > BOUNDS[name] and rise > 3 * error and not (short and name in _OF_THE_MACHINE)
    ]
    interruptions, missed = sum(one.interruptions for one in minutes), sum(one.missed for one in minutes)
    if missed > max(1.0, _LOST_INTERRUPTIONS * interruptions):
        found.append(f"{missed} of {interruptions} interruptions were missed")
    if minutes and minutes[-1].reports_lost:
        found.append(f"{minutes[-1].reports_lost} end-of-call-reports were lost")
    if not interruptions:
        found.append("no interruption was measured")
    return found


class Soak:
    """Callers that are replaced again and again beside a running server.

    Args:
        server: the server.
        owner: the owner's server that the assistant names.
        assistant: the calls' assistant.
        clips: what callers say.
        call_s: the shortest and the longest duration of a call.
        random: all random choices.
    """

    def __init__(
        self,
        *,
        server: ServerProcess,
        owner: OwnerServer,
        assistant: JsonObject,
        clips: Sequence[Utterance],
        call_s: tuple[float, float],
        random: Random,
    ) -> None:
        self._server = server
        self._api = Server(url=server.url)
        self._owner = owner
        self._assistant = assistant
        self._clips = clips
        self._noise = room_noise()
        self._call_s = call_s
        self._random = random
        self._ticker = Ticker(_CLOCK)
        self._number = 0
        self._done: list[Interruption] = []
        self._calls = 0
        self._live = 0
        self._call_s_sum = 0.0
        self._counted_s = _CLOCK.monotonic_ms() / 1000
        self._health_ms: list[float] = []
        self.lost: list[str] = []
        self.failed: list[str] = []

    async def run(self, calls: int) -> None:
        """Keep this number of calls until cancelled."""
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._ticker.run)
            tasks.start_soon(self._ask_for_health)
            for number in range(calls):
                tasks.start_soon(self._calls_in_turn)
                await anyio.sleep(0.2 if number < 40 else 0.05)

    async def _calls_in_turn(self) -> None:
        async with anyio.create_task_group() as ending:
            while True:
                try:
                    await self._one_call(ending)
                except (OSError, TimeoutError, ClientError) as error:
                    self.failed.append(f"a call failed: {type(error).__name__} {error}")
                    await anyio.sleep(1)

    async def _one_call(self, ending: anyio.abc.TaskGroup) -> None:
        self._number += 1
        caller = Caller(self._number, self._clips, self._noise, _CLOCK)
        await caller.join(self._api, self._assistant)
        self._ticker.add(caller)
        self._count_call_seconds()
        self._live += 1
        try:
            if await wait_for(lambda: not caller.alive, self._random.uniform(*self._call_s), 0.25):
                self.failed.append("a call ended by itself")
            caller.may_interrupt = False
            await anyio.sleep(WITHIN_MS / 1000 + 0.7)
            self._done += caller.interruptions()
            self._calls += 1
            await caller.leave()
        finally:
            self._count_call_seconds()
            self._live -= 1
            self._ticker.remove(caller)
        ending.start_soon(self._check_report, caller.call_id)

    async def _check_report(self, call_id: str) -> None:
        """Wait for the call's report, and delete the call: recordings of hours would fill the disk."""
        if not await wait_for(lambda: self._owner.told(call_id).reports, _REPORT_S, 0.2):
            self.lost.append(call_id)
        self._owner.forget(call_id)
        with suppress(ClientError):
            await request_json(self._api, "DELETE", f"/call/{call_id}")

    async def _ask_for_health(self) -> None:
        async with httpx.AsyncClient(base_url=self._server.url, timeout=5, trust_env=False) as http:
            while True:
                began_ms = _CLOCK.monotonic_ms()
                with suppress(httpx.TransportError):
                    await http.get("/health")
                self._health_ms.append(_CLOCK.monotonic_ms() - began_ms)
                await anyio.sleep(0.5)

    def _count_call_seconds(self) -> None:
        now_s = _CLOCK.monotonic_ms() / 1000
        self._call_s_sum += self._live * (now_s - self._counted_s)
        self._counted_s = now_s

    async def tasks(self) -> int:
        """Return the number of tasks of the server's event loop."""
        async with httpx.AsyncClient(base_url=self._server.url, timeout=5, trust_env=False) as http:
            text = (await http.get("/metrics")).text
        line = next((line for line in text.splitlines() if line.startswith("bargein_tasks ")), "bargein_tasks 0")
        return int(float(line.rpartition(" ")[2]))

    async def measure(self, minute: float, cpu_before_s: float) -> tuple[Minute, float]:
        """Return the figures since the last call of this method, and the processor time so far."""
        self._count_call_seconds()
        now = self._server.resources()
        silences = [one.silence_ms - one.onset_ms for one in self._done if one.silence_ms is not None]
        p50, p95 = np.percentile(silences, (50, 95)) if silences else (float("nan"), float("nan"))
        figures = Minute(
            minute=round(minute, 2),
            live=self._live,
            rss_mb=round(now.rss_mb, 1),
            descriptors=now.descriptors,
            threads=now.threads,
            tasks=await self.tasks(),
            cpu_ms_per_call_s=round(1000 * (now.cpu_s - cpu_before_s) / max(self._call_s_sum, 1e-9), 2),
            health_p99_ms=round(float(np.percentile(self._health_ms or [0.0], 99)), 1),
            calls=self._calls,
            interruptions=len(self._done),
            missed=sum(one.missed or one.silence_ms is None for one in self._done),
            silence_p50_ms=round(float(p50), 1),
            silence_p95_ms=round(float(p95), 1),
            reports_lost=len(self.lost),
        )
        self._done, self._calls, self._call_s_sum, self._health_ms = [], 0, 0.0, []
        return figures, now.cpu_s


def _write(path: Path | None, minute: Minute, *, first: bool) -> None:
    """Print a line, and add it to the CSV, so that a run that is cut short counts as far as it went."""
    print("  " + "  ".join(f"{name}={value}" for name, value in asdict(minute).items()), flush=True)
    if path is None:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w" if first else "a", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        if first:
            rows.writerow([each.name for each in fields(Minute)])
        rows.writerow(asdict(minute).values())


def read_csv(path: Path) -> list[Minute]:
    """Read the minutes of a run from its CSV, also of one that was cut short."""
    kinds = get_type_hints(Minute)
    with path.open(encoding="utf-8", newline="") as file:
        return [Minute(**{name: kinds[name](value) for name, value in row.items()}) for row in csv.DictReader(file)]


def result_of(minutes: Sequence[Minute]) -> PartResult:
    """Return the result of a run, whole or cut short."""
    if not minutes:
        return PartResult(part="soak", void="nothing was measured")
    first, last = minutes[len(minutes) // 2], minutes[-1]
    p95s = [one.silence_p95_ms for one in minutes if not np.isnan(one.silence_p95_ms)]
    figures: dict[str, str | int | float] = {
        "hours": round(last.minute / 60, 2),
        "calls at once": round(float(np.median([one.live for one in minutes]))),
        "calls": sum(one.calls for one in minutes),
        "interruptions": sum(one.interruptions for one in minutes),
        "missed": sum(one.missed for one in minutes),
        "reports lost": last.reports_lost,
        "silence p95 ms (median of minutes)": round(float(np.median(p95s)), 1) if p95s else "-",
    }
    rows = [["value", "at half", "at the end", "rise over the second half", "bound"]]
    for name, rise in rises(minutes).items():
        rows.append([name, f"{getattr(first, name)}", f"{getattr(last, name)}", f"{rise:+.2f}", f"{BOUNDS[name]:g}"])
    return PartResult(
        part="soak",
        figures=figures,
        broken=problems(minutes),
        tables={"second half": rows},
        seconds=last.minute * 60,
    )


async def _on_signal(stopped: anyio.Event) -> None:
    """Set the event on SIGINT or SIGTERM: a run that is cut short reports what it has measured."""
    with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        async for _ in signals:
            stopped.set()


async def run(options: Options) -> PartResult:
    """Run the part."""
    clips = heard_at_once(recorded(options.data, _CANDIDATES))
    every_s = min(60.0, options.minutes * 60 / 10)
    call_s = (7.0, 11.0) if options.quick else (20.0, 240.0)
    minutes: list[Minute] = []
    with tempfile.TemporaryDirectory(prefix="bargein-soak-") as name:
        folder = Path(name) / "data"
        folder.mkdir()
        async with providers(Cores(None, ())) as urls, OwnerServer() as owner, Launcher.running() as launcher:
            server = await launcher.start(folder)
            watch = LogWatch(server.log)
            soak = Soak(
                server=server,
                owner=owner,
                assistant=assistant_with_owner(urls, owner.url),
                clips=clips,
                call_s=call_s,
                random=Random(options.seed),
            )
            stopped = anyio.Event()
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(soak.run, options.calls)
                await anyio.sleep(min(60.0, every_s * 2))  # the first minute warms caches up
                _, cpu_s = await soak.measure(0, server.resources().cpu_s)
                began_s = anyio.current_time()
                tasks.start_soon(_on_signal, stopped)
                while anyio.current_time() - began_s < options.minutes * 60 - 0.5:
                    with anyio.move_on_at(began_s + every_s * (len(minutes) + 1)):
                        await stopped.wait()
                    if stopped.is_set():
                        break
                    minute, cpu_s = await soak.measure((anyio.current_time() - began_s) / 60, cpu_s)
                    _write(options.soak_csv, minute, first=not minutes)
                    minutes.append(minute)
                tasks.cancel_scope.cancel()
            result = result_of(minutes)
            result.broken += [f"in the server's log: {text}" for text in watch.errors()[:10]]
            result.broken += list(dict.fromkeys(soak.failed))[:10]
            if not await server.stop():
                result.broken.append("the server did not end within 15 s of SIGTERM")
    return result


def assistant_with_owner(urls: Mapping[str, str], owner: str) -> JsonObject:
    """Return the assistant of the capacity benchmark, with an owner's server."""
    return {**assistant_of(urls), "server": {"url": owner}, "maxDurationSeconds": 600}
