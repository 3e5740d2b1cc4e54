"""The place in its text at which a reply resumes after a false interruption.

A speaker who was stopped in the middle of a phrase begins the phrase again. So does the assistant, if little of the
phrase had been heard. After a longer part of it the listener remembers how it began, and the assistant goes on with
the word at which it was stopped. The place is always the beginning of a word.
"""

import re

from bargein.turns.phrases import word_spans
from bargein.turns.replies.history import audio_ms_at, heard_chars
from bargein.turns.replies.reply import Reply

REPEATED_MS = 1200
"""The most speech that is heard twice, about four words."""

# Each run of marks is tried once, from its beginning: linear time.
_CLAUSE_END = re.compile(
    r"(?<![.!?\u2026,;:\u2014\u2013])[.!?\u2026,;:\u2014\u2013]++[\"'\u201d\u2019)\]]*+\s+|[\u3001\u3002\uff01\uff0c\uff1a\uff1b\uff1f]\s*|\n\s*"
)
_SENTENCE_END = re.compile(r"(?<![.!?\u2026])[.!?\u2026]++[\"'\u201d\u2019)\]]*+(?=\s)|[\u3002\uff01\uff1f]|\n")
_ABBREVIATION = re.compile(r"(?:\b(?:mr|mrs|ms|dr|prof|st|no|vs|e\.g|i\.e|jr|sr)|(?:^|\s)[A-Z])\.\s*$", re.IGNORECASE)
_WINDOW_CHARS = 400
"""A clause that began longer ago was not cut soon after its beginning, at any rate of speech."""


def resume_char(reply: Reply) -> int:
    """Return the offset in the reply's text at which it resumes: a word's beginning, or the end if nothing is left."""
    heard = heard_chars(reply)
    word = next((heard + start for start, _ in word_spans(reply.text[heard:])), len(reply.text))
    clause = clause_char(reply.text, word)
    if word == len(reply.text) or clause < reply.repeated_chars:
        return word  # a clause is repeated once
    return clause if reply.played_ms - audio_ms_at(reply, clause) <= REPEATED_MS else word


def clause_char(text: str, at: int) -> int:
    """Return the offset at which the clause begins that holds the word at an offset, or that begins with it."""
    begin = max(0, at - _WINDOW_CHARS)
    for match in reversed(list(_CLAUSE_END.finditer(text, begin, at))):
        if not _ABBREVIATION.search(text, max(0, match.end() - 10), match.end()):
            return match.end()
    return 0


def complete_sentences(text: str) -> str:
    """Return the text up to the end of its last complete sentence; empty if it has none."""
    ends = [match.end() for match in _SENTENCE_END.finditer(text)]
    return text[: ends[-1]] if ends else ""
