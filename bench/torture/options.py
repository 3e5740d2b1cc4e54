"""The options of a run."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from bench.speech import SPEECH

PARTS = ("kill", "fuzz", "peers", "disk", "soak")
"""All parts, in the order in which they run."""

Database = Literal["sqlite", "postgres"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """The options of a run.

    Attributes:
        parts: the parts to run.
        seed: seed of every random choice.
        quick: whether to run the short form of CI.
        databases: databases to run `kill` and `disk` on.
        minutes: duration of `soak`.
        kills: number of kills on each database.
        inputs: number of inputs of `fuzz`.
        only: the one input of `fuzz` to run; None for all.
        calls: number of simultaneous calls of `soak`.
        data: folder of recordings with a MANIFEST.tsv.
        soak_csv: file to which `soak` adds a line each minute; None for none.
    """

    parts: tuple[str, ...] = PARTS
    seed: int = 1
    quick: bool = False
    databases: tuple[Database, ...] = ("sqlite",)
    minutes: float = 480.0
    kills: int = 1000
    inputs: int = 20_000
    only: int | None = None
    calls: int = 20
    data: Path = SPEECH
    soak_csv: Path | None = None
