"""Formatting of a chunk of text for the voice (Vapi's `voice.chunkPlan.formatPlan`).

The formatters are those of Vapi's page "Voice formatting plan", with the same names, order and results. What it leaves
open is decided here: a match of one formatter is not read again by a later one, a number with a comma (`1,200`) is a
quantity and no identifier, and white space that is left over is taken out. Patterns are linear in the text.

Where the language is not English, only what is the same in all languages runs: tags, marks of Markdown, emoji, line
ends, colons, asterisks and replacements.
"""

import re
from collections.abc import Callable, Iterable
from functools import lru_cache, partial

from bargein.call.plan.voice_text import ExactReplacement, FormatPlan
from bargein.call.speaking import english
from bargein.call.speaking.spoken_text import Edit, SpokenText, TextEditor

Step = Callable[[str], Iterable[Edit]]
"""A formatter: it returns its edits of a text, in order."""

MOST_SPOKEN_CHARS = 5000
"""Replacements of a chunk end where it has become so long: a short match may have a value of 1000 characters."""

_EMAIL = r"(?<![\w.+-])[\w+-]{1,64}+(?:\.[\w+-]{1,64}+){0,8}@[A-Za-z0-9-]{1,63}+(?:\.[A-Za-z0-9-]{1,63}+){1,6}"
_SIGNS = {"@": " at ", ".": " dot ", "_": " underscore ", "-": " dash ", "+": " plus "}
_URL = r"https?://[^\s<>]++"
_MARKED_UP = r"<(?i:break)\b[^<>]{0,500}>|<(?i:spell)>[^<>]{0,200}</(?i:spell)>"
"""A mark for the voice, whose text is no speech (`<break time="500ms"/>`), or is read by the voice letter by letter."""

_TAG = re.compile(r"<<[^<>]{0,500}>>|<[/!]?([A-Za-z][\w-]{0,40})\b[^<>]{0,500}>")
_SSML = frozenset({"break", "spell"})
_SPELLED = re.compile(r"<spell>([^<>]{0,200})</spell[ ]?>", re.IGNORECASE)
_SSML_TAG = re.compile(r"</?(break|spell)\b[^<>]{0,500}>", re.IGNORECASE)
_EMOJI_CHARS = "\U0001f000-\U0001faff\u2600-\u27bf\u2b05-\u2b07\u2b1b\u2b1c\u2b50\u2b55\u231a\u231b\u23e9-\u23fa"
_EMOJI = re.compile(
    rf"[{_EMOJI_CHARS}][{_EMOJI_CHARS}\ufe0e\ufe0f\u200d\u20e3\u2640\u2642\U000e0020-\U000e007f]*|\ufe0f?\u20e3"
)
_ADDRESS = re.compile(rf"{_EMAIL}|{_URL}")
_LINE_MARKS = frozenset("#>-+*\u2022 \t")
_MARKS = "_`~[#\n"
_MARKDOWN = re.compile(
    r"!?\[(?P<shown>[^\[\]\n]{0,500})\]\((?P<target>[^()\s]{0,2000})\)"
    r"|(?P<line>^[ \t]{0,8}(?:\#{1,6}[ \t]+|>[ \t]?|[-+\u2022][ \t]+|\*[ \t]+))"
    r"|(?P<joint>(?<=\w)_(?=\w))|(?P<mark>[_`~]|(?<!\S)\#{1,6}(?=\s))",
    re.MULTILINE,
)
_IN_ASTERISKS = re.compile(r"\*\*[^*\n]{1,500}\*\*|\*[^*\n]{1,500}\*")
_QUOTES = re.compile(r"[\"\u201c\u201d\u201e\u00ab\u00bb]")
_DASH = re.compile(r"[\u2013\u2014]|(?<=\s)--?(?=\s)")
_LINE_END = re.compile(r"\n\s*+")
_COLON = re.compile(r":(?=[*_]{0,4}(?:\s|$))")
_ASTERISK = re.compile(r"\*+")
_BLANKS = re.compile(r"^\s++|\s++$|\s++(?=[,.!?;:](?:\s|$))|\s{2,}+")
_CLOSERS = "\"'\u201d\u2019)]*_`~ \t"
_ENDING_CHARS = 20
_CLOSED = frozenset(".!?,;:\u2026\u3002\uff01\uff1f\uff0c\u060c\u06d4\u0964")

