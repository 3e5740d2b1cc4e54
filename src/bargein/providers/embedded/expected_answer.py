"""The kind of answer that the assistant asks for: yes or no, a number, a spelled name, a date. English. Pure.

A question that asks for nothing in particular is open, and so are words that ask for nothing.
"""

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

Kind = Literal["open", "yes-no", "number", "spelled", "name", "date"]
"""`number` is digits or an amount, `spelled` is letters and digits (a spelled name, a code), `name` is a person's."""

_SENTENCE = re.compile(r"[^.?!\n]+[.?!]*")
_LAST_SENTENCES = 2
"""The last sentences that are searched: a request is often followed by one like "Take your time."."""

_LAST_CHARS = 400
_REQUEST = re.compile(
    r"\b(?:what|which|when|who|how|where|tell|give|say|enter|provide|need|spell|repeat|read|confirm|share|have|get"
    r"|dial|state|please|may|can|could)\b|\?"
)
_SPELLED = re.compile(
    r"\bspell|\bletter by letter\b|\b(?:post ?code|postal code|licen[cs]e plate|registration|vin|booking reference"
    r"|(?:confirmation|booking|reference|reservation|tracking|serial|order|promo|discount|voucher|access|product|gift)"
    r" (?:code|number|reference)|alphanumeric)\b"
)
_NUMBER = re.compile(
    r"\b(?:numbers?|digits?|zip(?: code)?|area code|pin(?: code)?|extension|security code|verification code"
    r"|passcode|code|social security|how (?:many|much|old|tall|long)|quantity|amount|age|telephone|phone)\b"
)
_AMOUNT = re.compile(r"\b(?:how (?:many|much|old|tall|long)|quantity|amount|age|number of)\b")
_NO_NUMBER = re.compile(r"\b(?:phone call|over the phone|on the phone|by phone|number of (?:ways|things|options))\b")
_DATE = re.compile(
    r"\b(?:date|birthday|born|what day|which day|what time|which time|what month|which month|what year|which year)\b"
    r"|^when (?:would|do|did|is|are|was|will|should|can|were)\b"
)
_NAME = re.compile(
    r"\b(?:your|full|first|last|family|maiden|sur)[ -]?name\b|\bwho (?:am i|is calling|'?s calling)|\bname, please\b"
)
_YES_NO = re.compile(
    r"(?:^|[,;:] |\b(?:so|and|but|or|okay|great|well|now) )(?:is|are|am|was|were|do|does|did|have|has|had|will|would"
    r"|can|could|should|shall|may|might|isn't|aren't|don't|doesn't|didn't|haven't|hasn't|won't|wouldn't|can't|couldn't)"
    r" (?:you|i|we|that|this|it|there|they|he|she|the|your|my|these|those)\b"
    r"|\b(?:right|correct|okay|yes or no|is that right|is that correct|does that work|anything else)\?"
)
_WORDS = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
_DIGITS_OF = re.compile(rf"\b(\d{{1,2}}|{'|'.join(_WORDS)}|sixteen)[- ](?:digits?|numbers?)\b")
_USUAL_DIGITS = (
    (re.compile(r"\b(?:card number|credit card|debit card)\b"), 16),
    (re.compile(r"\bsocial security\b"), 9),
    (re.compile(r"\bzip(?: code)?\b"), 5),
    (re.compile(r"\barea code\b"), 3),
    (re.compile(r"\bpin\b"), 4),
    (
        re.compile(
            r"\b(?:phone|telephone|mobile|cell|callback|call back|contact|fax)\b.{0,20}\bnumber\b|\breach you\b"
        ),
        10,
    ),
)

_SPOKEN_DIGITS = {"zero", "oh", "o", "nought", "double", "triple", *_WORDS[:9]}
_NUMBER_WORD = re.compile(
    r"\d+|zero|oh|o|nought|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|\w+teen"
    r"|(?:twen|thir|for|fif|six|seven|eigh|nine)ty(?:\w+)?|hundred|thousand|million|double|triple|dozen|couple|half|none"
)
_MONTHS = (
    "january february march april may june july august september october november december monday tuesday wednesday"
    " thursday friday saturday sunday today tomorrow yesterday tonight noon midnight morning afternoon evening now"
    " asap week weekend month first second third"
)
_DATE_WORD = re.compile(rf"{'|'.join(_MONTHS.split())}|\d+(?:st|nd|rd|th)?|\w+th|am|pm|o'?clock")
_YES_NO_WORD = re.compile(
    r"yes|yeah|yep|yup|no|nope|nah|sure|okay|ok|right|correct|exactly|absolutely|definitely|please|thanks|of|course"
    r"|uh-huh|mm-hmm|not|really|never|fine|perfect|great|good|wrong|incorrect|it|is|that|that's|isn't|i|do|don't|am"
)
_WORD = re.compile(r"[\w'-]+")


