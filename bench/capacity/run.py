"""A run of the capacity benchmark: a load of callers beside a server, step by step."""

import json
import os
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import anyio
import numpy as np
import psutil

from bargein.client.errors import ClientError
from bargein.clock import LoopClock
from bargein.wire.base import JsonObject
from bench.capacity.caller import WITHIN_MS, Caller, Ticker
from bench.capacity.clips import Utterance, heard_at_once, recorded, room_noise
from bench.capacity.processes import Cores, ServerProcess, providers, server
from bench.capacity.report import print_head, print_step, report
from bench.capacity.steps import Limits, Machine, Step, measure
from bench.speech import SPEECH

STEPS = (1, 10, 20, 30, 40, 50, 60, 80, 100)
QUICK_STEPS = (1, 8)

_JOIN_EVERY_S = 0.04
_CANDIDATES = 24
_FIRST_ANSWER_S = 10.0
_CLOCK = LoopClock()


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """The options of a run.

    Attributes:
        steps: numbers of calls; the others are compared with the first.
        seconds: duration of each step's measurement.
        first_seconds: duration of the first one: few calls need longer for as many interruptions.
        data: a folder of recordings with a MANIFEST.tsv.
        json: file for the figures.
        limits: limits within which a step counts as held.
        tries: number of attempts before a step counts as not held. In one attempt a short stall of a shared machine
            looks like a server that is too slow; but such a server fails every time.
    """

    steps: tuple[int, ...] = STEPS
    seconds: float = 20.0
    first_seconds: float = 45.0
    data: Path = SPEECH
    json: Path | None = None
    limits: Limits = field(default_factory=Limits)
    tries: int = 2


class Bench:
    """A load of callers beside a running server."""

    def __init__(self, running: ServerProcess, assistant: JsonObject, clips: Sequence[Utterance], cores: Cores) -> None:
        self._running = running
        self._assistant = assistant
        self._clips = clips
        self._noise = room_noise()
        self._cores = cores
        self._idle_mb = running.usage().rss_bytes / 1e6
        self.ticker = Ticker(_CLOCK)

    async def step(self, calls: int, seconds: float, limits: Limits) -> Step:
        """Measure a number of calls for some seconds."""
        callers = [Caller(number, self._clips, self._noise, _CLOCK) for number in range(calls)]
        try:
            await self._join(callers)
            with anyio.move_on_after(_FIRST_ANSWER_S):
                while not all(caller.answered for caller in callers):  # noqa: ASYNC110  # there are a hundred callers
                    await anyio.sleep(0.1)
            machine = await self._hold(callers, seconds)
            return measure(callers, calls, machine, limits)
        finally:
            with anyio.CancelScope(shield=True):
                async with anyio.create_task_group() as leaving:
                    for caller in callers:
                        leaving.start_soon(caller.leave)
            self.ticker.clear()

    async def _join(self, callers: Sequence[Caller]) -> None:
        async with anyio.create_task_group() as joining:
            for caller in callers:
                joining.start_soon(self._join_one, caller)
                await anyio.sleep(_JOIN_EVERY_S)

    async def _join_one(self, caller: Caller) -> None:
        try:
            await caller.join(self._running.server, self._assistant)
        except (OSError, TimeoutError, ClientError) as error:
            print(f"  a call could not be made: {error}", flush=True)  # the number of held calls is lower by one
            return
        self.ticker.add(caller)

    async def _hold(self, callers: Sequence[Caller], seconds: float) -> Machine:
        began_ms, before = _CLOCK.monotonic_ms(), self._running.usage()
        self.ticker.late_ms.clear()
        core_before = self._core_busy_s()
        for caller in callers:
            caller.reset(began_ms)
        # The last interruptions need time to take effect.
        await anyio.sleep(seconds - WITHIN_MS / 1000 - 0.7)
        for caller in callers:
            caller.may_interrupt = False
        await anyio.sleep(WITHIN_MS / 1000 + 0.7)
        after, took_s = self._running.usage(), (_CLOCK.monotonic_ms() - began_ms) / 1000
        cpu_s, core_s = after.cpu_s - before.cpu_s, self._core_busy_s()
        others = None if core_s is None or core_before is None else max(0.0, (core_s - core_before - cpu_s) / took_s)
        return Machine(
            seconds=took_s,
            cpu=cpu_s / took_s,
            rss_mb=after.rss_bytes / 1e6,
            rss_mb_idle=self._idle_mb,
            load_late_p99_ms=float(np.percentile(self.ticker.late_ms or [float("inf")], 99)),
            others_cpu=others,
        )

    def _core_busy_s(self) -> float | None:
        """Return how long the server's core has worked, for all processes."""
        if self._cores.server is None:
            return None
        times = psutil.cpu_times(percpu=True)[self._cores.server]
        return sum(times) - times.idle - getattr(times, "iowait", 0.0) - getattr(times, "guest", 0.0)


