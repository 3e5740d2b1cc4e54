"""Marks within a text: tags and links, which are never cut, and `<break>`, which is a pause.

The length of a mark is limited, so that text behind a `<` or a `[` is not held for ever.
"""

import re
from typing import NamedTuple

_TAG = r"</?[A-Za-z!?][^<>]{0,200}>"
_SPELLED = r"<(?i:spell)>[^<>]{0,200}</(?i:spell)[ ]?>"
_LINK = r"\[[^\[\]\n]{0,200}\]\([^()\s]{0,500}\)"
_MARK = re.compile(rf"{_SPELLED}|{_TAG}|{_LINK}")
_OPEN_SPELL = re.compile(r"<(?i:spell)>[^<>]{0,200}(?:</?[a-zA-Z]{0,5}[ ]?)?\Z")
_OPEN = re.compile(
    r"<(?:/?(?:[A-Za-z!?][^<>]{0,200})?)?\Z"
    r"|\[[^\[\]\n]{0,200}(?:\](?:\([^()\s]{0,500})?)?\Z"
)
LONGEST_MARK = 710
"""The most characters of a mark: a link with its address."""

_FILLER = "_"
"""Stands for each character of a mark: no white space, and no end of a sentence, but it may stand behind one."""

BREAK = re.compile(r"<(?i:break)\b([^<>]{0,200})>")
"""SSML's `<break>`; `</break>` has no meaning of its own."""

_IS = r"""\s{0,8}=\s{0,8}["']?\s{0,8}"""
_TIME = re.compile(rf"\btime{_IS}(\d{{1,5}}(?:\.\d{{1,3}})?|\.\d{{1,3}})\s{{0,8}}(ms|s)\b", re.IGNORECASE)
_STRENGTH = re.compile(rf"\bstrength{_IS}([a-z-]{{1,10}})", re.IGNORECASE)
_STRENGTHS_MS = {"none": 0, "x-weak": 100, "weak": 250, "medium": 500, "strong": 750, "x-strong": 1000}
LONGEST_PAUSE_MS = 10_000
"""The longest pause of one `<break>`, as most voices have it."""


class Masked(NamedTuple):
    """A text whose marks are filled.

    Attributes:
        text: the text, of the same length.
        open_at: where a mark begins that is not complete; the length of the text: there is none.
    """

    text: str
    open_at: int


def masked(text: str) -> Masked:
    """Return a text with each of its marks filled."""
    if "<" not in text and "[" not in text:
        return Masked(text, len(text))
    filled = _MARK.sub(lambda found: _FILLER * len(found[0]), text)
    spell = _OPEN_SPELL.search(text)
    found = _OPEN.search(filled) if spell is None else spell
    return Masked(filled, len(text) if found is None else found.start())


def pause_ms(attributes: str) -> int:
    """Return the length of a `<break>` by its attributes: `time`, else `strength`, which is medium by default."""
    time = _TIME.search(attributes)
    if time is not None:
        scale = 1 if time[2].lower() == "ms" else 1000
        return min(round(float(time[1]) * scale), LONGEST_PAUSE_MS)
    strength = _STRENGTH.search(attributes)
    return _STRENGTHS_MS.get("" if strength is None else strength[1].lower(), _STRENGTHS_MS["medium"])