@dataclass(frozen=True, slots=True)
class ExpectedAnswer:
    """An expected answer.

    Attributes:
        kind: its kind.
        digits: how many digits a number usually has, as 10 for a telephone number; None: any.
        amount: whether a number is an amount ("how many"), and is not spoken digit by digit.
    """

    kind: Kind
    digits: int | None = None
    amount: bool = False


OPEN = ExpectedAnswer("open")
"""Nothing in particular is expected."""


@lru_cache(maxsize=256)
def expected_answer(question: str) -> ExpectedAnswer:
    """Return what the assistant's last words ask for.

    Args:
        question: the assistant's last words; only the last sentences count.
    """
    sentences = [found.group().strip() for found in _SENTENCE.finditer(question[-_LAST_CHARS:].casefold())]
    for sentence in reversed([one for one in sentences if any(map(str.isalnum, one))][-_LAST_SENTENCES:]):
        expected = _expected_by(sentence.replace("\u2019", "'"))
        if expected is not None:
            return expected
    return OPEN


def _expected_by(sentence: str) -> ExpectedAnswer | None:
    """Return what a sentence asks for, in lower case; None: it asks for nothing."""
    if _REQUEST.search(sentence) is None:
        return None
    if _SPELLED.search(sentence):
        return ExpectedAnswer("spelled", _digits(sentence))
    if _DATE.search(sentence):
        return ExpectedAnswer("date")
    if _NUMBER.search(sentence) and not _NO_NUMBER.search(sentence):
        confirms = _YES_NO.search(sentence) is not None and not re.search(
            r"\b(?:can|could|may|have) (?:i|you|we)\b", sentence
        )
        return (
            ExpectedAnswer("yes-no")
            if confirms
            else ExpectedAnswer("number", _digits(sentence), _AMOUNT.search(sentence) is not None)
        )
    if _NAME.search(sentence):
        return ExpectedAnswer("name")
    if _YES_NO.search(sentence):
        return ExpectedAnswer("yes-no")
    return OPEN if sentence.endswith("?") else None


def _digits(sentence: str) -> int | None:
    told = _DIGITS_OF.search(sentence)
    if told is not None:
        word = told[1]
        return int(word) if word.isdigit() else 16 if word == "sixteen" else _WORDS.index(word) + 1
    return next((count for pattern, count in _USUAL_DIGITS if pattern.search(sentence)), None)


def count_digits(said: str) -> int:
    """Return how many digits the words name: "five five, 12" has four, "double two" has two."""
    count = 0
    for word in _WORD.findall(said.casefold()):
        if word.replace("-", "").isdigit():
            count += len(word.replace("-", ""))
        else:
            count += sum(part in _SPOKEN_DIGITS for part in word.split("-"))
            count += word == "triple"
    return count


def fits(expected: ExpectedAnswer, said: str) -> bool:
    """Return whether the words are a whole answer of the expected kind: of a number, one with all its digits.

    Nothing fits an open question, and a kind of which the words say little (a name) is fitted by one to three words.
    """
    words = _WORD.findall(said.casefold())
    if not words or expected.kind == "open":
        return False
    match expected.kind:
        case "number":
            digits = count_digits(said)
            numbers = any(_NUMBER_WORD.fullmatch(part) for word in words for part in word.split("-"))
            return numbers if expected.digits is None else digits >= expected.digits
        case "spelled":
            single = sum(len(part) == 1 or part in _SPOKEN_DIGITS for word in words for part in word.split("-"))
            return single >= (expected.digits or 2)
        case "date":
            return any(_DATE_WORD.fullmatch(word) for word in words)
        case "yes-no":
            return all(_YES_NO_WORD.fullmatch(word) for word in words)
        case "name":
            return len(words) <= 3 and not any(_NUMBER_WORD.fullmatch(word) for word in words)
