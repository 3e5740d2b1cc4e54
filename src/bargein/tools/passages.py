"""Search for passages of text by the words of a question: BM25 (Robertson and Zaragoza, 2009).

Words are compared without case and accents. A word of six letters or more also counts, with a lower weight, by its
first five letters, so that "refunds" finds "refunding" in any language with inflected endings. Scripts without spaces
are split into pairs of characters.
"""

import math
import re
import time
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

_K1 = 1.2
_B = 0.75
_STEM = 5
_STEM_WEIGHT = 0.4
_MIN_SHARE_OF_BEST = 0.25
_TARGET_CHARS = 700
_MAX_PASSAGE_CHARS = 1200

_WORD = re.compile(r"\w+")
_PARAGRAPHS = re.compile(r"\n\s*\n")
_SENTENCES = re.compile(r"(?<=[.!?\u3002\uff01\uff1f])\s+|\n")
_NO_SPACES = re.compile(r"[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]")


@dataclass(frozen=True, slots=True)
class Passage:
    """A piece of a file.

    Attributes:
        text: the text of the passage.
        page: its page, from 1; None if the file has one page only.
    """

    text: str
    page: int | None


def split(text: str) -> list[Passage]:
    """Split a text into passages at the ends of paragraphs and sentences; form feeds separate pages."""
    pages = text.split("\f")
    while pages and not pages[-1].strip():
        pages.pop()
    found: list[Passage] = []
    for number, page in enumerate(pages, 1):
        found.extend(Passage(piece, number if len(pages) > 1 else None) for piece in _joined(_pieces(page)))
    return found


def _pieces(page: str) -> Iterator[str]:
    for paragraph in _PARAGRAPHS.split(page):
        stripped = paragraph.strip()
        if len(stripped) <= _MAX_PASSAGE_CHARS:
            yield stripped
            continue
        for sentence in _SENTENCES.split(stripped):
            for at in range(0, len(sentence), _MAX_PASSAGE_CHARS):
                yield sentence[at : at + _MAX_PASSAGE_CHARS].strip()


def _joined(pieces: Iterable[str]) -> Iterator[str]:
    """Yield passages of joined short pieces, such as a heading and the paragraph below it."""
    joined = ""
    for piece in pieces:
        if joined and len(joined) + len(piece) > _TARGET_CHARS:
            yield joined
            joined = ""
        joined = f"{joined}\n{piece}" if joined else piece
    if joined:
        yield joined


def words(text: str) -> list[str]:
    """Return the words of a text in the form in which they are compared."""
    plain = unicodedata.normalize("NFKD", text.casefold())
    plain = unicodedata.normalize("NFC", "".join(c for c in plain if not unicodedata.combining(c)))
    found: list[str] = []
    for word in _WORD.findall(plain):
        if _NO_SPACES.search(word):
            found.extend(word[at : at + 2] for at in range(max(1, len(word) - 1)))
        else:
            found.append(word)
    return found


def _terms(text: str) -> Counter[str]:
    terms: Counter[str] = Counter()
    for word in words(text):
        terms[word] += 1
        if len(word) > _STEM:
            terms[f"{word[:_STEM]}*"] += 1
    return terms


class Index:
    """The searchable passages of one file. Creating one takes long enough to need a thread of its own.

    Args:
        text: the text of the file.
    """

    def __init__(self, text: str) -> None:
        self.passages: Sequence[Passage] = split(text)
        self.chars = len(text)
        self._lengths: list[int] = []
        self._found: dict[str, list[tuple[int, int]]] = {}
        for number, passage in enumerate(self.passages):
            terms = _terms(passage.text)
            self._lengths.append(sum(terms.values()))
            for term, count in terms.items():
                self._found.setdefault(term, []).append((number, count))
            time.sleep(0)  # let the event loop's thread run
        self.mean_length = sum(self._lengths) / len(self._lengths) if self._lengths else 1.0

    def matching(self, term: str) -> Sequence[tuple[int, int]]:
        """Return the passages that contain a term: their numbers, and how often they contain it."""
        return self._found.get(term, ())

    def length(self, number: int) -> int:
        """Return the number of terms in a passage."""
        return self._lengths[number]


def best(indexes: Sequence[Index], question: str, most: int) -> list[tuple[float, int, Passage]]:
    """Return the passages that match a question best, over several files as if they were one.

    Args:
        indexes: the indexes of the files.
        question: the words to look for.
        most: the number of passages at most.

    Returns:
        The score, the number of the file and the passage of each, best first. A passage with a score far below the best
        is left out: it shares only a common word with the question.
    """
    total = sum(len(index.passages) for index in indexes)
    mean = sum(index.mean_length * len(index.passages) for index in indexes) / total if total else 1.0
    scores: dict[tuple[int, int], float] = {}
    for term in _terms(question):
        holding = [(at, index.matching(term)) for at, index in enumerate(indexes)]
        count = sum(len(found) for _, found in holding)
        if not count:
            continue
        weight = math.log(1 + (total - count + 0.5) / (count + 0.5)) * (_STEM_WEIGHT if term.endswith("*") else 1.0)
        for at, found in holding:
            for number, times in found:
                long = 1 - _B + _B * indexes[at].length(number) / mean
                gain = weight * times * (_K1 + 1) / (times + _K1 * long)
                scores[at, number] = scores.get((at, number), 0.0) + gain
    ranked = sorted(scores.items(), key=lambda item: (-item[1], item[0]))[:most]
    least = ranked[0][1] * _MIN_SHARE_OF_BEST if ranked else 0.0
    return [(score, at, indexes[at].passages[number]) for (at, number), score in ranked if score >= least]
