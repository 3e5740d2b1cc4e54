"""Words: how they are compared and counted, and the phrases that always or never interrupt."""

import re
from functools import lru_cache

# One word is a run of anything but white space; in scripts written without spaces, one character (as Vapi counts).
_CJK = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uac00-\ud7af"
_WORD = re.compile(rf"[{_CJK}]|[^\s{_CJK}]+")
_NOT_SPOKEN = re.compile(r"[^\w\s]|_")


def words_with_ends(text: str) -> list[tuple[int, int]]:
    """Start and end offsets of each word of `text`, punctuation included."""
    return [match.span() for match in _WORD.finditer(text)]


def count_words(text: str) -> int:
    """How many words Vapi would count."""
    return sum(1 for start, end in words_with_ends(text) if normalise(text[start:end]))


@lru_cache(maxsize=4096)
def normalise(text: str) -> tuple[str, ...]:
    """The words of a phrase, in lower case and without punctuation: "Don't, uh-huh!" gives ("dont", "uh", "huh")."""
    text = text.lower().replace("'", "").replace("\u2019", "")
    return tuple(m.group() for m in _WORD.finditer(_NOT_SPOKEN.sub(" ", text)))


def find_phrase(text: str, phrases: tuple[str, ...]) -> str | None:
    """The first of `phrases` that occurs in `text` as whole words, or None."""
    said = normalise(text)
    for phrase in phrases:
        sought = normalise(phrase)
        if sought and any(said[i : i + len(sought)] == sought for i in range(len(said) - len(sought) + 1)):
            return phrase
    return None


def is_made_of(text: str, phrases: tuple[str, ...]) -> bool:
    """Whether `text` is nothing but one or more of `phrases`, one after the other ("yeah, okay")."""
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


def begins_one_of(text: str, phrases: tuple[str, ...]) -> bool:
    """Whether `text` may yet become one of `phrases`: it is the beginning of one, and not all of it ("I", "got")."""
    said = normalise(text)
    wanted = map(normalise, phrases)
    return bool(said) and any(len(p) > len(said) and p[: len(said)] == said for p in wanted)
