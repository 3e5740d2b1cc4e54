"""A run: one server after the other, each with the same scenes, in several simultaneous calls."""

import gc
import json
import platform
from collections import Counter, deque
from collections.abc import Iterable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field, replace

import anyio
import anyio.to_thread
import psutil

from bargein import __version__
from bargein.client.errors import ClientError
from bargein.clock import LoopClock, iso_from_epoch_ms
from bargein.wire.base import JsonObject
from bench.capacity.processes import Cores, only_on
from bench.interruption.caller import Call, Material, SilentError, UsedUpError, calling
from bench.interruption.choice import TURNS_AT_ONCE, Options, chosen, fitting, seconds, took_s
from bench.interruption.column import column_of
from bench.interruption.conditions import CLEAN
from bench.interruption.contenders import Contender, running
from bench.interruption.endings import Ending, Turn, play_turn
from bench.interruption.material import load
from bench.interruption.playback import LATE_MS, Outcome
from bench.interruption.scenes import OF_ALL_SERVERS, Scene

_CLOCK = LoopClock()
_JOIN_EVERY_S = 0.3
_TRIES = 3
_SCENES_A_CALL = 8
_MOST_S = 120
_WARM_UP_S = 40
_PATIENCE = 1.3
_FIRST = ("main", "explicit", "phone")
"""Studies that come before the turns; the others come after them."""


@dataclass(slots=True)
class Work:
    """The scenes and turns that are still to be played to a server, and the results of the others.

    Attributes:
        scenes: scenes to play while the assistant speaks.
        turns: turns, with the policy for each.
        void: outcomes that say nothing, of scenes that are to be repeated.
        until_ms: no call begins after this time; the rest is left out.
    """

    scenes: deque[Scene]
    turns: deque[tuple[Turn, str]]
    outcomes: list[Outcome] = field(default_factory=list[Outcome])
    endings: list[Ending] = field(default_factory=list[Ending])
    lost: list[str] = field(default_factory=list[str])
    silent_calls: int = 0
    void: dict[Scene, Outcome] = field(default_factory=dict["Scene", "Outcome"])
    until_ms: float = float("inf")
    turn_at_once: anyio.CapacityLimiter = field(default_factory=lambda: anyio.CapacityLimiter(TURNS_AT_ONCE))
    tried: Counter[Scene | tuple[Turn, str]] = field(default_factory=Counter["Scene | tuple[Turn, str]"])

    @property
    def in_time(self) -> bool:
        """True if another call may begin."""
        return _CLOCK.monotonic_ms() < self.until_ms

    def like(self, scene: Scene) -> Scene | None:
        """Remove and return the next scene if the same call can play it."""
        alike = ("condition", "plan", "language")
        if self.scenes and all(getattr(self.scenes[0], name) == getattr(scene, name) for name in alike):
            return self.scenes.popleft()
        return None

    def retry(self, scene: Scene, why: str) -> None:
        """Put a scene that failed at the end, unless it was repeated often enough."""
        self.tried[scene] += 1
        if self.tried[scene] < _TRIES:
            self.scenes.append(scene)
        else:
            self.lost.append(f"{scene.clip or scene.part}: {why}")


async def run(options: Options) -> JsonObject:
    """Play all scenes to all servers; return the report."""
    # in a thread: turns that are not in the cache yet are spoken by a voice with an event loop of its own
    share, wanted, said = await anyio.to_thread.run_sync(_choose, options)
    print(
        f"\n  {len(wanted)} scenes and {len(said)} turns for bargein, a share of {share:.2f}; about "
        f"{sum(seconds(options, share)) / 60:.0f} min; {options.at_once} calls at once\n",
        flush=True,
    )
    material = load(options.data, wanted, {turn.clip for turn, _ in said})
    gc.collect()
    gc.freeze()
    columns: JsonObject = {}
    cores = Cores.split()
    with only_on(cores.others):
        for name in ("bargein", *options.against):
            at = options.server if name == "bargein" else None
            async with running(name, options.data, cores, __version__, at) as contender:
                columns[name] = await measure(contender, options, wanted, said, material)
    return {
        "bargein": __version__,
        "machine": platform.machine(),
        "python": platform.python_version(),
        "at": iso_from_epoch_ms(_CLOCK.epoch_ms()),
        "plan": options.plan or None,
        "telephone": options.telephone,
        "parts": list(options.parts),
        "share": round(share, 3),
        "repeats": options.repeats,
        "calls_at_once": options.at_once,
        "columns": columns,
    }


def _choose(options: Options) -> tuple[float, list[Scene], list[tuple[Turn, str]]]:
    """Return the share of the clips that fits into the minutes, and its scenes and turns."""
    share = options.share if options.minutes is None else fitting(options)
    return share, *chosen(options, share)


