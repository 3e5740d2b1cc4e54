"""Telling a voicemail, a call screening service and a menu apart by their words."""

import re
import unicodedata
from dataclasses import fields
from functools import cache
from typing import Literal

from bargein.call.hearing.answering.phrases import LANGUAGES, Phrases

Machine = Literal["voicemail", "screening", "menu"]

MOST_CHARS = 1000
"""Characters at the end of what was said that count. A greeting is shorter."""

# No single phrase that a person may say as well is enough for a voicemail; two different ones are.
_ENOUGH = 2
_WEIGHTS = {
    "tone": 2, "leave": 2, "machine": 2, "box": 1, "reached": 1, "away": 1, "callback": 1, "number": 0,
}  # fmt: skip
_SCREENING_WEIGHTS = {"name": 1, "reason": 1, "screening": 1}

_MARKS = re.compile(r"[\u0300-\u036f\u064b-\u0652\u0640]")
_APOSTROPHES = re.compile(r"['\u2018\u2019\u02bc`\u00b4]")
_NOT_SPOKEN = re.compile(r"[^\w\s\u0900-\u0963\u0971-\u097f]|_")
_SPACES = re.compile(r"\s+")
_BETWEEN_CJK = re.compile(r"(?<=[\u3040-\u30ff\u3400-\u9fff]) (?=[\u3040-\u30ff\u3400-\u9fff])")
_BEGINS = {"zh": "", "ja": "", "ko": "", "ar": r"(?<!\w)[\u0648\u0641\u0628\u0644]?"}
"""Patterns of the place where a phrase begins, where it is no word's beginning: anywhere in scripts without spaces; in
Arabic also behind a short preposition."""

_ARABIC = str.maketrans(
    {"\u0622": "\u0627", "\u0623": "\u0627", "\u0625": "\u0627", "\u0649": "\u064a", "\u0629": "\u0647"}
)
_OTHER_L = str.maketrans({"\u0142": "l", "\u0131": "i", "\u00df": "ss"})


def classify(text: str, *, final: bool = True) -> Machine | None:
    """Return which machine says this; None: a person does, or it is not known yet.

    Args:
        text: all that the other side has said so far, in any language that turn-taking knows.
        final: no transcript of it will change. Of a text that may go on, only phrases count that need nothing more.
    """
    said = fold(text)[-MOST_CHARS:]
    for code in LANGUAGES:
        machine = _judge(_found_in(said, code), final=final)
        if machine is not None:
            return machine
    return None


def _judge(groups: frozenset[str], *, final: bool) -> Machine | None:
    """Judge the kinds of phrases that occur in one language."""
    voicemail = sum(_WEIGHTS.get(group, 0) for group in groups)
    besides_tone = groups & (_WEIGHTS.keys() - {"tone"})
    screening = sum(_SCREENING_WEIGHTS.get(group, 0) for group in groups)
    # A voicemail asks for a name as well, but in order to call back; a screening service has a tone as well.
    asks = screening >= _ENOUGH or (screening and "tone" in groups) or "screening" in groups
    if asks and not besides_tone:
        return "screening"
    if groups & {"tone", "leave"} and voicemail >= _ENOUGH:
        return "voicemail" if final or "tone" in groups else None
    if "menu" in groups:
        return "menu"
    if voicemail >= _ENOUGH and final:
        return "voicemail"
    return "screening" if screening >= _ENOUGH and final else None


def fold(text: str) -> str:
    """Return text without case, punctuation, apostrophes and accents, and with one space between words."""
    text = _plain(unicodedata.normalize("NFKC", text).casefold())
    text = _SPACES.sub(" ", _NOT_SPOKEN.sub(" ", _APOSTROPHES.sub("", text))).strip()
    return _BETWEEN_CJK.sub("", text)


def _plain(text: str) -> str:
    """Return text in which accents and variants of letters are left out, for texts and patterns alike."""
    text = _MARKS.sub("", unicodedata.normalize("NFD", text))
    return unicodedata.normalize("NFC", text).translate(_ARABIC).translate(_OTHER_L)


@cache
def _patterns(code: str) -> dict[str, re.Pattern[str]]:
    phrases = LANGUAGES[code]
    begin = _BEGINS.get(code, r"(?<!\w)")
    return {field.name: re.compile(f"{begin}(?:{_plain(getattr(phrases, field.name))})") for field in fields(Phrases)}


def _found_in(said: str, code: str) -> frozenset[str]:
    return frozenset(group for group, pattern in _patterns(code).items() if pattern.search(said))
