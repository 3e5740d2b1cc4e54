"""The formatters of English (Vapi's `formatPlan`): places of a text that are written out as words.

One pattern finds all of them, so that what one formatter has read is not read again by a later one. A number with a
comma (`1,200`) is a quantity and no identifier. Patterns are linear in the text.
"""

import re
from collections.abc import Callable, Iterable
from functools import lru_cache

from bargein.call.speaking import english
from bargein.call.speaking.spoken_text import Edit

EMAIL = r"(?<![\w.+-])[\w+-]{1,64}+(?:\.[\w+-]{1,64}+){0,8}@[A-Za-z0-9-]{1,63}+(?:\.[A-Za-z0-9-]{1,63}+){1,6}"
SIGNS = {"@": " at ", ".": " dot ", "_": " underscore ", "-": " dash ", "+": " plus "}
"""The names of signs in an address, or in what is read letter by letter."""
URL = r"https?://[^\s<>]++"
MARKED_UP = r"<(?i:break)\b[^<>]{0,500}>|<(?i:spell)>[^<>]{0,200}</(?i:spell)>"
"""A mark for the voice, whose text is no speech (`<break time="500ms"/>`), or is read by the voice letter by letter."""

_NUMBER = r"(?:\d{1,3}(?:,\d{3}){1,6}|\d{1,40}+)(?:\.\d{1,40}+)?"
_BEFORE, _AFTER = r"(?<![\w.,/:-])", r"(?![\w/]|[.,:-]\d)"
_SIGNED = rf"{_BEFORE}[-\u2212]?{_NUMBER}"
_UNIT_AFTER = r"(?![\w/'\u2019])"
_TO = r"[ ]?[-\u2013][ ]?"
_MONTHS = (
    r"(?:Jan(?:uary|\.)?|Feb(?:ruary|\.)?|Mar(?:ch|\.)?|Apr(?:il|\.)?|May|Jun(?:e|\.)?|Jul(?:y|\.)?|Aug(?:ust|\.)?"
    r"|Sept?(?:ember|\.)?|Oct(?:ober|\.)?|Nov(?:ember|\.)?|Dec(?:ember|\.)?)"
)
_SIGN = r"[$\u20ac\u00a3\u00a5\u20b9]"
_HOUR = r"(?:[01]?\d|2[0-3])"
_HALF = r"[ ]?[AaPp]\.?[Mm]\b"


def _alternatives(names: Iterable[str]) -> str:
    return "|".join(re.escape(name) for name in sorted(names, key=len, reverse=True))


def _amount(name: str) -> str:
    """Return the pattern of an amount, or of one to another ("5-10")."""
    return (
        rf"(?:{_BEFORE}(?P<{name}_from>\d{{1,9}}(?:\.\d{{1,9}})?){_TO}(?P<{name}_to>\d{{1,9}}(?:\.\d{{1,9}})?)"
        rf"|(?P<{name}>{_SIGNED}))"
    )


