"""Splitting of a model's text stream into pieces that a voice can say."""

import re
from typing import NamedTuple

_LONGEST = 240
_FIRST_CLAUSE = 30  # the first piece may be a clause, so that speech begins early; a shorter one would sound choppy

_SENTENCE_END = re.compile(r"[.!?\u2026]+[\"'\u201d\u2019)\]]*(?=\s)|[\u3002\uff01\uff1f]+|\n+")
_CLAUSE_END = re.compile(r"[,;:\u2014](?=\s)")
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
        self._rest = ""
        self._start = 0
        self._count = 0

    def push(self, text: str) -> list[Piece]:
        """Add text, and return the pieces that it completes."""
        self._rest += text
        pieces: list[Piece] = []
        while (end := self._next_end()) is not None:
            pieces.extend(self._cut(end))
        return pieces

    def flush(self) -> list[Piece]:
        """Return the rest: the text is over."""
        return self._cut(len(self._rest))

    def _next_end(self) -> int | None:
        for match in _SENTENCE_END.finditer(self._rest):
            if match.end() > _LONGEST:
                break
            if not _ABBREVIATION.search(self._rest[: match.end()]) and _has_letters(self._rest[: match.end()]):
                return match.end()
        if self._count == 0:
            for match in _CLAUSE_END.finditer(self._rest):
                if _FIRST_CLAUSE <= match.end() <= _LONGEST:
                    return match.end()
        if len(self._rest) <= _LONGEST:
            return None
        clause = max((m.end() for m in _CLAUSE_END.finditer(self._rest, 0, _LONGEST)), default=0)
        return clause or (self._rest.rfind(" ", 1, _LONGEST) + 1) or _LONGEST

    def _cut(self, end: int) -> list[Piece]:
        raw, self._rest = self._rest[:end], self._rest[end:]
        start = self._start + len(raw) - len(raw.lstrip())
        self._start += end
        text = raw.strip()
        if not text:
            return []
        self._count += 1
        return [Piece(start, text)]


def _has_letters(text: str) -> bool:
    return any(c.isalnum() for c in text)
