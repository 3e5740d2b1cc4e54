"""Splitting of a model's text stream into pieces that a voice can say."""

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple

from bargein.call.plan.voice_text import VoiceTextPlan
from bargein.call.speaking.marks import BREAK, LONGEST_MARK, masked, pause_ms
from bargein.turns.replies.flush_tags import FlushTags

_LONGEST = 240
_LEAST = 30
"""Vapi's default of `minCharacters`: a shorter clause would sound choppy."""

# A run of marks is tried once, at its beginning and as a whole: otherwise a long run takes quadratic time.
_CLOSERS = r"[\"'\u201d\u2019)\]*_`~]*+"
_SENTENCE_END = re.compile(rf"(?<![.!?\u2026])[.!?\u2026]++{_CLOSERS}(?=\s)|[\u3002\uff01\uff1f]+|\n+")
_CLAUSE_END = re.compile(r"[,;:\u2014](?=\s)")
_WITHOUT_SPACE = frozenset("\u3002\uff0c\uff01\uff1f")
"""Marks of scripts that are written without spaces: they need none behind them."""

_LONGEST_ABBREVIATION = 8
_ABBREVIATION = re.compile(
    r"(?:\b(?:mr|mrs|ms|dr|prof|st|no|vs|etc|e\.g|i\.e|jr|sr|inc|ltd|approx|a\.m|p\.m)|(?:^|[\s.])[A-Z])\.$",
    re.IGNORECASE,
)


class Piece(NamedTuple):
    """A stretch of the text, without white space around it.

    Attributes:
        start: its offset in the whole.
        text: the stretch.
        ends_line: a line of the text ends with it.
        pause_ms: the length of the pause that it stands for; None: it is text.
    """

    start: int
    text: str
    ends_line: bool = False
    pause_ms: int | None = None


class Sentences:
    """A splitter that takes text in chunks of any size and returns each sentence as soon as it is complete.

    A tag or a link is never cut.

    Args:
        plan: `minCharacters` and `punctuationBoundaries`. Without them a piece is a sentence, and the first one may be
            a clause of 30 characters, so that speech begins early. With boundaries, a piece ends at any of them, from
            30 characters (Vapi's default) or `minCharacters` on.
        pauses: whether each `<break>` is a piece of its own.
    """

    def __init__(self, plan: VoiceTextPlan | None = None, *, pauses: bool = False) -> None:
        plan = plan or VoiceTextPlan()
        self._end = _SENTENCE_END if plan.boundaries is None else _end_of(plan.boundaries)
        self._clauses = plan.boundaries is None
        self._first_clause = plan.min_chars or _LEAST
        self._least = plan.min_chars or (0 if plan.boundaries is None else _LEAST)
        self._pauses = pauses
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
        """Return the rest: the text is over, or a flush tag ends the piece."""
        pieces: list[Piece] = []
        while (length := self._length_to_break(len(self._text))) is not None:
            pieces.extend(self._cut(length))
        return [*pieces, *self._cut(len(self._text) - self._at)]

    def _length_to_break(self, within: int) -> int | None:
        """Return the length of the text before the next `<break>`, or of that itself; None: there is none."""
        found = BREAK.search(self._text, self._at, self._at + within) if self._pauses else None
        if found is None:
            return None
        before = self._text[self._at : found.start()]
        return found.end() - self._at if not before.strip() else len(before)

    def _next_length(self) -> int | None:
        # One character more than the longest piece, because a mark ends a sentence only before white space.
        text = masked(self._text[self._at : self._at + _LONGEST + 1 + LONGEST_MARK])
        window = text.text[: min(_LONGEST + 1, text.open_at)]
        to_break = self._length_to_break(len(window))
        length = self._sentence_length(window, waits=text.open_at <= _LONGEST)
        return length if to_break is None else min(to_break, length or to_break)

    def _sentence_length(self, window: str, *, waits: bool) -> int | None:
        """Return the length of the next piece by its text alone; None: it is not complete.

        Args:
            window: the text, with its marks filled.
            waits: a mark that is not complete follows it.
        """
        for match in self._end.finditer(window, self._searched):
            end = match.end()
            if end > _LONGEST:
                break
            is_abbreviation = _ABBREVIATION.search(window, max(0, end - _LONGEST_ABBREVIATION), end)
            if end >= self._least and not is_abbreviation and _has_letters(self._text[self._at : self._at + end]):
                return end
            self._searched = end if end < len(window) else self._searched  # a run at the end may grow
        if self._count == 0 and self._clauses:
            for match in _CLAUSE_END.finditer(window):
                if self._first_clause <= match.end() <= _LONGEST:
                    return match.end()
        if waits or len(window) <= _LONGEST:
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
        pause = BREAK.fullmatch(text) if self._pauses else None
        if pause is not None:
            return [Piece(start, text, pause_ms=pause_ms(pause[1]))]
        self._count += 1
        return [Piece(start, text, raw.rstrip(" \t").endswith("\n"))]


class Chunks:
    """A splitter of a reply's text: flush tags are taken out of it, and end a piece at once if the plan says so.

    Args:
        plan: how the text is cut.
        pauses: whether each `<break>` is a piece of its own: the voice does not carry it out.
    """

    def __init__(self, plan: VoiceTextPlan, *, pauses: bool = False) -> None:
        self._flushes = plan.flushes
        self._tags = FlushTags()
        self._sentences = Sentences(plan, pauses=pauses)

    def push(self, text: str) -> list[tuple[str, list[Piece]]]:
        """Add text; return it without tags, in one or more parts, each with the pieces that it completes."""
        parts = self._tags.push(text)
        return [(part, self._cut(part, flushed=index < len(parts))) for index, part in enumerate(parts, 1)]

    def end(self) -> tuple[str, list[Piece]]:
        """Return what is left: text that looked like the beginning of a tag, and the last pieces."""
        held = self._tags.flush()
        return held, [*self._sentences.push(held), *self._sentences.flush()]

    def _cut(self, part: str, *, flushed: bool) -> list[Piece]:
        pieces = self._sentences.push(part)
        return [*pieces, *self._sentences.flush()] if flushed and self._flushes else pieces


@lru_cache(maxsize=64)
def _end_of(boundaries: frozenset[str]) -> re.Pattern[str]:
    """Return the pattern of the end of a piece for `punctuationBoundaries`; one that matches nothing without any."""
    joined, spaced = (_marks(boundaries, without_space=without) for without in (True, False))
    patterns = ([rf"[{joined}]++"] if joined else []) + ([rf"(?:{spaced})++{_CLOSERS}(?=\s)"] if spaced else [])
    return re.compile("|".join(patterns) or r"(?!)")


def _marks(boundaries: Iterable[str], *, without_space: bool) -> str:
    marks = sorted(mark for mark in boundaries if (mark in _WITHOUT_SPACE) is without_space)
    return ("" if without_space else "|").join(map(re.escape, marks))


def _has_letters(text: str) -> bool:
    return any(c.isalnum() for c in text)
