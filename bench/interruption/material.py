"""Audio for the calls, read before the first of them: nothing is decoded while a call is timed."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from bargein.audio.pcm import Float32Array
from bench.interruption.caller import Material
from bench.interruption.conditions import RATE_HZ, Condition
from bench.interruption.line import pass_band
from bench.interruption.recordings import at_level, read, room
from bench.interruption.scenes import Scene, rows
from bench.interruption.synthetic import path_of

_STEADY = ("noise.kitchen", "noise.pink_noise", "noise.rain")
_LONGEST_TURN_S = 20


def load(data: Path, scenes: Iterable[Scene], turns: Iterable[str] = ()) -> Material:
    """Read all clips that are needed, each at its level and with the filter of its line.

    Args:
        data: folder of the collection.
        scenes: scenes to play while the assistant speaks.
        turns: paths of the recordings of whole turns.
    """
    clips: dict[tuple[str, str], Float32Array] = {}
    for scene in scenes:
        key = scene.clip, scene.condition.name
        if scene.clip and key not in clips:
            clips[key] = _as_heard(read(path_of(data, scene.clip)), scene.condition)
    plain = Condition()
    for path in turns:
        clips[path, plain.name] = _as_heard(read(path_of(data, path), _LONGEST_TURN_S), plain)
    return Material(clips=clips, noise=_steady_noise(data), response=room(data))


def _as_heard(samples: Float32Array, condition: Condition) -> Float32Array:
    level = at_level(samples, condition.level_dbfs)
    return pass_band(level) if condition.band else level


def _steady_noise(data: Path) -> Float32Array:
    """Return half a minute of kitchen noise, or rain, or else white noise, with a level of one."""
    found = [row for kind in _STEADY for row in rows(data) if row["class"] == kind]
    noise = read(data / found[0]["path"]) if found else np.zeros(0, dtype=np.float32)
    level = float(np.sqrt(np.mean(noise**2))) if noise.size else 0.0
    if level < 1e-4:
        return np.random.default_rng(3).normal(0, 1, 10 * RATE_HZ).astype(np.float32)
    return (noise / level).astype(np.float32)