_PATTERNS = {
    "keep": rf"{URL}|{MARKED_UP}",
    "address": rf"{_BEFORE}(?P<house>\d{{1,6}}+)(?P<letter>[A-Za-z]?)"
    r"(?P<names>(?:[ ](?:[NSEW]\.?|[A-Z][a-z]{1,20}+|\d{1,3}(?:st|nd|rd|th))){0,4}?)"
    rf"[ ](?P<street>(?i:{_alternatives(english.STREETS)}))\b(?P<stop>\.?)",
    "acronym": r"(?<![\w@&-])(?P<capitals>[A-Z]{2,6}+)(?![\w@&$-]|\.\w)",
    "dollarAmount": rf"(?P<minus>(?<![\w.)])[-\u2212])?(?P<land>\b(?:{_alternatives(english.LANDS)}))?"
    rf"(?P<currency>{_SIGN})[ ]?(?P<amount>{_NUMBER}|\.\d{{2}})(?!\d|[,.]\d)"
    rf"(?:{_TO}{_SIGN}?(?P<most>{_NUMBER})(?!\d|[,.]\d))?"
    rf"(?:[ ]?(?P<scale>{_alternatives(english.MONEY_SCALES)})\b)?"
    r"(?P<per>/(?=[a-z]))?"
    rf"|{_BEFORE}(?P<amount2>{_NUMBER})[ ]?(?P<currency2>{_SIGN}|\u00a2)(?![\w$])",
    "email": EMAIL,
    "date": rf"{_BEFORE}(?:(?P<year>[12]\d{{3}})(?P<joint>[-/ ])(?P<month>\d\d)(?P=joint)(?P<day>\d\d)"
    rf"|(?P<month2>\d{{1,2}})/(?P<day2>\d{{1,2}})/(?P<year2>[12]\d{{3}})){_AFTER}"
    rf"|\b{_MONTHS}[ ]\d{{1,2}}(?:,?[ ][12]\d{{3}})?{_AFTER}"
    rf"|{_BEFORE}\d{{1,2}}[ ]{_MONTHS}(?:,?[ ][12]\d{{3}})?{_AFTER}",
    "time": rf"{_BEFORE}(?P<hour>{_HOUR}):(?P<minute>[0-5]\d)(?:{_TO}(?P<hour2>{_HOUR}):(?P<minute2>[0-5]\d))?"
    rf"(?![\d/]|[:.]\d|[b-oq-zB-OQ-Z_])"
    rf"|{_BEFORE}(?P<oclock>1[0-2]|0?[1-9])(?:{_TO}(?P<oclock2>1[0-2]|0?[1-9]))?(?={_HALF})"
    rf"|(?<=[AaPp][Mm])-(?P<until>1[0-2]|0?[1-9])(?={_HALF})",
    "distance": rf"{_amount('length')}[ ]?(?P<distance>{_alternatives(english.DISTANCES)}){_UNIT_AFTER}",
    "unit": rf"{_amount('size')}[ ]?(?P<unit>{_alternatives(english.UNITS)}){_UNIT_AFTER}"
    rf"|{_BEFORE}(?P<feet>\d)['\u2019\u2032](?P<inches>\d{{1,2}})(?![\d\w])[\"\u201d\u2033]?",
    "percentage": rf"{_amount('share')}[ ]?%",
    "phoneNumber": rf"{_BEFORE}(?:\+?\d{{1,3}}[ .-])?(?:\(\d{{3}}\)[ ]?|\d{{3}}[ .-])\d{{3}}[ .-]\d{{4}}(?![\w-])"
    rf"|{_BEFORE}\+\d(?:[ -]?\d){{6,14}}+(?![\w-])|{_BEFORE}\d{{3}}-\d{{4}}(?![\w-])"
    rf"|{_BEFORE}\d{{4}}(?:[ -]\d{{4}}){{2,4}}(?![\w-])|{_BEFORE}\d{{3}}-\d\d-\d{{4}}(?![\w-])"
    rf"|{_BEFORE}\d\d-\d\d-\d\d(?![\w-])|{_BEFORE}\d{{5}}-\d{{4}}(?![\w-])"
    rf"|(?:(?<=[Cc]all )|(?<=[Dd]ial )|(?<=[Tt]ext ))\d{{3}}{_AFTER}",
    "number": r"(?P<kept>(?<![\w.])\d++(?:[./:]\d++){2,}|(?<![\w.])\d++[/:]\d++)"
    r"|(?P<sign>(?:(?<=\d)|(?<=\d[ ]))[+=*\u00d7][ ]?(?=\d)|(?<=\w)\+(?=\d)|(?<![\w+])\+(?=\d)"
    r"|(?:\bNo\.[ ]|\u2116[ ]?|(?<!\w)\#)(?=\d))"
    rf"|(?P<nth>{_BEFORE}(?:\d{{1,3}}(?:,\d{{3}}){{1,4}}|\d{{1,15}}+))(?:st|nd|rd|th)(?!\w)"
    rf"|(?P<from>{_BEFORE}\d{{1,4}}+)[-\u2013](?P<to>\d{{1,4}}+)(?![\w/-]|[.,:]\d)"
    rf"|(?P<plain>{_SIGNED}){_AFTER}",
}
_ALWAYS = ("keep", "address")
"""Formatters of English without a name in `formattersEnabled`."""

_SPOKEN_SIGNS = {"+": " plus ", "=": " equals ", "*": " times ", "\u00d7": " times "}


@lru_cache(maxsize=64)
def english_pattern(formatters: frozenset[str]) -> re.Pattern[str]:
    """Return one pattern of all formatters that are on: each place of a text is read by the first that matches."""
    on = {name: source for name, source in _PATTERNS.items() if name in formatters or name in _ALWAYS}
    return re.compile("|".join(f"(?P<{name}_>{source})" for name, source in on.items()))


def english_edits(pattern: re.Pattern[str], cutoff: float, text: str) -> Iterable[Edit]:
    """Yield what is written out in a text.

    Args:
        pattern: of `english_pattern`.
        cutoff: `numberToDigitsCutoff`.
        text: the text.
    """
    for found in pattern.finditer(text):
        name = str(found.lastgroup)[:-1]
        if name in _WRITERS:
            yield from _WRITERS[name](found, cutoff)


def _whole(found: re.Match[str], value: str | None) -> Iterable[Edit]:
    return () if value is None else ((found.start(), found.end(), value),)


