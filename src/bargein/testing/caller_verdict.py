"""Answers to the questions that a test asks about a call: true or false, and a sentence that says why."""

from dataclasses import dataclass

from typing_extensions import override


@dataclass(frozen=True, slots=True)
class Verdict:
    """An answer that explains itself: `assert caller.silent_within_ms(400)` prints the sentence where it fails.

    Attributes:
        holds: True if what was asked is so.
        reason: a sentence with the measured times.
    """

    holds: bool
    reason: str

    def __bool__(self) -> bool:
        return self.holds

    @override
    def __repr__(self) -> str:
        return f"<{'yes' if self.holds else 'no'}: {self.reason}>"