async def run(options: Options) -> tuple[list[Step], int]:
    """Run the steps; return them, and the largest number of calls that was held (0: not even the first)."""
    cores = Cores.split()
    if cores.others and cores.server is not None:
        os.sched_setaffinity(0, cores.others)
    clips = heard_at_once(recorded(options.data, _CANDIDATES))
    print_head(cores, clips)
    done: list[Step] = []
    held = 0
    with tempfile.TemporaryDirectory(prefix="bargein-capacity-") as folder:
        async with providers(cores) as urls, server(cores, Path(folder)) as running:
            bench = Bench(running, assistant_of(urls), clips, cores)
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(bench.ticker.run)
                held = await _climb(bench, options, done)
                tasks.cancel_scope.cancel()
    print(f"\n  holds {held} calls on one core" if held else "\n  holds no call", flush=True)
    if options.json is not None:
        text = json.dumps(report(done, held, options.limits, cores), indent=2)
        await anyio.Path(options.json).write_text(text + "\n", encoding="utf-8")
    return done, held


async def _climb(bench: Bench, options: Options, done: list[Step]) -> int:
    held, single_p95_ms = 0, None
    for index, calls in enumerate(options.steps):
        seconds = options.seconds if index else options.first_seconds
        step, failing = await _try(bench, options, calls, seconds, single_p95_ms)
        done.append(step)
        if failing:
            break
        held = calls
        single_p95_ms = single_p95_ms or step.silence_p95_ms
    return held


async def _try(
    bench: Bench, options: Options, calls: int, seconds: float, single_p95_ms: float | None
) -> tuple[Step, str | None]:
    """Run a step; return it, and the reason for which each attempt failed, or None."""
    tries = 1
    while True:
        step = await bench.step(calls, seconds, options.limits)
        failing = step.void or step.failing(single_p95_ms, options.limits)
        print_step(step, failing)
        if not failing or tries == options.tries:
            return step, failing
        print(f"        attempt {tries + 1} of {options.tries}", flush=True)
        tries += 1


def assistant_of(urls: Mapping[str, str]) -> JsonObject:
    """Return the assistant of the calls, with the providers of `bench.capacity.peers`."""
    return {
        "firstMessageMode": "assistant-waits-for-user",
        "model": {"provider": "custom-llm", "url": urls["llm"], "model": "scripted"},
        "voice": {"provider": "custom-voice", "server": {"url": urls["voice"]}, "cachingEnabled": False},
        "transcriber": {"provider": "custom-transcriber", "server": {"url": urls["transcriber"]}},
        # Vapi's own defaults, so that all calls have the same timing: an end-of-turn detector would hear that the
        # scripted words do not fit the clips.
        "startSpeakingPlan": {"transcriptionEndpointingPlan": {"onPunctuationSeconds": 0.1}},
        "stopSpeakingPlan": {"numWords": 0, "voiceSeconds": 0.2},
    }
