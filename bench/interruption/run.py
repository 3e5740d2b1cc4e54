"""A run: one server after the other, each with the same scenes, in several simultaneous calls."""

import gc
import json
import platform
from collections import Counter, deque
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field

import anyio
import psutil

from bargein import __version__
from bargein.client.errors import ClientError
from bargein.clock import LoopClock, iso_from_epoch_ms
from bargein.wire.base import JsonObject
from bench.capacity.processes import Cores, only_on
from bench.interruption.caller import Call, Material, SilentError, UsedUpError, calling
from bench.interruption.choice import TURNS_AT_ONCE, Options, chosen, fitting, seconds, took_s
from bench.interruption.contenders import Contender, running
from bench.interruption.endings import Ending, Turn, cut_offs_at, dead_air_at, play_turn, points
from bench.interruption.figures import paired, summary
from bench.interruption.material import load
from bench.interruption.playback import LATE_MS, Outcome, false_stop
from bench.interruption.scenes import PLANS, STUDIES, Scene

_CLOCK = LoopClock()
_JOIN_EVERY_S = 0.3
_TRIES = 3
_SCENES_A_CALL = 8
_MOST_S = 120
_BUSY = 0.85
_WARM_UP_S = 40
_MOST_LATE = 0.02
_PATIENCE = 1.3
_FIRST = ("main", "explicit")
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
        if self.scenes and (self.scenes[0].condition, self.scenes[0].plan) == (scene.condition, scene.plan):
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
    share = options.share if options.minutes is None else fitting(options)
    wanted, said = chosen(options, share)
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


async def measure(
    contender: Contender,
    options: Options,
    wanted: Sequence[Scene],
    said: Sequence[tuple[Turn, str]],
    material: Material,
) -> JsonObject:
    """Play the scenes to a server; return its column of the report."""
    mine = wanted if contender.plans else [scene for scene in wanted if scene.study == "main"]
    spoken = said if contender.plans else [(turn, policy) for turn, policy in said if policy == "default"]
    print(f"  {contender.name} {contender.version}: {len(mine)} scenes, {len(spoken)} turns", flush=True)
    work = Work(deque(mine), deque(spoken))
    await _warm_up(contender, material, mine)
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
    return {"callers_cores": round(callers, 2)} | _column(contender, work, wall_s, cores)


def _cpu_s() -> float:
    """Return the CPU seconds that this process has used."""
    times = psutil.Process().cpu_times()
    return times.user + times.system


async def _warm_up(contender: Contender, material: Material, mine: Sequence[Scene]) -> None:
    """Make a call that does not count: a server loads its models in the first one."""
    true = next((scene for scene in mine if scene.is_true), None)
    if true is None:
        return
    async with _call(contender, material, true, "") as call:
        try:
            with anyio.move_on_after(_WARM_UP_S):
                await call.play(true)
        except (SilentError, UsedUpError) as error:
            print(f"  warming up: {error}", flush=True)


def _call(contender: Contender, material: Material, scene: Scene, plan: str) -> AbstractAsyncContextManager[Call]:
    assistant = contender.assistant
    if plan or scene.plan:
        assistant = assistant | {"stopSpeakingPlan": json.loads(scene.plan or plan)}
    return calling(
        contender.server, assistant, _CLOCK, material, scene.condition, coded=contender.plans, oracle=contender.oracle
    )


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


async def _turn(work: Work, contender: Contender, material: Material) -> None:
    turn, policy = said = work.turns.popleft()
    work.tried[said] += 1
    try:
        async with work.turn_at_once:
            ending = await play_turn(
                turn, policy, at=contender.server, assistant=contender.assistant, clock=_CLOCK, material=material,
                oracle=contender.oracle,
            )  # fmt: skip
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


