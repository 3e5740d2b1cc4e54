"""Steps of a tester, as a script or its model writes them: words, and marks in brackets for all that is no word. Pure.

    Tell me a story. [uh-huh after 1 s] [after 2.5 s] Stop. [silence 2 s] [cough] [hang up]

The words after `[after 2.5 s]` are said over the assistant, that long after the beginning of its speech.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from bargein.wire.json import as_object, as_string

Kind = Literal["say", "interrupt", "backchannel", "cough", "noise", "silence", "hang up"]

NOTATION = (
    "Answer with the words that you say next, and nothing else. For what is not a word, write one of these marks: "
    "[after 1.5 s] before words with which you interrupt the other side 1.5 seconds into its next answer; "
    "[uh-huh after 1 s] to show that you listen; [cough after 1 s]; [silence 3 s]; "
    "[hang up] when the conversation is over."
)
"""The explanation of the marks for a tester's model."""

SCRIPT = "script:"
"""The first line of instructions that are steps, a line each, and not a text for a model."""

OVER_S = 1.0
"""A sound without a time begins so long after the beginning of the assistant's speech."""

_LONGEST_S = 60.0
_MOST_STEPS = 200
_MARK = re.compile(r"\[([^\[\]\n]{1,60})\]")
_SECONDS = re.compile(r"[0-9]{1,3}(?:\.[0-9]{1,3})?")
_BACKCHANNELS = ("uh-huh", "uh huh", "mm-hmm", "mhm", "okay", "right", "yeah")


@dataclass(frozen=True, slots=True)
class Step:
    """One step.

    Attributes:
        kind: its kind.
        text: the words.
        after_s: seconds from the beginning of the assistant's speech.
        seconds: the length of a silence or a noise.
    """

    kind: Kind
    text: str = ""
    after_s: float = OVER_S
    seconds: float = 0.0

    @property
    def is_over_speech(self) -> bool:
        """True if it is heard while the assistant speaks."""
        return self.kind in ("interrupt", "backchannel", "cough", "noise")


def read_steps(text: str) -> list[Step]:
    """Return the steps in a text. A mark of an unknown kind is left out; it is never said."""
    steps: list[Step] = []
    after_s: float | None = None
    pieces = _MARK.split(text)
    for index, piece in enumerate(pieces[: 2 * _MOST_STEPS]):
        if index % 2 == 0:
            words = " ".join(piece.split())
            if words:
                steps.append(Step("say", words) if after_s is None else Step("interrupt", words, after_s))
                after_s = None
            continue
        after_s = _after(piece, after_s)
        step = _step(piece.strip().lower())
        if step is not None:
            steps.append(step)
    return steps


def script_of(instructions: str) -> list[Step] | None:
    """Return the steps of instructions that are a script; None if they are a text for a model."""
    first, _, rest = instructions.strip().partition("\n")
    if first.strip().lower() != SCRIPT:
        return None
    return [step for line in rest.splitlines() for step in read_steps(line)][:_MOST_STEPS]


def habits_of(metadata: object) -> list[Step]:
    """Return what a personality does during each answer of the assistant (`assistant.metadata.tester`).

    `backchannelAfterSeconds`, `coughAfterSeconds` and `interruptAfterSeconds` are seconds from the beginning of the
    answer; `interruptWith` are the words of the interruption.
    """
    given = as_object(as_object(metadata).get("tester"))
    found: list[Step] = []
    for name, kind, text in (
        ("backchannelAfterSeconds", "backchannel", "uh-huh"),
        ("coughAfterSeconds", "cough", ""),
        ("interruptAfterSeconds", "interrupt", as_string(given.get("interruptWith")) or "Sorry, wait."),
    ):
        value: object = given.get(name)
        if isinstance(value, int | float) and 0 <= value <= _LONGEST_S:
            found.append(Step(kind, text, float(value)))  # pyright: ignore[reportArgumentType]  # one of its kinds
    return sorted(found, key=lambda step: step.after_s)


def with_habits(steps: Sequence[Step], habits: Sequence[Step]) -> list[Step]:
    """Return steps in which the habits follow each turn that nothing else is to be heard over."""
    found: list[Step] = []
    for index, step in enumerate(steps):
        found.append(step)
        following = steps[index + 1] if index + 1 < len(steps) else None
        if step.kind == "say" and (following is None or not following.is_over_speech):
            found += habits
    return found


def _after(mark: str, before: float | None) -> float | None:
    words = mark.lower().split()
    return _seconds(mark) if words[:1] == ["after"] else before


def _step(mark: str) -> Step | None:
    name, _, rest = mark.partition(" after ")
    after_s = _seconds(rest) if rest else OVER_S
    if name in ("hang up", "hangup", "end call"):
        return Step("hang up")
    if name in _BACKCHANNELS:
        return Step("backchannel", name, after_s)
    if name == "cough":
        return Step("cough", after_s=after_s)
    if name.startswith("noise"):
        return Step("noise", after_s=after_s, seconds=_seconds(name) or 2.0)
    if name.startswith("silence"):
        return Step("silence", seconds=_seconds(name) or 2.0)
    return None


def _seconds(text: str) -> float:
    found = _SECONDS.search(text)
    return min(_LONGEST_S, float(found.group())) if found is not None else 0.0
