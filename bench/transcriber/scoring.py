"""Word error rates of digits and letters, whatever form they are written in."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from bench.transcriber.material import DIGITS

_PIECE = re.compile(r"\d|[a-z]+(?:'[a-z]+)?")
_SAME = {"oh": "zero", "o": "zero", "nought": "zero"}
_TENS = {
    tens: DIGITS[number]
    for number, tens in enumerate(("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"), 2)
}
_TEENS = (
    "ten", "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen",
)  # fmt: skip


def units(text: str, *, letters: bool) -> list[str]:
    """Return the words of a text, each digit as one word; with `letters`, the letter O is not a zero.

    "22", "two two" and "twenty two" are the same, and so are "AB" and "a, b" where letters are expected.
    """
    found: list[str] = []
    pieces: list[str] = _PIECE.findall(text.casefold() if not letters else _apart(text).casefold())
    for piece in pieces:
        if piece.isdigit():
            found.append(DIGITS[int(piece)])
        elif piece in _TENS:
            found.append(_TENS[piece])
        elif piece in _TEENS:
            found += ["one", DIGITS[_TEENS.index(piece)]]
        else:
            found.append(piece if letters else _SAME.get(piece, piece))
    return found


def _apart(text: str) -> str:
    """Put spaces between the letters of runs of capitals."""
    return re.sub(r"(?<=[A-Z0-9])(?=[A-Z0-9])", " ", text)


def errors(said: Sequence[str], heard: Sequence[str]) -> int:
    """Return the least number of words to insert, delete or replace."""
    row = list(range(len(heard) + 1))
    for i, word in enumerate(said, 1):
        last, row[0] = row[0], i
        for j, other in enumerate(heard, 1):
            last, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, last + (word != other))
    return row[-1]


@dataclass(slots=True)
class Score:
    """The score of a set.

    Attributes:
        sounds: how many sounds were transcribed.
        words: how many words are said in them.
        errors: words inserted, deleted or replaced.
        exact: sounds without an error.
        empty: sounds without any words.
        numbers: sounds whose transcript has a digit or a number.
        ms: time of all passes, in milliseconds of one thread.
        passes: how many utterances were transcribed.
    """

    sounds: int = 0
    words: int = 0
    errors: int = 0
    exact: int = 0
    empty: int = 0
    numbers: int = 0
    ms: float = 0.0
    passes: int = 0

    def add(self, said: str, heard: str, *, letters: bool) -> None:
        """Add a sound."""
        wanted, got = units(said, letters=letters), units(heard, letters=letters)
        wrong = errors(wanted, got)
        self.sounds += 1
        self.words += len(wanted)
        self.errors += wrong
        self.exact += wrong == 0
        self.empty += not got
        self.numbers += any(word in DIGITS for word in got)

    @property
    def error_rate(self) -> float:
        """Errors for each word that is said."""
        return self.errors / max(1, self.words)
