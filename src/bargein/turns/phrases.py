"""Words: how they are compared and counted, and how phrases are found among them."""

import re
from functools import lru_cache

# One word is a run of anything but white space; in scripts written without spaces, one character (as Vapi counts).
_CJK = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uac00-\ud7af"
_WORD = re.compile(rf"[{_CJK}]|[^\s{_CJK}]+")
_NOT_SPOKEN = re.compile(r"[^\w\s]|_")


def word_spans(text: str) -> list[tuple[int, int]]:
    """Return the start and end offsets of each word of `text`, punctuation included."""
    return [match.span() for match in _WORD.finditer(text)]


def count_words(text: str) -> int:
    """Count words as Vapi does; punctuation alone is not a word."""
    return sum(1 for start, end in word_spans(text) if normalise(text[start:end]))


@lru_cache(maxsize=4096)
def normalise(text: str) -> tuple[str, ...]:
    """Split into words, in lower case and without punctuation: "Don't, uh-huh!" gives ("dont", "uh", "huh")."""
    text = text.lower().replace("'", "").replace("\u2019", "")
    return tuple(m.group() for m in _WORD.finditer(_NOT_SPOKEN.sub(" ", text)))


def find_phrase(text: str, phrases: tuple[str, ...]) -> str | None:
    """Return the first of `phrases` that occurs in `text` as whole words, or None."""
    said = normalise(text)
    for phrase in phrases:
        sought = normalise(phrase)
        if sought and any(said[i : i + len(sought)] == sought for i in range(len(said) - len(sought) + 1)):
            return phrase
    return None


def consists_of(text: str, phrases: tuple[str, ...]) -> bool:
    """Return True if `text` is one or more of `phrases`, one after the other, and nothing else ("yeah, okay")."""
    said = normalise(text)
    if not said:
        return False
    wanted = [p for p in map(normalise, phrases) if p]
    reachable = [True] + [False] * len(said)
    for end in range(1, len(said) + 1):
        reachable[end] = any(
            len(p) <= end and reachable[end - len(p)] and said[end - len(p) : end] == p for p in wanted
        )
    return reachable[-1]


def begins_phrase(text: str, phrases: tuple[str, ...]) -> bool:
    """Return True if `text` is the beginning of one of `phrases`, but not all of it ("I", "got")."""
    said = normalise(text)
    wanted = map(normalise, phrases)
    return bool(said) and any(len(p) > len(said) and p[: len(said)] == said for p in wanted)
