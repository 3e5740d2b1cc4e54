"""The alignment of the words that a voice read with the words of the text: the time of each character. Pure."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import pairwise

from bargein.ports import SpokenWord

_CHUNK = re.compile(r"\S+")
_SYMBOLS_READ_OUT = frozenset("&%$€£#@+=")
_CLAUSE_END = re.compile(r"(?<=[,;:—])\s+(?=\S)")
_DIGIT_WEIGHT = 4
"""The duration of a digit, in letters."""


@dataclass(frozen=True, slots=True)
class ReadWord:
    """One word as the voice read it, with numbers and abbreviations written out."""

    text: str
    start_ms: float
    end_ms: float


@dataclass(slots=True)
class _Written:
    """One word of the original text; `char_end` includes unspoken characters after it."""

    text: str
    char_end: int
    start_ms: float = 0.0
    end_ms: float = 0.0


def split_at_clauses(text: str, longest: int) -> list[int]:
    """Return the offsets at which the pieces of a sentence begin, the first 0; pieces have about `longest` characters.

    A piece ends at a clause's punctuation and has at least a third of `longest`, so that no single word is separated.
    Text without punctuation, of more than three times `longest`, is cut between words.
    """
    starts = [0]
    ends = [match.end() for match in _CLAUSE_END.finditer(text)]
    for end, following in pairwise([*ends, len(text)]):
        long_enough = end - starts[-1] >= longest / 3 and len(text) - end >= longest / 3
        if long_enough and following - starts[-1] > longest:
            starts.append(end)
    return [cut for start, end in pairwise([*starts, len(text)]) for cut in _split_at_words(text, start, end, longest)]


def _split_at_words(text: str, start: int, end: int, longest: int) -> list[int]:
    """Cut `text[start:end]` every `longest` characters or so if it is more than three times as long."""
    cuts = [start]
    if end - start > 3 * longest:
        for match in _CHUNK.finditer(text, start, end):
            if match.end() - cuts[-1] > longest and match.start() > cuts[-1]:
                cuts.append(match.start())
    return cuts


def align(text: str, read: Sequence[ReadWord], total_ms: float) -> tuple[SpokenWord, ...]:
    """Return the time of each word of `text`.

    Words that were read as they are written get their own time. Where the two differ (a number, an abbreviation, a
    symbol), the words of the differing part share its time in proportion to their estimated length.

    Args:
        text: the text as written.
        read: the words that the voice read, in order.
        total_ms: the length of the audio.

    Returns:
        The timings in ascending order, within the audio; the last `char_end` is the end of the text without trailing
        white space. Empty only if `text` is blank.
    """
    end_of_text = len(text.rstrip())
    if end_of_text == 0:
        return ()
    written = _written_words(text)
    if not written:
        return (SpokenWord(end_of_text, 0, int(total_ms)),)
    matcher = SequenceMatcher(None, [_key(w.text) for w in written], [_key(r.text) for r in read], autojunk=False)
    for tag, i1, i2, j1, j2 in matcher.get_opcodes():
        if tag == "equal":
            for word, reading in zip(written[i1:i2], read[j1:j2], strict=True):
                word.start_ms, word.end_ms = reading.start_ms, reading.end_ms
            continue
        start_ms, end_ms = _stretch(read, j1, j2)
        if i1 < i2:
            _share(written[i1:i2], start_ms, end_ms)
        elif i1 > 0:
            written[i1 - 1].end_ms = end_ms
    return tuple(_in_order(written, total_ms))


def _written_words(text: str) -> list[_Written]:
    """Return the spoken words of `text`; unspoken characters (a lone dash, a smiley) belong to the word before."""
    words: list[_Written] = []
    for match in _CHUNK.finditer(text):
        if _key(match.group()):
            words.append(_Written(match.group(), match.end()))
        elif words:
            words[-1].char_end = match.end()
    return words


def _key(word: str) -> str:
    """Return the part of a word that its spellings have in common; empty for unspoken characters."""
    letters = "".join(c for c in word.casefold() if c.isalnum())
    return letters or "".join(c for c in word if c in _SYMBOLS_READ_OUT)


def _stretch(read: Sequence[ReadWord], first: int, after: int) -> tuple[float, float]:
    """Return begin and end of `read[first:after]`; a point in time if that is empty."""
    if first < after:
        return read[first].start_ms, read[after - 1].end_ms
    if first > 0:
        return read[first - 1].end_ms, read[first - 1].end_ms
    start_ms = read[0].start_ms if read else 0.0
    return start_ms, start_ms


def _share(words: Sequence[_Written], start_ms: float, end_ms: float) -> None:
    """Divide a range of time among words in proportion to their estimated length."""
    weights = [sum(_DIGIT_WEIGHT if c.isdigit() else 1 for c in w.text if c.isalnum()) or 1 for w in words]
    total, passed = sum(weights), 0
    for word, weight in zip(words, weights, strict=True):
        word.start_ms = start_ms + (end_ms - start_ms) * passed / total
        passed += weight
        word.end_ms = start_ms + (end_ms - start_ms) * passed / total


def _in_order(words: Iterable[_Written], total_ms: float) -> Iterator[SpokenWord]:
    """Round the times, and keep them ascending and within the audio."""
    last, end_of_audio = 0, int(total_ms)
    for word in words:
        start = min(max(last, round(word.start_ms)), end_of_audio)
        last = min(max(start, round(word.end_ms)), end_of_audio)
        yield SpokenWord(word.char_end, start, last)
