"""The scenes and turns of a run, and an estimate of how long they take."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from bargein.client.server_api import Server
from bench.interruption.answers import answer_turns
from bench.interruption.endings import POLICIES, Turn, turns
from bench.interruption.scenes import OF_ALL_SERVERS, PARTS, Scene, scenes
from bench.interruption.synthetic import synthetic

TURNS_AT_ONCE = 6
"""Simultaneous calls while turns are played: all of them have speech to transcribe all the time."""

_START_S = 15.0
_TAIL_S = 12.0
_TURNS = 3
"""Factor on the share for turns, because there are few of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """The options of a run.

    Attributes:
        data: folder of a collection of recordings.
        parts: parts of the benchmark.
        share: share of the clips.
        repeats: number of times that each clip is played.
        at_once: number of simultaneous calls.
        telephone: play everything over 8 kHz mu-law.
        plan: JSON of a `stopSpeakingPlan` for all scenes; empty uses the server's default.
        against: other servers to measure with the same scenes.
        server: a running server in place of bargein; None starts one.
        minutes: play the largest share that fits into this time by estimate; None: `share` decides.
        synthetic: play synthetic voices too, in the parts `turns` and `languages`.
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
    synthetic: bool = True


def chosen(options: Options, share: float) -> tuple[list[Scene], list[tuple[Turn, str]]]:
    """Return the scenes and turns of a share of the clips."""
    spoken = synthetic() if options.synthetic and {"turns", "languages"} & {*options.parts} else ()
    wanted = scenes(
        options.data, options.parts, share, options.repeats, telephone=options.telephone, synthetic=spoken
    )  # fmt: skip
    said = [(turn, "default") for turn in answer_turns(options.data, spoken, options.parts, share)]
    said += [
        (turn, policy)
        for policy in (POLICIES if "endings" in options.parts else ())
        for turn in turns(options.data, share * _TURNS)
    ]
    return wanted, said


def seconds(options: Options, share: float) -> list[float]:
    """Return an estimate of the time that each server takes, with its start."""
    wanted, said = chosen(options, share)
    ours = took_s(wanted, [turn for turn, _ in said], options.at_once)
    theirs = took_s(
        [scene for scene in wanted if scene.study in OF_ALL_SERVERS],
        [turn for turn, policy in said if policy == "default"],
        options.at_once,
    )
    return [_START_S + took for took in (ours, *(theirs for _ in options.against))]


def took_s(wanted: Iterable[Scene], said: Iterable[Turn], at_once: int) -> float:
    """Return an estimate of the time for scenes and turns with a number of simultaneous calls."""
    scenes_s, turns_s = sum(_scene_s(scene) for scene in wanted), sum(_turn_s(turn) for turn in said)
    return scenes_s / at_once + turns_s / min(at_once, TURNS_AT_ONCE) + _TAIL_S


def fitting(options: Options) -> float:
    """Return the largest share of the clips that can be played within the given minutes."""
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
    # Most scenes follow another one; about one in four is the first of a call.
    return until_s + 6.5


def _turn_s(turn: Turn) -> float:
    return turn.end_ms / 1000 + 4.0
