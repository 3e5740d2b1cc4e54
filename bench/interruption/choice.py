"""What a run plays, and how long that will take."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from bargein.client.server_api import Server
from bench.interruption.endings import POLICIES, Turn, turns
from bench.interruption.scenes import PARTS, Scene, scenes

TURNS_AT_ONCE = 6
"""Calls at once while turns are said: all the time somebody speaks, and has to be transcribed."""

_START_S = 15.0
_TAIL_S = 12.0
_TURNS = 3
"""So many times the share of the turns is said: there are few of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What to do.

    Attributes:
        data: a collection of recordings.
        parts: which parts of the benchmark.
        share: of the clips.
        repeats: how often each clip is played.
        at_once: how many calls.
        telephone: all of it over 8 kHz mu-law.
        plan: a `stopSpeakingPlan` for all of it; empty leaves it to the server.
        against: other servers to measure with the same scenes.
        server: a server that runs already, in bargein's place; None starts one.
        minutes: takes as large a share as fits into so many minutes by estimate; None: `share` counts.
    """

    data: Path
    parts: tuple[str, ...] = PARTS
    share: float = 1.0
    repeats: int = 1
    at_once: int = 10
    telephone: bool = False
    plan: str = ""
    against: tuple[str, ...] = ()
    server: Server | None = None
    minutes: float | None = None


def chosen(options: Options, share: float) -> tuple[list[Scene], list[tuple[Turn, str]]]:
    """The scenes and turns of a share of the clips."""
    wanted = scenes(options.data, options.parts, share, options.repeats, telephone=options.telephone)
    said = [
        (turn, policy)
        for policy in (POLICIES if "endings" in options.parts else ())
        for turn in turns(options.data, share * _TURNS)
    ]
    return wanted, said


def seconds(options: Options, share: float) -> list[float]:
    """How long each server will take, by estimate, with its start and what it needs to come up."""
    wanted, said = chosen(options, share)
    ours = took_s(wanted, [turn for turn, _ in said], options.at_once)
    theirs = took_s(
        [scene for scene in wanted if scene.study == "main"],
        [turn for turn, policy in said if policy == "default"],
        options.at_once,
    )
    return [_START_S + took for took in (ours, *(theirs for _ in options.against))]


def took_s(wanted: Iterable[Scene], said: Iterable[Turn], at_once: int) -> float:
    """How long scenes and turns take, by estimate, so many calls at once."""
    scenes_s, turns_s = sum(_scene_s(scene) for scene in wanted), sum(_turn_s(turn) for turn in said)
    return scenes_s / at_once + turns_s / min(at_once, TURNS_AT_ONCE) + _TAIL_S


def fitting(options: Options) -> float:
    """The largest share of the clips that is played within the minutes that there are."""
    low, high = 0.01, 1.0
    if options.minutes is None or sum(seconds(options, high)) <= options.minutes * 60:
        return high
    for _ in range(8):
        middle = (low + high) / 2
        if sum(seconds(options, middle)) <= options.minutes * 60:
            low = middle
        else:
            high = middle
    return low


def _scene_s(scene: Scene) -> float:
    if scene.part == "echo":
        return 32.0
    until_s = scene.offset_ms / 1000
    if scene.is_true or scene.study != "main":
        return scene.inject_ms / 1000 + until_s + 2.5
    # Mostly it follows on another scene; of some four of them one is the first of a call.
    return until_s + 6.5


def _turn_s(turn: Turn) -> float:
    return turn.end_ms / 1000 + 4.0
