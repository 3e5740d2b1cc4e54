"""Regular expressions that come from outside, matched in time linear in the text (RE2). Only this module imports it.

Python's `re` backtracks: `(a|a)+$` on 40 letters takes longer than a call, and holds up all other calls. RE2 has no
construct that needs backtracking, so a look-around or a back-reference is refused where the pattern is validated.
"""

import re
from functools import lru_cache
from typing import Any, cast

import re2

from bargein.errors import BargeinError

LONGEST_PATTERN = 1000
"""The most characters of a pattern."""
LONGEST_SUBJECT_BYTES = 500
"""A pattern is matched against this much of the end of a text, in UTF-8."""

LONGEST_TEXT_BYTES = 50_000
"""The most bytes, in UTF-8, of a text that `Pattern.found_anywhere` looks through."""
LONGEST_SEARCHED = 1_000_000
"""The most characters of a text that a `Search` looks into: more than a day of talk."""
MOST_MATCHES = 1000
"""The most matches that a `Search` returns."""

LARGEST_SIZE = 3000
"""The most instructions of a pattern: about one for each character, 600 for `\\p{L}` (`Pattern.size`)."""

_MOST_MEMORY_BYTES = 256 * 1024  # for the program and the cache of one pattern
_MOST_CATEGORIES = 10  # each has some hundred ranges, which take a fifth of a millisecond to compile
_LONGEST_DETAIL = 80

_TOO_LARGE = "is too large for a regular expression: use fewer and smaller repetitions"

_LINE_ENDS = r"\n\r\x{2028}\x{2029}"
_BLANKS = r"\s\x0b\x{a0}\x{1680}\x{2000}-\x{200a}\x{2028}\x{2029}\x{202f}\x{205f}\x{3000}\x{feff}"
_ANYTHING = r"\x{0}-\x{10ffff}"
_ESCAPES = {
    "0": r"\x00", "t": r"\t", "n": r"\n", "r": r"\r", "f": r"\f", "v": r"\x0b", "d": r"\d", "D": r"\D", "w": r"\w",
    "W": r"\W",
}  # fmt: skip
_OUTSIDE = {**_ESCAPES, "s": f"[{_BLANKS}]", "S": f"[^{_BLANKS}]", "b": r"\b", "B": r"\B"}
_IN_CLASS = {**_ESCAPES, "s": _BLANKS, "S": r"\S", "b": r"\x08"}
"""Escapes within a class and outside of one; all others stand for the character itself."""
_LOOK_AROUNDS = {
    "(?=": "a lookahead (?=…)",
    "(?!": "a lookahead (?!…)",
    "(?<=": "a lookbehind (?<=…)",
    "(?<!": "a lookbehind (?<!…)",
}
_GROUP = re.compile(r"\(\?(?:<[=!]|[=!]|P?<[^<>()]{1,80}>)")
_UNICODE = re.compile(r"u([0-9A-Fa-f]{4})(?:\\u([0-9A-Fa-f]{4}))?|u\{([0-9A-Fa-f]{1,6})\}|x([0-9A-Fa-f]{2})")
_LITERAL = re.compile(r"/(.+)/([dgimsuvy]{0,8})\Z", re.DOTALL)
_REFERENCE = re.compile(r"\$([$&]|[0-9]{1,2})")
_PROPERTY = re.compile(r"[pP](?:\{\^?[A-Za-z_]{1,40}\}|[A-Z])")


class PatternError(BargeinError, ValueError):
    """A pattern is not a regular expression, or needs what this server does not have; the text says which."""


class Pattern:
    """A compiled pattern.

    Args:
        source: the pattern in RE2's syntax.
        flags: JavaScript's `i`, `m` and `s`.

    Attributes:
        source: the same.
        flags: the same.
        size: the number of instructions of its program; a match costs at most this times the length of the text.

    Raises:
        PatternError: it is too large or not valid.
    """

    __slots__ = ("_compiled", "flags", "size", "source")

    def __init__(self, source: str, flags: str = "") -> None:
        if len(source) > 10 * LONGEST_PATTERN:  # translated, it may be longer than the one that was given
            raise PatternError(_TOO_LARGE)
        self._compiled = _compile(source, flags, searched_only=True)
        self.source = source
        self.flags = flags
        self.size: int = self._compiled.programsize
        if self.size > LARGEST_SIZE:
            raise PatternError(_TOO_LARGE)

    def found_in(self, text: str) -> bool:
        """Return True if the end of a text, of `LONGEST_SUBJECT_BYTES`, contains a match (JavaScript's `test`)."""
        subject = text[-LONGEST_SUBJECT_BYTES:].encode(errors="replace")[-LONGEST_SUBJECT_BYTES:]
        while subject and subject[0] & 0xC0 == 0x80:  # the rest of a character that was cut
            subject = subject[1:]
        return self._compiled.search(subject) is not None

    def found_anywhere(self, text: str) -> bool:
        """Return True if a text contains a match, within its first `LONGEST_TEXT_BYTES`.

        The largest pattern takes a second there: call it in a worker thread.
        """
        subject = text[:LONGEST_TEXT_BYTES].encode(errors="replace")[:LONGEST_TEXT_BYTES]
        return self._compiled.search(subject) is not None