async def measure(
    contender: Contender,
    options: Options,
    wanted: Sequence[Scene],
    said: Sequence[tuple[Turn, str]],
    material: Material,
) -> JsonObject:
    """Play the scenes to a server; return its column of the report."""
    mine = wanted if contender.plans else [scene for scene in wanted if scene.study in OF_ALL_SERVERS]
    spoken = said if contender.plans else [(turn, policy) for turn, policy in said if policy == "default"]
    print(f"  {contender.name} {contender.version}: {len(mine)} scenes, {len(spoken)} turns", flush=True)
    work = Work(deque(mine), deque(spoken))
    await _warm_up(contender, material, mine, spoken)
    transcribed = await _transcribed(contender, material, {s.language for s in mine} | {t.language for t, _ in spoken})
    contender = replace(contender, languages=transcribed)
    began_ms, used_s, ours_s = _CLOCK.monotonic_ms(), contender.cpu_s(), _cpu_s()
    if options.minutes is not None:
        work.until_ms = began_ms + 1000 * _PATIENCE * took_s(mine, [turn for turn, _ in spoken], options.at_once)
    async with anyio.create_task_group() as tasks:
        for _ in range(options.at_once):
            tasks.start_soon(_play, work, contender, options, material)
            await anyio.sleep(_JOIN_EVERY_S)
    # Void scenes that could not be repeated in time are reported as void.
    work.outcomes += [work.void[scene] for scene in work.scenes if scene in work.void]
    wall_s = (_CLOCK.monotonic_ms() - began_ms) / 1000
    cores = (contender.cpu_s() - used_s) / max(wall_s, 1e-6)
    callers = (_cpu_s() - ours_s) / max(wall_s, 1e-6)
    return {
        "version": contender.version,
        "settings": contender.settings,
        "transcribed": sorted(contender.languages),
        "wall_s": round(wall_s),
        "callers_cores": round(callers, 2),
        "lost": work.lost,
        "left_out": len(work.scenes) + len(work.turns),
        "left_silent": work.silent_calls,
        **column_of(work.outcomes, work.endings, cores),
    }


def _cpu_s() -> float:
    """Return the CPU seconds that this process has used."""
    times = psutil.Process().cpu_times()
    return times.user + times.system


async def _warm_up(
    contender: Contender, material: Material, mine: Sequence[Scene], spoken: Sequence[tuple[Turn, str]]
) -> None:
    """Make a call that does not count: a server loads its models in the first one."""
    true = next((scene for scene in mine if scene.is_true), None)
    try:
        with anyio.move_on_after(_WARM_UP_S):
            if true is not None:
                async with _call(contender, material, true, "") as call:
                    await call.play(true)
            elif spoken:
                await _play_turn(contender, material, *spoken[0])
    except (SilentError, UsedUpError) as error:
        print(f"  warming up: {error}", flush=True)


async def _transcribed(contender: Contender, material: Material, languages: Iterable[str]) -> frozenset[str]:
    """Return the languages but English that the server accepts in `transcriber.language`; calls in others name none."""
    found: set[str] = set()
    for language in sorted({*languages} - {"en"}) if contender.plans else ():
        assistant = _assistant(replace(contender, languages=frozenset({language})), language)
        try:
            async with calling(contender.server, assistant, _CLOCK, material, CLEAN):
                found.add(language)
        except ClientError as error:
            print(f"    {language}: {error}", flush=True)
    return frozenset(found)


def _assistant(contender: Contender, language: str) -> JsonObject:
    if language not in contender.languages:
        return contender.assistant
    return contender.assistant | {"transcriber": {"provider": "vapi", "language": language}}


def _call(contender: Contender, material: Material, scene: Scene, plan: str) -> AbstractAsyncContextManager[Call]:
    assistant = _assistant(contender, scene.language)
    if plan or scene.plan:
        assistant = assistant | {"stopSpeakingPlan": json.loads(scene.plan or plan)}
    return calling(
        contender.server, assistant, _CLOCK, material, scene.condition, coded=contender.plans, oracle=contender.oracle,
        partials=contender.partials,
    )  # fmt: skip


async def _play(work: Work, contender: Contender, options: Options, material: Material) -> None:
    """Run one caller: call after call until nothing is left to play."""
    while work.in_time and (work.scenes or work.turns):
        if work.turns and not (work.scenes and work.scenes[0].study in _FIRST):
            await _turn(work, contender, material)
            continue
        scene = work.scenes.popleft()
        try:
            async with _call(contender, material, scene, options.plan) as call:
                await _scenes_of_a_call(work, call, scene)
        except (OSError, TimeoutError, ClientError) as error:
            work.retry(scene, str(error) or type(error).__name__)


async def _play_turn(contender: Contender, material: Material, turn: Turn, policy: str) -> Ending:
    return await play_turn(
        turn, policy, at=contender.server, assistant=_assistant(contender, turn.language), clock=_CLOCK,
        material=material, oracle=contender.oracle, partials=contender.partials,
    )  # fmt: skip


async def _turn(work: Work, contender: Contender, material: Material) -> None:
    turn, policy = said = work.turns.popleft()
    work.tried[said] += 1
    try:
        async with work.turn_at_once:
            ending = await _play_turn(contender, material, turn, policy)
    except (OSError, TimeoutError, ClientError, SilentError) as error:
        if work.tried[said] < _TRIES:
            work.turns.append(said)
        else:
            work.lost.append(f"{turn.clip}: {error}")
        return
    if ending.late_ms > LATE_MS and work.tried[said] < _TRIES:
        work.turns.append(said)
    else:
        work.endings.append(ending)


async def _scenes_of_a_call(work: Work, call: Call, first: Scene) -> None:
    scene: Scene | None = first
    for number in range(_SCENES_A_CALL):
        if scene is None:
            return
        try:
            with anyio.fail_after(_MOST_S):
                outcome = await call.play(scene)
        except UsedUpError:
            work.scenes.appendleft(scene)
            return
        except (SilentError, TimeoutError) as error:
            work.silent_calls += number > 0
            if number > 0:
                work.scenes.appendleft(scene)  # the previous scene left the call silent: not this one's fault
            else:
                work.retry(scene, str(error))
            return
        if outcome.void and work.tried[scene] < _TRIES - 1:
            work.void[scene] = outcome
            work.retry(scene, "void")
        else:
            work.outcomes.append(outcome)
            if len(work.outcomes) % 50 == 0:
                print(f"    {len(work.outcomes)} done, {len(work.scenes)} left", flush=True)
        scene = work.like(scene)
