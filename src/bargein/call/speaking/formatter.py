"""Formatting of a chunk of text for the voice (Vapi's `voice.chunkPlan.formatPlan`).

The formatters are those of Vapi's page "Voice formatting plan", with the same names, order and results. What it leaves
open is decided here and in `english_text`: white space that is left over is taken out. Patterns are linear in the text.

Where the language is not English, only what is the same in all languages runs: tags, marks of Markdown, emoji, line
ends, colons, asterisks and replacements.
"""

import re
from collections.abc import Callable, Iterable
from functools import partial
from html import unescape

from bargein.call.plan.voice_text import ExactReplacement, FormatPlan
from bargein.call.speaking.english_text import EMAIL, SIGNS, URL, english_edits, english_pattern
from bargein.call.speaking.spoken_text import Edit, SpokenText, TextEditor

Step = Callable[[str], Iterable[Edit]]
"""A formatter: it returns its edits of a text, in order."""

MOST_SPOKEN_CHARS = 5000
"""Replacements of a chunk end where it has become so long: a short match may have a value of 1000 characters."""

_TAG = re.compile(
    r"<<[^<>]{0,500}>>|<(?P<address>https?://[^\s<>]{1,500}|[\w.+-]{1,64}@[\w.-]{1,200})>"
    r"|<[/?]?(?P<name>[A-Za-z][\w-]{0,40})\b[^<>]{0,500}>|<(?P<other>!--[^<>]{0,500}--|![A-Za-z][^<>]{0,500}|\|[^<>|]{1,100}\|)>"
)
"""A tag; an address in angle brackets, which is none; a comment, or a mark of a model's own (`<|end|>`)."""
_SSML = frozenset({"break", "spell"})
_SPELLED = re.compile(r"<spell>([^<>]{0,200})</spell[ ]?>", re.IGNORECASE)
_SSML_TAG = re.compile(r"</?(break|spell)\b[^<>]{0,500}>", re.IGNORECASE)
_EMOJI_CHARS = "\U0001f000-\U0001faff\u2600-\u27bf\u2b05-\u2b07\u2b1b\u2b1c\u2b50\u2b55\u231a\u231b\u23e9-\u23fa"
_EMOJI = re.compile(
    rf"[{_EMOJI_CHARS}][{_EMOJI_CHARS}\ufe0e\ufe0f\u200d\u20e3\u2640\u2642\U000e0020-\U000e007f]*|\ufe0f?\u20e3"
)
_ADDRESS = re.compile(rf"{EMAIL}|{URL}")
_LINE_MARKS = frozenset("#>-+*\u2022 \t")
_MARKS = "_`~[#\n\\&|"
_MARKDOWN = re.compile(
    r"!?\[(?P<shown>[^\[\]\n]{0,500})\](?:\((?P<target>[^()\s]{0,2000})\)|\[[^\[\]\n]{0,100}\])"
    r"|(?P<line>^[ \t]{0,8}(?:```\w{0,20}|\#{1,6}[ \t]+|>[ \t]?"
    r"|(?:[-+*\u2022]|\d{1,3}[.)](?=[ \t]\[))[ \t]+(?:\[[ xX]\][ \t]+)?))"
    r"|(?P<cell>[ \t]{0,8}\|[ \t]{0,8})"
    r"|(?P<joint>(?<=\w)_(?=\w))|(?P<entity>&(?:\#\d{1,6}|\#[xX][0-9a-fA-F]{1,5}|[A-Za-z]{2,8});)"
    r"|(?P<mark>[_`~]|(?<!\S)\#{1,6}(?=\s)|\\(?=[*_`~\#\[\]()\\.!+-])|\[\^\w{1,20}\])",
    re.MULTILINE,
)
_ROW = re.compile(r"^[ \t]*\|", re.MULTILINE)
_EMPHASIS = re.compile(r"(?<!\*)(\*{1,3})(?=[^\s*])[^*\n]{1,500}(?<=[^\s*])\1(?!\*)")
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
        steps += [step for name, step in _STEPS if name in on]
        if plan is not None and plan.english:
            steps.append(partial(english_edits, english_pattern(on), plan.cutoff))
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
            name = found["name"]
            if found["address"] is not None:
                yield found.start(), found.start() + 1, ""
                yield found.end() - 1, found.end(), ""
            elif found["other"] is not None or (name is not None and name.lower() not in _SSML & self._marks):
                yield found.start(), found.end(), ""

    def _ssml(self, text: str) -> Iterable[Edit]:
        for found in _SSML_TAG.finditer(text) if "<" in text else ():
            if found[1].lower() not in self._marks:
                yield found.start(), found.end(), ""


def _all_as(pattern: re.Pattern[str], value: str, text: str) -> Iterable[Edit]:
    return ((found.start(), found.end(), value) for found in pattern.finditer(text))


def _emoji(text: str) -> Iterable[Edit]:
    return () if text.isascii() else _all_as(_EMOJI, "", text)


def _spelled(text: str) -> Iterable[Edit]:
    for found in _SPELLED.finditer(text) if "<" in text else ():
        yield found.start(), found.end(), " ".join(SIGNS.get(char, char).strip() for char in found[1] if char != " ")


def _markdown(text: str) -> Iterable[Edit]:
    """Yield the removal of Markdown's marks; of a link its text is left, and of an address nothing is changed."""
    if text[:1] not in _LINE_MARKS and not any(mark in text for mark in _MARKS):
        return
    addresses = _ADDRESS.finditer(text) if "@" in text or "://" in text else iter(())
    address = next(addresses, None)
    has_rows = _ROW.search(text) is not None
    for found in _MARKDOWN.finditer(text):
        if found["shown"] is not None:  # an address within a link is taken out with it
            yield found.start(), found.start("shown"), ""
            yield found.end("shown"), found.end(), ""
            continue
        while address is not None and address.end() <= found.start():
            address = next(addresses, None)
        if (address is None or found.start() < address.start()) and (found["cell"] is None or has_rows):
            yield found.start(), found.end(), _in_place_of(found)


def _in_place_of(found: re.Match[str]) -> str:
    """Return what is spoken in the place of a mark of Markdown."""
    if found["entity"] is not None:
        return unescape(found["entity"])
    if found["cell"] is not None:
        text = found.string
        first = not text[: found.start()].rpartition("\n")[2].strip()
        last = not text[found.end() :].partition("\n")[0].strip()
        return "" if first or last else ", "
    return "" if found["joint"] is None else " "


def _emphasis(text: str) -> Iterable[Edit]:
    for found in _EMPHASIS.finditer(text) if "*" in text else ():
        length = len(found[1])
        yield found.start(), found.start() + length, ""
        yield found.end() - length, found.end(), ""


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


_STEPS: tuple[tuple[str, Step], ...] = (
    ("markdown", _markdown),
    ("asterisk", partial(_all_as, _IN_ASTERISKS, "")),
    ("markdown", _emphasis),
    ("quote", partial(_all_as, _QUOTES, "")),
    ("dash", partial(_all_as, _DASH, ", ")),
    ("newline", _line_ends),
    ("colon", partial(_all_as, _COLON, ".")),
)
"""The formatters before those of English, in Vapi's order."""