class Search:
    """A compiled pattern that is looked for in a whole text, as a transcript. Search in a worker thread.

    Args:
        source: the pattern in RE2's syntax.
        flags: JavaScript's `i`, `m` and `s`.

    Raises:
        PatternError: it is too large or not valid.
    """

    __slots__ = ("_compiled",)

    def __init__(self, source: str, flags: str = "") -> None:
        Pattern(source, flags)  # which refuses what is too large
        self._compiled = _compile(source, flags)

    def matches(self, text: str) -> list[str]:
        """Return the first `MOST_MATCHES` matches in the first `LONGEST_SEARCHED` characters: of each its first group.

        A pattern without groups has its whole matches returned.
        """
        found: list[str] = []
        for match in self._compiled.finditer(text[:LONGEST_SEARCHED].encode(errors="replace").decode()):
            groups = cast("tuple[str | None, ...]", match.groups())
            found.append((groups[0] or "") if groups else str(match.group()))
            if len(found) == MOST_MATCHES:
                break
        return found


class Substitution:
    r"""A compiled JavaScript pattern and the text that replaces each of its matches (`String.replace` with `g`).

    Args:
        pattern: the pattern.
        value: the replacement, in which `$1` … `$99`, `$&` and `$$` mean what they mean in JavaScript.
        flags: JavaScript's `i`, `m` and `s`.
        whole_word: the match must begin and end at the boundary of a word (`\b`).

    Raises:
        PatternError: it is too large, not valid, or needs a look-around or a back-reference.
    """

    __slots__ = ("_compiled", "_value")

    def __init__(self, pattern: str, value: str, flags: str = "", *, whole_word: bool = False) -> None:
        source = compile_javascript(pattern, flags, whole_word=whole_word).source
        self._compiled = _compile(source, flags)
        self._value = value

    def edits(self, text: str) -> list[tuple[int, int, str]]:
        """Return each match in a short text: where it begins and ends, and what replaces it."""
        found: list[tuple[int, int, str]] = []
        for match in self._compiled.finditer(text.encode(errors="replace").decode()):
            start, end = cast("tuple[int, int]", match.span())
            found.append((start, end, self._expand(match)))
        return found

    def _expand(self, match: Any) -> str:
        if "$" not in self._value:
            return self._value
        groups = cast("tuple[str | None, ...]", match.groups())

        def expanded(found: re.Match[str]) -> str:
            what = found[1]
            if what == "$":
                return "$"
            if what == "&":
                return str(match.group())
            for digits in (what, what[:1]):
                if 0 < int(digits) <= len(groups):
                    return (groups[int(digits) - 1] or "") + what[len(digits) :]
            return found[0]

        return _REFERENCE.sub(expanded, self._value)


@lru_cache(maxsize=1024)
def compile_substitution(pattern: str, value: str, flags: str = "", *, whole_word: bool = False) -> Substitution:
    """Compile a `Substitution`; the result is cached.

    Raises:
        PatternError: as `Substitution`.
    """
    return Substitution(pattern, value, flags, whole_word=whole_word)


@lru_cache(maxsize=1024)
def compile_pattern(source: str, flags: str = "") -> Pattern:
    """Compile a pattern in RE2's syntax; the result is cached.

    Raises:
        PatternError: it is too large or not valid.
    """
    return Pattern(source, flags)


def compile_javascript(pattern: str, flags: str = "", *, whole_word: bool = False) -> Pattern:
    r"""Compile a JavaScript pattern.

    Args:
        pattern: the pattern, with JavaScript's meaning of `\w`, `\s`, `\b`, `$` and `.`.
        flags: JavaScript's `i`, `m` and `s`.
        whole_word: the match must begin and end at the boundary of a word (`\b`).

    Raises:
        PatternError: it is too large, not valid, or needs a look-around or a back-reference.
    """
    if len(pattern) > LONGEST_PATTERN:
        raise PatternError(f"must be shorter than or equal to {LONGEST_PATTERN} characters")
    source = _Translation(pattern, dot_all="s" in flags).text()
    return compile_pattern(rf"\b(?:{source})\b" if whole_word else source, flags)


def compile_literal(text: str) -> Pattern:
    r"""Compile a pattern that may be written as a literal of JavaScript: `/sunny\s+day/i`, or `sunny` alone.

    Of the flags, `i`, `m` and `s` count; `g`, `u`, `y`, `d` and `v` change nothing about whether there is a match.

    Raises:
        PatternError: as `compile_javascript`.
    """
    return compile_javascript(*_literal_parts(text))


def _literal_parts(text: str) -> tuple[str, str]:
    literal = _LITERAL.match(text)
    return (text, "") if literal is None else (literal[1], "".join(flag for flag in literal[2] if flag in "ims"))