def _address(found: re.Match[str], cutoff: float) -> Iterable[Edit]:
    street = found["street"]
    number = english.number(found["house"], cutoff)
    yield found.start("house"), found.end("house"), f"{number} " if found["letter"] else number
    # "2 St. Louis tickets" has no street, and nobody writes one in small letters.
    if not street[0].isupper() or not (found["names"] or street.isupper()):
        return
    word = english.STREETS[street.upper()]
    word = word.upper() if street.isupper() else word.capitalize()
    ends = found.end() == len(found.string)
    yield found.start("street"), found.end("street" if ends else "stop"), word


def _acronym(found: re.Match[str], _cutoff: float) -> Iterable[Edit]:
    read = english.acronym(found["capitals"])
    return () if read is None else ((found.start("capitals"), found.end("capitals"), read),)


def _money(found: re.Match[str], _cutoff: float) -> Iterable[Edit]:
    if found["currency2"] is not None:
        return _whole(found, english.money(found["currency2"], found["amount2"], ""))
    amount, scale = found["amount"], english.MONEY_SCALES.get(found["scale"] or "", "")
    land = english.LANDS.get(found["land"] or "", "")
    most = found["most"]
    if most is None:
        read = english.money(found["currency"], amount, scale, land)
    else:
        read = f"{english.amount(amount)} to {english.money(found['currency'], most, scale, land)}"
    return _whole(found, f"{'minus ' if found['minus'] else ''}{read}{' per ' if found['per'] else ''}")


def _email(found: re.Match[str], _cutoff: float) -> Iterable[Edit]:
    return _whole(found, " ".join("".join(SIGNS.get(char, char) for char in found[0]).split()))


def _date(found: re.Match[str], _cutoff: float) -> Iterable[Edit]:
    parts = [found[name] or found[f"{name}2"] for name in ("year", "month", "day")]
    if parts[0] is None:  # with the month's name, which a voice reads as a date
        return ()
    return _whole(found, english.calendar_date(*map(int, parts)))


def _time(found: re.Match[str], _cutoff: float) -> Iterable[Edit]:
    joined = " " if found.string[found.end() : found.end() + 1].isalpha() else ""
    if found["hour"] is not None:
        read = english.clock_time(int(found["hour"]), int(found["minute"]))
        if found["hour2"] is not None:
            read = f"{read} to {english.clock_time(int(found['hour2']), int(found['minute2']))}"
    elif found["until"] is not None:
        read = f" to {english.cardinal(int(found['until']))}"
    else:
        hours = [int(hour) for hour in (found["oclock"], found["oclock2"]) if hour is not None]
        read = " to ".join(map(english.cardinal, hours))
    return _whole(found, f"{read}{joined}")


def _read_amount(found: re.Match[str], name: str) -> str:
    low, high = found[f"{name}_from"], found[f"{name}_to"]
    return english.amount(found[name]) if low is None else f"{english.amount(low)} to {english.amount(high)}"


def _measure(found: re.Match[str], name: str, names: tuple[str, str]) -> Iterable[Edit]:
    one, several = names
    return _whole(found, f"{_read_amount(found, name)} {one if found[name] == '1' else several}")


def _distance(found: re.Match[str], _cutoff: float) -> Iterable[Edit]:
    return _measure(found, "length", english.DISTANCES[found["distance"]])


def _unit(found: re.Match[str], _cutoff: float) -> Iterable[Edit]:
    if found["feet"] is not None:
        feet, inches = int(found["feet"]), int(found["inches"])
        return _whole(found, f"{english.cardinal(feet)} {'foot' if feet == 1 else 'feet'} {english.cardinal(inches)}")
    return _measure(found, "size", english.UNITS[found["unit"]])


def _percentage(found: re.Match[str], _cutoff: float) -> Iterable[Edit]:
    return _whole(found, f"{_read_amount(found, 'share')} percent")


def _phone(found: re.Match[str], _cutoff: float) -> Iterable[Edit]:
    read = english.digits(found[0])
    return _whole(found, f"plus {read}" if found[0].startswith("+") else read)


def _number(found: re.Match[str], cutoff: float) -> Iterable[Edit]:
    if found["plain"] is not None:
        return _whole(found, english.number(found["plain"], cutoff))
    if found["sign"] is not None:
        return _whole(found, _SPOKEN_SIGNS.get(found["sign"].strip(), "number "))
    if found["nth"] is not None:
        return _whole(found, english.ordinal(int(found["nth"].replace(",", ""))))
    if found["from"] is not None:
        return _whole(found, f"{english.number(found['from'], cutoff)} to {english.number(found['to'], cutoff)}")
    return ()


_WRITERS: dict[str, Callable[[re.Match[str], float], Iterable[Edit]]] = {
    "address": _address,
    "acronym": _acronym,
    "dollarAmount": _money,
    "email": _email,
    "date": _date,
    "time": _time,
    "distance": _distance,
    "unit": _unit,
    "percentage": _percentage,
    "phoneNumber": _phone,
    "number": _number,
}
