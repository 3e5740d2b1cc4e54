"""Words: how they are compared and counted, and how phrases are found among them."""

import re
from collections.abc import Iterator
from functools import lru_cache

# One word is a run of anything but white space; in scripts written without spaces, one character (as Vapi counts).
_CJK = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uac00-\ud7af"
_WORD = re.compile(rf"[{_CJK}]|[^\s{_CJK}]+")
_NOT_SPOKEN = re.compile(r"[^\w\s]|_")
_SPOKEN = re.compile(r"[^\W_]")
_BOUNDARY = re.compile(rf"[\s{_CJK}]")
_BLOCK_CHARS = 500
_SHORT = 1000
"""Of longer texts only the last few are kept in a cache, because many would fill the memory."""


def word_spans(text: str) -> list[tuple[int, int]]:
    """Return the start and end offsets of each word of `text`, punctuation included."""
    return [match.span() for match in _WORD.finditer(text)]


def count_words(text: str) -> int:
    """Count words as Vapi does; punctuation alone is not a word.

    A long text is counted in blocks that begin between two words. A reply's text grows with each token and is counted
    each time, and the blocks at its beginning stay the same.
    """
    count = at = 0
    while at < len(text):
        boundary = _BOUNDARY.search(text, at + _BLOCK_CHARS)
        end = len(text) if boundary is None else boundary.start()
        count += _count_in_block(text[at:end])
        at = end
    return count


@lru_cache(maxsize=4096)
def _count_in_block(text: str) -> int:
    return sum(1 for word in _WORD.finditer(text) if _SPOKEN.search(word.group()))


def normalise(text: str) -> tuple[str, ...]:
    """Split into words, in lower case and without punctuation: "Don't, uh-huh!" gives ("dont", "uh", "huh")."""
    return _normalise_short(text) if len(text) <= _SHORT else _normalise(text)


@lru_cache(maxsize=4096)
def _normalise_short(text: str) -> tuple[str, ...]:
    return _normalise(text)


@lru_cache(maxsize=32)
def _normalise(text: str) -> tuple[str, ...]:
    text = text.lower().replace("'", "").replace("\u2019", "")
    return tuple(m.group() for m in _WORD.finditer(_NOT_SPOKEN.sub(" ", text)))


class _Node:
    """A tree of phrases by their words, so that a search does not take longer for many phrases than for one.

    Attributes:
        after: the next words, each with the phrases that go on with it.
        number: the number of the phrase that ends here; None: none.
    """

    __slots__ = ("after", "number")

    def __init__(self) -> None:
        self.after: dict[str, _Node] = {}
        self.number: int | None = None


@lru_cache(maxsize=256)
def _tree(phrases: tuple[str, ...]) -> _Node:
    root = _Node()
    for number, phrase in enumerate(phrases):
        node = root
        for word in normalise(phrase):
            node = node.after.setdefault(word, _Node())
        if node.number is None and node is not root:
            node.number = number
    return root


def _phrases_at(said: tuple[str, ...], start: int, root: _Node) -> Iterator[tuple[int, int]]:
    """Yield each phrase that begins at a word: its number, and where it ends."""
    node = root.after.get(said[start])
    end = start + 1
    while node is not None:
        if node.number is not None:
            yield node.number, end
        node = node.after.get(said[end]) if end < len(said) else None
        end += 1


@lru_cache(maxsize=512)
def find_phrase(text: str, phrases: tuple[str, ...]) -> str | None:
    """Return the first of `phrases` that occurs in `text` as whole words, or None."""
    said, root = normalise(text), _tree(phrases)
    found = (number for start in range(len(said)) for number, _ in _phrases_at(said, start, root))
    number = min(found, default=None)
    return None if number is None else phrases[number]


@lru_cache(maxsize=512)
def consists_of(text: str, phrases: tuple[str, ...]) -> bool:
    """Return True if `text` is one or more of `phrases`, one after the other, and nothing else ("yeah, okay")."""
    said, root = normalise(text), _tree(phrases)
    reachable = [bool(said)] + [False] * len(said)
    for start in range(len(said)):
        if reachable[start]:
            for _, end in _phrases_at(said, start, root):
                reachable[end] = True
    return reachable[-1]


@lru_cache(maxsize=512)
def begins_phrase(text: str, phrases: tuple[str, ...]) -> bool:
    """Return True if `text` is the beginning of one of `phrases`, but not all of it ("I", "got")."""
    said = normalise(text)
    node: _Node | None = _tree(phrases)
    for word in said:
        node = None if node is None else node.after.get(word)
    return bool(said) and node is not None and bool(node.after)
