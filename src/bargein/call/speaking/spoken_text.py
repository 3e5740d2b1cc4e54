"""A text as a voice speaks it, and how much of the original text each part of it stands for."""

from collections.abc import Iterable
from dataclasses import dataclass

from bargein.ports import SpokenWord
from bargein.turns.events import TimedWord

Edit = tuple[int, int, str]
"""A replacement in a text: where it begins and ends, and what replaces it."""


@dataclass(frozen=True, slots=True)
class SpokenText:
    """A text for the voice.

    What was replaced ("$5" by "five dollars") is heard once its last character is, so that nothing counts as heard that
    was not. What was taken out is heard together with what stands directly before it, or else after it.

    Attributes:
        text: the text for the voice.
        credit: for each number of its characters from 0 on, how many characters of the original have been heard with
            them. It never decreases, and ends with all of them. None: nothing was changed.
    """

    text: str
    credit: tuple[int, ...] | None = None

    def heard(self, char_end: int) -> int:
        """Count the characters of the original that are heard with the first `char_end` of this text."""
        at = min(max(char_end, 0), len(self.text))
        return at if self.credit is None else self.credit[at]


class TextEditor:
    """The changes to one text, each of which keeps the correspondence with the original.

    Args:
        text: the original.

    Attributes:
        text: the text so far.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self._credit: list[int] | None = None
        self._length = len(text)

    def apply(self, edits: Iterable[Edit]) -> None:
        """Carry out replacements, which are in the order of the text and do not overlap."""
        text, credit = self.text, self._credit
        parts: list[str] = []
        new: list[int] = []
        here = at = 0  # `here`: the credit of the place in the new text that is reached
        last = ""
        for start, end, value in edits:
            credit = list(range(len(text) + 1)) if credit is None else credit
            if start > at:
                new.append(here)
                new += credit[at + 1 : start]
                here, last = credit[start], text[start - 1]
            parts += (text[at:start], value)
            if value:
                new += [here] * len(value)
                here, last = credit[end], value[-1]
            elif last and not last.isspace():
                here = credit[end]
            at = end
        if credit is None or (not at and not parts):
            return
        if at < len(text):
            new.append(here)
            new += credit[at + 1 : len(text)]
        new.append(self._length)
        self.text, self._credit = "".join((*parts, text[at:])), new

    @property
    def changed(self) -> bool:
        """Return whether anything was replaced."""
        return self._credit is not None

    def spoken(self) -> SpokenText:
        """Return the result."""
        return SpokenText(self.text, None if self._credit is None else tuple(self._credit))


class HeardWords:
    """The times of a spoken text's words, as times of the original's.

    Words that stand for one place of the original ("five dollars" for "$5") are one word there.

    Args:
        spoken: the text that the voice speaks.
    """

    def __init__(self, spoken: SpokenText) -> None:
        self._spoken = spoken
        self._heard = 0
        self._start_ms: int | None = None

    def add(self, words: Iterable[SpokenWord]) -> list[TimedWord]:
        """Add the next words, and return those of the original that they complete."""
        found: list[TimedWord] = []
        for word in words:
            start_ms = word.start_ms if self._start_ms is None else self._start_ms
            heard = self._spoken.heard(word.char_end)
            if heard <= self._heard:
                self._start_ms = start_ms
                continue
            found.append(TimedWord(heard, start_ms, word.end_ms))
            self._heard, self._start_ms = heard, None
        return found
