"""Splitting of a model's text stream into pieces that a voice can say."""

import re
from typing import NamedTuple

_LONGEST = 240
_FIRST_CLAUSE = 30  # the first piece may be a clause, so that speech begins early; a shorter one would sound choppy

# A run of marks is tried once, at its beginning and as a whole: otherwise a long run takes quadratic time.
_SENTENCE_END = re.compile(r"(?<![.!?\u2026])[.!?\u2026]++[\"'\u201d\u2019)\]]*+(?=\s)|[\u3002\uff01\uff1f]+|\n+")
_CLAUSE_END = re.compile(r"[,;:\u2014](?=\s)")
_LONGEST_ABBREVIATION = 8
_ABBREVIATION = re.compile(
    r"(?:\b(?:mr|mrs|ms|dr|prof|st|no|vs|etc|e\.g|i\.e|jr|sr|inc|ltd|approx|a\.m|p\.m)|(?:^|\s)[A-Z])\.$",
    re.IGNORECASE,
)


class Piece(NamedTuple):
    """A stretch of the text, without white space around it; `start` is its offset in the whole."""

    start: int
    text: str


class Sentences:
    """A splitter that takes text in chunks of any size and returns each sentence as soon as it is complete."""

    def __init__(self) -> None:
        self._text = ""  # what is not returned yet begins at `_at`
        self._at = 0
        self._start = 0
        self._count = 0
        self._searched = 0  # no sentence ends before this offset from `_at`

    def push(self, text: str) -> list[Piece]:
        """Add text, and return the pieces that it completes."""
        self._text = self._text[self._at :] + text
        self._at = 0
        pieces: list[Piece] = []
        while (length := self._next_length()) is not None:
            pieces.extend(self._cut(length))
        return pieces

    def flush(self) -> list[Piece]:
        """Return the rest: the text is over."""
        return self._cut(len(self._text) - self._at)

    def _next_length(self) -> int | None:
        # One character more than the longest piece, because a mark ends a sentence only before white space.
        window = self._text[self._at : self._at + _LONGEST + 1]
        for match in _SENTENCE_END.finditer(window, self._searched):
            end = match.end()
            if end > _LONGEST:
                break
            is_abbreviation = _ABBREVIATION.search(window, max(0, end - _LONGEST_ABBREVIATION), end)
            if not is_abbreviation and _has_letters(window[:end]):
                return end
            self._searched = end if end < len(window) else self._searched  # a run at the end may grow
        if self._count == 0:
            for match in _CLAUSE_END.finditer(window):
                if _FIRST_CLAUSE <= match.end() <= _LONGEST:
                    return match.end()
        if len(window) <= _LONGEST:
            return None
        clause = max((m.end() for m in _CLAUSE_END.finditer(window, 0, _LONGEST)), default=0)
        return clause or (window.rfind(" ", 1, _LONGEST) + 1) or _LONGEST

    def _cut(self, length: int) -> list[Piece]:
        raw = self._text[self._at : self._at + length]
        start = self._start + len(raw) - len(raw.lstrip())
        self._at += length
        self._start += length
        self._searched = 0
        text = raw.strip()
        if not text:
            return []
        self._count += 1
        return [Piece(start, text)]


def _has_letters(text: str) -> bool:
    return any(c.isalnum() for c in text)