_NUMBER = r"(?:\d{1,3}(?:,\d{3}){1,6}|\d{1,40}+)(?:\.\d{1,40}+)?"
_BEFORE, _AFTER = r"(?<![\w.,/:-])", r"(?![\w/]|[.,:-]\d)"
_SIGNED = rf"{_BEFORE}[-\u2212]?{_NUMBER}"
_UNIT_AFTER = r"(?![\w/'\u2019])"


def _alternatives(names: Iterable[str]) -> str:
    return "|".join(re.escape(name) for name in sorted(names, key=len, reverse=True))


_PATTERNS = {
    "keep": rf"{_URL}|{_MARKED_UP}",
    "address": rf"{_BEFORE}(?P<house>\d{{1,6}}+)[A-Za-z]?"
    r"(?P<names>(?:[ ](?:[NSEW]\.?|[A-Z][a-z]{1,20}+|\d{1,3}(?:st|nd|rd|th))){0,4}?)"
    rf"[ ](?P<street>(?i:{_alternatives(english.STREETS)}))\b(?P<stop>\.?)",
    "acronym": r"(?<![\w@&-])(?P<capitals>[A-Z]{2,6}+)(?![\w@&-]|\.\w)",
    "dollarAmount": rf"(?P<minus>(?<![\w.)])-)?(?P<currency>[$\u20ac\u00a3])[ ]?(?P<amount>{_NUMBER})(?!\d|[,.]\d)"
    r"(?:[ ](?P<scale>thousand|million|billion|trillion)\b)?",
    "email": _EMAIL,
    "date": rf"{_BEFORE}(?:(?P<year>[12]\d{{3}})(?P<joint>[-/ ])(?P<month>\d\d)(?P=joint)(?P<day>\d\d)"
    rf"|(?P<month2>\d{{1,2}})/(?P<day2>\d{{1,2}})/(?P<year2>[12]\d{{3}})){_AFTER}",
    "time": rf"{_BEFORE}(?P<hour>[01]?\d|2[0-3]):(?P<minute>[0-5]\d)(?![\d/]|[:.]\d|[b-oq-zB-OQ-Z_])",
    "distance": rf"(?P<length>{_SIGNED})[ ]?(?P<distance>{_alternatives(english.DISTANCES)}){_UNIT_AFTER}",
    "unit": rf"(?P<size>{_SIGNED})[ ]?(?P<unit>{_alternatives(english.UNITS)}){_UNIT_AFTER}",
    "percentage": rf"(?P<share>{_SIGNED})[ ]?%",
    "phoneNumber": rf"{_BEFORE}(?:\+?\d{{1,3}}[ .-])?(?:\(\d{{3}}\)[ ]?|\d{{3}}[ .-])\d{{3}}[ .-]\d{{4}}(?![\w-])"
    rf"|{_BEFORE}\+\d(?:[ -]?\d){{6,14}}+(?![\w-])|{_BEFORE}\d{{3}}-\d{{4}}(?![\w-])",
    "number": r"(?P<kept>(?<![\w.])\d++(?:[./:]\d++){2,}|(?<![\w.])\d++[/:]\d++)"
    rf"|(?P<nth>{_BEFORE}\d{{1,15}}+)(?:st|nd|rd|th)(?!\w)"
    rf"|(?P<from>{_BEFORE}\d{{1,4}}+)[-\u2013](?P<to>\d{{1,4}}+)(?![\w/-]|[.,:]\d)"
    rf"|(?P<plain>{_SIGNED}){_AFTER}",
}
_ALWAYS = ("keep", "address")
"""Formatters of English without a name in `formattersEnabled`."""