class _Translation:
    """The translation of one JavaScript pattern to RE2's syntax.

    Both agree on most of it. They differ in escapes, in `[]`, `[^]` and `[` within a class, in `.`, and in the names of
    groups, which are left out, since nothing refers to them.
    """

    def __init__(self, pattern: str, *, dot_all: bool) -> None:
        self._pattern = pattern
        self._at = 0
        self._categories = 0
        self._dot = "." if dot_all else f"[^{_LINE_ENDS}]"

    def text(self) -> str:
        parts: list[str] = []
        while self._at < len(self._pattern):
            character = self._pattern[self._at]
            if character == "\\":
                parts.append(self._escape(in_class=False))
            elif character == "[":
                parts.append(self._class())
            elif character == "(":
                parts.append(self._group())
            else:
                parts.append(self._dot if character == "." else character)
                self._at += 1
        return "".join(parts)

    def _group(self) -> str:
        found = _GROUP.match(self._pattern, self._at)
        if found is None:
            self._at += 1
            return "("
        if found.group() in _LOOK_AROUNDS:
            raise PatternError(f"must not have {_LOOK_AROUNDS[found.group()]}, which this server does not support")
        self._at = found.end()
        return "("  # a replacement may refer to it by its number

    def _class(self) -> str:
        self._at += 1
        negated = self._pattern.startswith("^", self._at)
        self._at += negated
        parts: list[str] = []
        while self._at < len(self._pattern):
            character = self._pattern[self._at]
            if character == "]":
                self._at += 1
                if not parts:  # matches any character, or none
                    return f"[{_ANYTHING}]" if negated else f"[^{_ANYTHING}]"
                return f"[{'^' if negated else ''}{''.join(parts)}]"
            if character == "\\":
                parts.append(self._escape(in_class=True))
                continue
            parts.append(r"\[" if character == "[" else character)
            self._at += 1
        raise PatternError("must be a regular expression: missing ]")

    def _escape(self, *, in_class: bool) -> str:
        self._at += 1
        code = _UNICODE.match(self._pattern, self._at)
        if code is not None:
            return self._code(code)
        category = _PROPERTY.match(self._pattern, self._at)
        if category is not None:
            return self._category(category)
        character = self._pattern[self._at : self._at + 1]
        if not character:
            raise PatternError("must be a regular expression: a \\ at its end")
        self._at += 1
        if character == "c":
            return self._control()
        refers = character in "123456789" or (character == "k" and self._pattern.startswith("<", self._at))
        if refers and not in_class:
            raise PatternError(f"must not have a back-reference (\\{character}), which this server does not support")
        escapes = _IN_CLASS if in_class else _OUTSIDE
        return escapes.get(character) or (character if character.isalnum() else re.escape(character))

    def _category(self, found: re.Match[str]) -> str:
        self._at = found.end()
        self._categories += 1
        if self._categories > _MOST_CATEGORIES:
            raise PatternError(f"must have no more than {_MOST_CATEGORIES} Unicode categories (\\p{{…}})")
        return f"\\{found.group()}"

    def _code(self, found: re.Match[str]) -> str:
        """Return a code point; two escapes of a surrogate pair are one."""
        first, second, braces, two = found.groups()
        value = int(first or braces or two, 16)
        if second is not None and not (0xD800 <= value < 0xDC00 <= int(second, 16) < 0xE000):
            second = None
        self._at += 5 if first is not None and second is None else len(found.group())
        if second is not None:
            value = 0x10000 + ((value - 0xD800) << 10) + int(second, 16) - 0xDC00
        return rf"\x{{{value:x}}}"

    def _control(self) -> str:
        letter = self._pattern[self._at : self._at + 1]
        if not (letter.isascii() and letter.isalpha()):
            return r"\\c"
        self._at += 1
        return rf"\x{{{ord(letter) % 32:x}}}"


def _compile(source: str, flags: str, *, searched_only: bool = False) -> Any:  # the library has no types
    """Compile a pattern in RE2's syntax.

    Args:
        source: the pattern.
        flags: JavaScript's; `i`, `m` and `s` count.
        searched_only: compile it for UTF-8 bytes and without groups, so that no offsets of characters are computed.

    Raises:
        PatternError: it is not valid, or needs too much memory.
    """
    prefix = "".join(flag for flag in "ims" if flag in flags)
    given = (f"(?{prefix})" if prefix else "") + source
    options: Any = re2.Options()
    options.log_errors = False
    options.max_mem = _MOST_MEMORY_BYTES
    options.never_capture = searched_only
    try:
        return re2.compile(given.encode() if searched_only else given, options)
    except UnicodeEncodeError:
        raise PatternError("must be a regular expression without lone surrogates") from None
    except cast("type[Exception]", re2.error) as error:
        raise PatternError(_why(error)) from None


def _why(error: Exception) -> str:
    given = error.args[0] if error.args else ""
    text = given.decode(errors="replace") if isinstance(given, bytes) else str(given)
    if "too large" in text:
        return _TOO_LARGE
    reason, _, detail = text.partition(": ")
    detail = detail if len(detail) <= _LONGEST_DETAIL else ""  # RE2 repeats the whole pattern for some errors
    return f"must be a regular expression: {reason}" + (f' at "{detail}"' if detail else "")