def _column(contender: Contender, work: Work, wall_s: float, cores: float) -> JsonObject:
    studies = {name: [o for o in work.outcomes if o.scene.study == name] for name in STUDIES}
    found = points(work.endings)
    by_default = next((point for point in found if point.policy == "default"), None)
    late = sum(o.late_ms > LATE_MS for o in work.outcomes) + sum(e.late_ms > LATE_MS for e in work.endings)
    column: JsonObject = {
        "version": contender.version,
        "wall_s": round(wall_s),
        "cores_used": round(cores, 2),
        "worst_late_ms": round(max((o.late_ms for o in (*work.outcomes, *work.endings)), default=0.0), 1),
        "ran_dry_ms_per_scene": round(sum(o.dry_ms for o in work.outcomes) / max(1, len(work.outcomes)), 1),
        "late_share": round(late / max(1, len(work.outcomes) + len(work.endings)), 4),
        "lost": work.lost,
        "left_out": len(work.scenes) + len(work.turns),
        "left_silent": work.silent_calls,
        "figures": summary(studies["main"]),
        "explicit": summary(studies["explicit"]),
        "telephone": paired(studies["telephone"]),
        "double": paired(studies["double"]),
        "plans": _plans(studies["plans"]),
        "endings": {
            "points": [
                {
                    "policy": p.policy,
                    "cut_offs": round(p.cut_offs, 4),
                    "dead_air_ms": None if p.dead_air_ms is None else round(p.dead_air_ms),
                    "turns": p.turns,
                    "unanswered": round(p.unanswered, 4),
                }
                for p in found
            ],
            "cut_offs_at_300_ms": cut_offs_at(found, 300),
            "cut_offs_at_600_ms": cut_offs_at(found, 600),
            "dead_air_at_5_percent_ms": dead_air_at(found, 0.05),
            "dead_air_at_10_percent_ms": dead_air_at(found, 0.10),
            "default_cut_offs": None if by_default is None else by_default.cut_offs,
            "default_dead_air_ms": None if by_default is None else by_default.dead_air_ms,
            "takes_the_turn": _answered_turns(work.endings),
        },
        "outcomes": [_as_json(outcome) for outcome in work.outcomes],
        "turns": [_ending_as_json(ending) for ending in work.endings],
    }
    column["real_time"] = column["late_share"] < _MOST_LATE and cores < _BUSY
    return column


def _plans(outcomes: Sequence[Outcome]) -> list[JsonObject]:
    """Return the results of each plan with the same clips: a point of the trade-off each."""
    rows: list[JsonObject] = []
    for plan in PLANS:
        figures = summary([o for o in outcomes if o.scene.plan == plan])
        if "command" in figures and "listening" in figures:
            rows.append({
                "plan": plan or "default",
                "recall": figures["command"]["recall"],
                "stop_p50_ms": figures["command"]["stop_p50_ms"],
                "listening": figures["listening"]["stopped"],
            })  # fmt: skip
    return rows


def _answered_turns(endings: Sequence[Ending]) -> JsonObject:
    """Count, by kind of turn, those that the assistant answered by default, and all of them.

    An answer counts within three seconds of the end of the turn.
    """
    counts: JsonObject = {}
    for ending in endings:
        if ending.policy == "default":
            taken, all_of = counts.get(ending.turn.kind, (0, 0))
            counts[ending.turn.kind] = [taken + ending.taken, all_of + 1]
    return counts


def _as_json(outcome: Outcome) -> JsonObject:
    scene = outcome.scene
    times = {
        name: getattr(outcome, name)
        for name in ("stop_ms", "message_ms", "gap_ms", "resumed_ms", "skipped_words", "exposed_ms")
    }
    return {
        "part": scene.part,
        "study": scene.study,
        "kind": scene.kind,
        "clip": scene.clip,
        "condition": scene.condition.name,
        "plan": scene.plan,
        "inject_ms": scene.inject_ms,
        **{name: None if value is None else round(value, 1) for name, value in times.items()},
        "early": outcome.early,
        "void": outcome.void,
        "false_stop": not scene.is_true and false_stop(outcome),
        "late_ms": round(outcome.late_ms, 1),
    }


def _ending_as_json(ending: Ending) -> JsonObject:
    return {
        "clip": ending.turn.clip,
        "kind": ending.turn.kind,
        "policy": ending.policy,
        "starts_ms": [round(at_ms) for at_ms in ending.starts_ms],
        "end_ms": round(ending.turn.end_ms),
        "cut_off": ending.cut_off,
        "dead_air_ms": None if ending.dead_air_ms is None else round(ending.dead_air_ms),
    }