class Formatter:
    """A formatter of chunks by one format plan.

    Args:
        plan: the plan; None: the text stays as it is, but for the marks that the voice does not carry out.
        marks: those that it does (`Voice.marks`).
    """

    def __init__(self, plan: FormatPlan | None, marks: frozenset[str] = frozenset()) -> None:
        self._marks = marks
        self._replacements = () if plan is None else plan.replacements
        on = frozenset[str]() if plan is None else plan.formatters
        self._ends_lines = "newline" in on
        steps: list[Step] = [] if "spell" in marks else [_spelled]
        steps += [self._ssml] if plan is None else [self._tags, _emoji]
        steps += [step for name, step in _STEPS.items() if name in on]
        if plan is not None and plan.english:
            steps.append(partial(_english, _english_pattern(on), plan.cutoff))
        if "stripAsterisk" in on:
            steps.append(_asterisks)
        self._steps = tuple(steps)
        self._tidies = plan is not None

    def format(self, text: str, *, ends_line: bool = False) -> SpokenText:
        """Return a chunk as the voice speaks it; empty: nothing of it is spoken.

        Args:
            text: the chunk, without white space around it.
            ends_line: a line of the text ends here, so that the voice lets it end as a sentence does.
        """
        editor = TextEditor(text)
        if ends_line and self._ends_lines and not _is_closed(text):
            editor.apply([(len(text), len(text), ".")])
        for step in self._steps:
            editor.apply(step(editor.text))
        for replacement in self._replacements:
            if len(editor.text) > MOST_SPOKEN_CHARS:
                break
            exact = isinstance(replacement, ExactReplacement)
            editor.apply(_occurrences(editor.text, replacement) if exact else _bounded(replacement.edits(editor.text)))
        if self._tidies or editor.changed:
            editor.apply(_surplus_blanks(editor.text))
        if self._tidies and not any(char.isalnum() for char in editor.text):  # marks alone are no speech
            editor.apply([(0, len(editor.text), "")])
        return editor.spoken()

    def _tags(self, text: str) -> Iterable[Edit]:
        if "<" not in text:
            return
        for found in _TAG.finditer(text):
            name = found[1]
            if name is not None and name.lower() not in _SSML & self._marks:
                yield found.start(), found.end(), ""

    def _ssml(self, text: str) -> Iterable[Edit]:
        for found in _SSML_TAG.finditer(text) if "<" in text else ():
            if found[1].lower() not in self._marks:
                yield found.start(), found.end(), ""


@lru_cache(maxsize=64)
def _english_pattern(formatters: frozenset[str]) -> re.Pattern[str]:
    """Return one pattern of all formatters that are on: each place of a text is read by the first that matches."""
    on = {name: source for name, source in _PATTERNS.items() if name in formatters or name in _ALWAYS}
    return re.compile("|".join(f"(?P<{name}_>{source})" for name, source in on.items()))


def _english(pattern: re.Pattern[str], cutoff: float, text: str) -> Iterable[Edit]:
    for found in pattern.finditer(text):
        name = str(found.lastgroup)[:-1]
        if name in _WRITERS:
            yield from _WRITERS[name](found, cutoff)


def _all_as(pattern: re.Pattern[str], value: str, text: str) -> Iterable[Edit]:
    return ((found.start(), found.end(), value) for found in pattern.finditer(text))


def _emoji(text: str) -> Iterable[Edit]:
    return () if text.isascii() else _all_as(_EMOJI, "", text)


def _spelled(text: str) -> Iterable[Edit]:
    for found in _SPELLED.finditer(text) if "<" in text else ():
        yield found.start(), found.end(), " ".join(_SIGNS.get(char, char).strip() for char in found[1] if char != " ")


def _markdown(text: str) -> Iterable[Edit]:
    """Yield the removal of Markdown's marks; of a link its text is left, and of an address nothing is changed."""
    if text[:1] not in _LINE_MARKS and not any(mark in text for mark in _MARKS):
        return
    addresses = _ADDRESS.finditer(text) if "@" in text or "://" in text else iter(())
    address = next(addresses, None)
    for found in _MARKDOWN.finditer(text):
        if found["shown"] is not None:  # an address within a link is taken out with it
            yield found.start(), found.start("shown"), ""
            yield found.end("shown"), found.end(), ""
            continue
        while address is not None and address.end() <= found.start():
            address = next(addresses, None)
        if address is None or found.start() < address.start():
            yield found.start(), found.end(), "" if found["joint"] is None else " "


def _line_ends(text: str) -> Iterable[Edit]:
    for found in _LINE_END.finditer(text) if "\n" in text else ():
        before = text[max(0, found.start() - _ENDING_CHARS) : found.start()]
        yield found.start(), found.end(), " " if _is_closed(before) else ". "


