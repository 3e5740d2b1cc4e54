"""How many calls one core holds: `python -m bench.capacity`.

One bargein server on one core; on the other cores a load of callers who speak with recorded voices in frames of 20 ms,
in real time, and interrupt their assistants every four or five seconds, and a model, a voice and a transcriber that
answer at once (`bench.capacity.peers`). Voice detection is the server's own. The number of calls goes up step by step
until the time from a caller's voice to the assistant's silence leaves that of a single call, or audio comes late, or an
interruption is missed. Everything stays on this machine and ends by itself.
"""

import argparse
import json
import os
import platform
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import anyio
import numpy as np
import psutil

from bargein import __version__
from bargein.client.errors import ClientError
from bargein.clock import LoopClock, iso_from_epoch_ms
from bargein.wire.base import JsonObject
from bench.capacity.caller import WITHIN_MS, Caller, Ticker
from bench.capacity.clips import Utterance, heard_at_once, recorded, room_noise
from bench.capacity.processes import Cores, ServerProcess, providers, server
from bench.capacity.steps import Limits, Machine, Step, measure
from bench.speech import HELP, SPEECH

STEPS = (1, 10, 20, 30, 40, 50, 60, 80, 100)
QUICK_STEPS = (1, 8)

_JOIN_EVERY_S = 0.04
_CANDIDATES = 24
_FIRST_ANSWER_S = 10.0
_CLOCK = LoopClock()


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What to do.

    Attributes:
        steps: numbers of calls; the first is what the others are compared with.
        seconds: how long each step is measured.
        first_seconds: the same for the first one: few calls need longer for as many interruptions.
        data: a folder of recordings with a MANIFEST.tsv.
        json: where to write the figures.
        limits: when a step counts as held.
        tries: how often a step is tried before it counts as not held. A shared machine may stall for a moment, which
            nothing in one try tells from a server that is too slow; but that server fails every time.
    """

    steps: tuple[int, ...] = STEPS
    seconds: float = 20.0
    first_seconds: float = 45.0
    data: Path = SPEECH
    json: Path | None = None
    limits: Limits = field(default_factory=Limits)
    tries: int = 2


class Bench:
    """A load beside a running server."""

    def __init__(self, running: ServerProcess, assistant: JsonObject, clips: Sequence[Utterance], cores: Cores) -> None:
        self._running = running
        self._assistant = assistant
        self._clips = clips
        self._noise = room_noise()
        self._cores = cores
        self._idle_mb = running.usage().rss_bytes / 1e6
        self.ticker = Ticker(_CLOCK)

    async def step(self, calls: int, seconds: float, limits: Limits) -> Step:
        """Hold so many calls for so long."""
        callers = [Caller(number, self._clips, self._noise, _CLOCK) for number in range(calls)]
        try:
            await self._join(callers)
            with anyio.move_on_after(_FIRST_ANSWER_S):
                while not all(caller.answered for caller in callers):  # noqa: ASYNC110  # asks a hundred callers
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
            print(f"  a call could not be made: {error}", flush=True)  # it is missing from those that were held
            return
        self.ticker.add(caller)

    async def _hold(self, callers: Sequence[Caller], seconds: float) -> Machine:
        began_ms, before = _CLOCK.monotonic_ms(), self._running.usage()
        self.ticker.late_ms.clear()
        core_before = self._core_busy_s()
        for caller in callers:
            caller.reset(began_ms)
        # Those who interrupt last get the time to be answered.
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
        """For how long the server's core has worked, whoever for."""
        if self._cores.server is None:
            return None
        times = psutil.cpu_times(percpu=True)[self._cores.server]
        return sum(times) - times.idle - getattr(times, "iowait", 0.0) - getattr(times, "guest", 0.0)


async def run(options: Options) -> tuple[list[Step], int]:
    """Go through the steps; gives them, and the largest number of calls that was held (0: not even the first)."""
    cores = Cores.split()
    if cores.others and cores.server is not None:
        os.sched_setaffinity(0, cores.others)
    clips = heard_at_once(recorded(options.data, _CANDIDATES))
    _print_head(cores, clips)
    done: list[Step] = []
    held = 0
    with tempfile.TemporaryDirectory(prefix="bargein-capacity-") as folder:
        async with providers(cores) as urls, server(cores, Path(folder)) as running:
            bench = Bench(running, _assistant(urls), clips, cores)
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(bench.ticker.run)
                held = await _climb(bench, options, done)
                tasks.cancel_scope.cancel()
    print(f"\n  holds {held} calls on one core" if held else "\n  holds no call", flush=True)
    if options.json is not None:
        report = json.dumps(_report(done, held, options, cores), indent=2)
        await anyio.Path(options.json).write_text(report + "\n", encoding="utf-8")
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
    """One step and what was not held, if so, in each of its tries."""
    tries = 1
    while True:
        step = await bench.step(calls, seconds, options.limits)
        failing = step.void or step.failing(single_p95_ms, options.limits)
        _print_step(step, failing)
        if not failing or tries == options.tries:
            return step, failing
        print(f"        once more, try {tries + 1} of {options.tries}", flush=True)
        tries += 1


