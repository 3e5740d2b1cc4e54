"""Words: how they are compared and counted, and how phrases are found among them."""

import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache

from bargein.segmentation import UNSPACED, count_segments

# For comparing, one word is a run of anything but white space; in scripts written without spaces, one character.
_CJK = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uac00-\ud7af"
_WORD = re.compile(rf"[{_CJK}]|[^\s{_CJK}]+")
_LONGEST_RUN = 40
_COUNTED = re.compile(rf"[{UNSPACED}]{{1,{_LONGEST_RUN}}}|[\uac00-\ud7af]|[^\s{UNSPACED}\uac00-\ud7af]+")
_UNSPACED = re.compile(f"[{UNSPACED}]")
_NOT_SPOKEN = re.compile(r"[^\w\s]|_")
_SPOKEN = re.compile(r"[^\W_]")
_SPACE = re.compile(r"\s")
_BOUNDARY = re.compile(rf"[\s{_CJK}{UNSPACED}]")
_MARKS = ("Mn", "Mc")
_BLOCK_CHARS = 500
_SHORT = 1000
"""Of longer texts only the last few are kept in a cache, because many would fill the memory."""


def _folded() -> dict[int, str | None]:
    """Make the table of characters that writers use one for the other, or leave out."""
    left_out = "'\u2018\u2019\u02bc\u0640\u0670\u0307\u200b\u200c\u200d\u2060\ufe0e\ufe0f\ufeff"
    table: dict[int, str | None] = {ord(char): None for char in left_out}
    table |= dict.fromkeys((*range(0x0591, 0x05C8), *range(0x0610, 0x061B), *range(0x064B, 0x0660)))  # vowel points
    table |= {ord(alif): "\u0627" for alif in "\u0622\u0623\u0625\u0671"}
    table[0x0131] = "i"  # Turkish dotless i, whose capital is that of i
    table |= {0x0649: "\u064a", 0x0629: "\u0647"}  # in Arabic, alif maqsura as yeh, and teh marbuta as heh
    table |= {kana: chr(kana - 0x60) for kana in range(0x30A1, 0x30F7)}  # katakana as hiragana
    return table


_FOLDED = _folded()


def word_spans(text: str) -> list[tuple[int, int]]:
    """Return the start and end offsets of each word of `text`, punctuation included."""
    return [match.span() for match in _WORD.finditer(text)]


def count_words(text: str) -> int:
    """Count words as Vapi does: by white space, or by a dictionary in scripts without; punctuation alone is not a word.

    The count never decreases when something is appended: that would take back an interruption.

    A long text is counted in blocks that begin between two words. A reply's text grows with each token and is counted
    each time, and the blocks at its beginning stay the same.
    """
    count = at = 0
    while at < len(text):
        space = _SPACE.search(text, at + _BLOCK_CHARS, at + 2 * _BLOCK_CHARS)
        boundary = space or _BOUNDARY.search(text, at + 2 * _BLOCK_CHARS)
        end = len(text) if boundary is None else boundary.start()
        count += _count_in_block(text[at:end])
        at = end
    return count


@lru_cache(maxsize=4096)
def _count_in_block(text: str) -> int:
    return sum(map(_count_in_run, _COUNTED.findall(text)))


def _count_in_run(run: str) -> int:
    """Count the words of a run: of its beginnings, the one with the most counts.

    A dictionary may join what were two words when the next character comes.
    """
    if _UNSPACED.match(run) is None:
        return int(_SPOKEN.search(run) is not None)
    return max(count_segments(run[:end]) for end in range(1, len(run) + 1))


def normalise(text: str) -> tuple[str, ...]:
    """Split into words, in lower case and without punctuation: "Don't, uh-huh!" gives ("dont", "uh", "huh").

    Two ways to write the same are the same: composed and decomposed accents, full-width and half-width forms, katakana
    and hiragana, Arabic and Hebrew with and without vowel points. An accent is kept: "sí" and "si" are two words.
    """
    return _normalise_short(text) if len(text) <= _SHORT else _normalise(text)


@lru_cache(maxsize=4096)
def _normalise_short(text: str) -> tuple[str, ...]:
    return _normalise(text)


@lru_cache(maxsize=32)
def _normalise(text: str) -> tuple[str, ...]:
    if text.isascii():
        return tuple(m.group() for m in _WORD.finditer(_NOT_SPOKEN.sub(" ", text.lower().replace("'", ""))))
    text = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold()).translate(_FOLDED)
    words = (m.group() for m in _WORD.finditer(_NOT_SPOKEN.sub(_keep_mark, text)))
    return tuple(word for word in words if _SPOKEN.search(word))


def _keep_mark(found: re.Match[str]) -> str:
    """Return a vowel sign or another mark as it is, and a space for anything else that is not spoken.

    In Devanagari and other scripts a mark tells words apart, and "word characters" of `re` do not include it.
    """
    char = found.group()
    return char if unicodedata.category(char) in _MARKS else " "


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
    return _tree_of_words(tuple(map(normalise, phrases)))


def _tree_of_words(phrases: tuple[tuple[str, ...], ...]) -> _Node:
    root = _Node()
    for number, phrase in enumerate(phrases):
        node = root
        for word in phrase:
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


@lru_cache(maxsize=512)
def longest_ending(text: str, phrases: tuple[str, ...]) -> int:
    """Count the words of the longest of `phrases` with which `text` ends; 0: with none of them.

    Where words are written without spaces, each character is a word.
    """
    node = _tree_of_endings(phrases)
    longest = 0
    for length, word in enumerate(reversed(normalise(text)), 1):
        node = node.after.get(word)
        if node is None:
            break
        longest = length if node.number is not None else longest
    return longest


@lru_cache(maxsize=256)
def _tree_of_endings(phrases: tuple[str, ...]) -> _Node:
    return _tree_of_words(tuple(tuple(reversed(normalise(phrase))) for phrase in phrases))