def _asterisks(text: str) -> Iterable[Edit]:
    return _all_as(_ASTERISK, "", text) if "*" in text else ()


def _is_closed(text: str) -> bool:
    """Return True for a text that needs no period behind it."""
    text = text[-_ENDING_CHARS:].rstrip(_CLOSERS)
    return not text or text[-1] in _CLOSED


def _surplus_blanks(text: str) -> Iterable[Edit]:
    for found in _BLANKS.finditer(text):
        inside = found.start() > 0 and found.end() < len(text) and text[found.end()] not in _CLOSED
        yield found.start(), found.end(), " " if inside else ""


def _occurrences(text: str, replacement: ExactReplacement) -> Iterable[Edit]:
    at = text.find(replacement.key)
    room = MOST_SPOKEN_CHARS
    while at >= 0 and room > 0:
        end = at + len(replacement.key)
        yield at, end, replacement.value
        if not replacement.everywhere:
            return
        room -= len(replacement.value)
        at = text.find(replacement.key, end)


def _bounded(edits: Iterable[Edit]) -> Iterable[Edit]:
    room = MOST_SPOKEN_CHARS
    for edit in edits:
        if room <= 0:
            return
        room -= len(edit[2])
        yield edit


def _whole(found: re.Match[str], value: str | None) -> Iterable[Edit]:
    return () if value is None else ((found.start(), found.end(), value),)


def _address(found: re.Match[str], cutoff: float) -> Iterable[Edit]:
    street = found["street"]
    yield found.start("house"), found.end("house"), english.number(found["house"], cutoff)
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
    read = english.money(found["currency"], found["amount"], found["scale"] or "")
    return _whole(found, f"minus {read}" if found["minus"] else read)


def _email(found: re.Match[str], _cutoff: float) -> Iterable[Edit]:
    return _whole(found, " ".join("".join(_SIGNS.get(char, char) for char in found[0]).split()))


def _date(found: re.Match[str], _cutoff: float) -> Iterable[Edit]:
    parts = (found[name] or found[f"{name}2"] for name in ("year", "month", "day"))
    return _whole(found, english.calendar_date(*map(int, parts)))


def _time(found: re.Match[str], _cutoff: float) -> Iterable[Edit]:
    read = english.clock_time(int(found["hour"]), int(found["minute"]))
    joined = found.string[found.end() : found.end() + 1].isalpha()
    return _whole(found, f"{read} " if joined else read)


def _measure(found: re.Match[str], size: str, names: tuple[str, str]) -> Iterable[Edit]:
    one, several = names
    return _whole(found, f"{english.amount(size)} {one if size == '1' else several}")


def _distance(found: re.Match[str], _cutoff: float) -> Iterable[Edit]:
    return _measure(found, found["length"], english.DISTANCES[found["distance"]])


def _unit(found: re.Match[str], _cutoff: float) -> Iterable[Edit]:
    return _measure(found, found["size"], english.UNITS[found["unit"]])


def _percentage(found: re.Match[str], _cutoff: float) -> Iterable[Edit]:
    return _whole(found, f"{english.amount(found['share'])} percent")


def _phone(found: re.Match[str], _cutoff: float) -> Iterable[Edit]:
    read = english.digits(found[0])
    return _whole(found, f"plus {read}" if found[0].startswith("+") else read)


def _number(found: re.Match[str], cutoff: float) -> Iterable[Edit]:
    if found["plain"] is not None:
        return _whole(found, english.number(found["plain"], cutoff))
    if found["nth"] is not None:
        return _whole(found, english.ordinal(int(found["nth"])))
    if found["from"] is not None:
        return _whole(found, f"{english.number(found['from'], cutoff)} to {english.number(found['to'], cutoff)}")
    return ()


_STEPS: dict[str, Step] = {
    "markdown": _markdown,
    "asterisk": partial(_all_as, _IN_ASTERISKS, ""),
    "quote": partial(_all_as, _QUOTES, ""),
    "dash": partial(_all_as, _DASH, ", "),
    "newline": _line_ends,
    "colon": partial(_all_as, _COLON, "."),
}
"""The formatters before those of English, in Vapi's order."""

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