def _assistant(urls: Mapping[str, str]) -> JsonObject:
    return {
        "firstMessageMode": "assistant-waits-for-user",
        "model": {"provider": "custom-llm", "url": urls["llm"], "model": "scripted"},
        "voice": {"provider": "custom-voice", "server": {"url": urls["voice"]}},
        "transcriber": {"provider": "custom-transcriber", "server": {"url": urls["transcriber"]}},
        # Vapi's own defaults, so that every call keeps the same rhythm: the scripted words fit no judged pause.
        "startSpeakingPlan": {"transcriptionEndpointingPlan": {"onPunctuationSeconds": 0.1}},
        "stopSpeakingPlan": {"numWords": 0, "voiceSeconds": 0.2},
    }


def _print_head(cores: Cores, clips: Sequence[Utterance]) -> None:
    where = "not pinned" if cores.server is None else f"server on core {cores.server}, load on {list(cores.others)}"
    print(f"\n  bargein {__version__}: calls on one core ({where}); {len(clips)} recordings\n")
    print("                       server              onset to silence, ms     interruptions     late frames     load")
    print(
        "  calls   held    core  a call  MB/call    p50    p95    p99    p95 msg  missed/all   share  worst    p99 ms",
        flush=True,
    )


def _print_step(step: Step, failing: str | None) -> None:
    def ms(value: float | None) -> str:
        return f"{value:6.0f}" if value is not None else "     -"

    print(
        f"  {step.calls:5d}  {step.held:5d}  {100 * step.cpu:5.0f}%  {100 * step.cpu / step.calls:5.2f}%  "
        f"{step.rss_mb_per_call:7.1f} {ms(step.silence_p50_ms)} {ms(step.silence_p95_ms)} {ms(step.silence_p99_ms)}"
        f"     {ms(step.message_p95_ms)}  {step.missed:5d}/{step.interruptions:<4d} {100 * step.late_share:6.2f}%"
        f"  {step.worst_late_ms:5.0f}    {step.load_late_p99_ms:6.1f}",
        flush=True,
    )
    if failing:
        print(f"        {failing}", flush=True)
    if step.disturbed:
        print(f"        other processes used {100 * (step.others_cpu or 0):.0f}% of the server's core", flush=True)


def _report(steps: Sequence[Step], held: int, options: Options, cores: Cores) -> JsonObject:
    return {
        "bargein": __version__,
        "python": platform.python_version(),
        "machine": platform.machine(),
        "cores": os.cpu_count(),
        "pinned": cores.server is not None,
        "at": iso_from_epoch_ms(_CLOCK.epoch_ms()),
        "clips": "recorded",
        "limits": asdict(options.limits),
        "held": held,
        "steps": [{**asdict(step), "void": step.void, "disturbed": step.disturbed} for step in steps],
    }


def _parse(arguments: Sequence[str] | None) -> tuple[Options, int]:
    parser = argparse.ArgumentParser(prog="python -m bench.capacity", description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--data", type=Path, default=SPEECH, help=HELP)
    parser.add_argument("--steps", help=f"numbers of calls (default {','.join(map(str, STEPS))})")
    parser.add_argument("--seconds", type=float, default=20.0, help="how long each step is measured")
    parser.add_argument("--json", type=Path, help="where to write the figures")
    parser.add_argument("--quick", action="store_true", help="one call, then eight, in less than a minute")
    parser.add_argument("--at-least", type=int, help="fail when fewer calls are held (--quick: 8)")
    given = parser.parse_args(arguments)
    steps = tuple(int(step) for step in given.steps.split(",")) if given.steps else STEPS
    if min(steps) < 1:
        parser.error("a step has at least one call")
    options = Options(steps=steps, seconds=given.seconds, data=given.data, json=given.json)
    if given.quick:
        quick_steps = steps if given.steps else QUICK_STEPS
        options = replace(options, steps=quick_steps, seconds=8.0, first_seconds=14.0, tries=3)
    return options, given.at_least or (max(options.steps) if given.quick else 1)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run from the command line; 0 when at least as many calls were held as asked for."""
    options, at_least = _parse(arguments)
    _, held = anyio.run(run, options, backend_options={"use_uvloop": True})
    return int(held < at_least)


if __name__ == "__main__":
    raise SystemExit(main())
