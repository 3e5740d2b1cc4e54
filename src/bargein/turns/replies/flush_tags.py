"""Vapi's flush tags (`<flush />`, `<flush>`, `</flush>`), which end a chunk of speech and belong to no text.

The pattern is the one that Vapi's page "Flush syntax" gives, with attributes or without. A tag is never heard, shown or
remembered.
"""

import re

# White space in a tag is limited, so that text after a `<` is not held for ever.
_BLANKS = r"\s{0,16}+"
_VALUE = r"(?:\"[^\"<>]{0,32}\"|'[^'<>]{0,32}'|[^\s\"'<>/]{1,32}+)"
_ATTRIBUTES = rf"(?:\s{{1,16}}+[\w-]{{1,32}}+{_BLANKS}={_BLANKS}{_VALUE}){{0,2}}"
_TAG = re.compile(rf"<{_BLANKS}(?:/{_BLANKS})?flush{_ATTRIBUTES}{_BLANKS}(?:/{_BLANKS})?>", re.IGNORECASE)
_BEGINNING = re.compile(
    rf"<{_BLANKS}(?:/{_BLANKS})?(?:flush(?:\s[^<>/]{{0,100}})?(?:/{_BLANKS})?|flus|flu|fl|f)?", re.IGNORECASE
)
_NAMED = re.compile(rf"<{_BLANKS}(?:/{_BLANKS})?flush\b", re.IGNORECASE)


class FlushTags:
    """A filter that takes text in pieces of any size and returns it without the tags.

    White space after a tag is dropped where there is some before it. A piece of text that may be the beginning of a tag
    is held until the next one.
    """

    def __init__(self) -> None:
        self._held = ""
        self._after_blank = True
        self._after_tag = False

    def push(self, text: str) -> list[str]:
        """Add text and return what it completes: between each two of the returned parts was a tag."""
        if not self._held and not self._after_tag and "<" not in text:
            if text:
                self._after_blank = text[-1].isspace()
            return [text]
        text = self._held + text
        self._held = ""
        at = text.rfind("<")
        beginning = _BEGINNING.fullmatch(text, at) if at >= 0 else None
        if beginning is not None:
            text, self._held = text[:at], text[at:]
        first, *others = _TAG.split(text)
        parts = [self._take(first)]
        for part in others:
            self._after_tag = True
            parts.append(self._take(part))
        return parts

    def flush(self) -> str:
        """Return what is held: the text is over, so it is no tag, unless its name is complete."""
        rest, self._held = self._held, ""
        return self._take("" if _NAMED.match(rest) else rest)

    def _take(self, part: str) -> str:
        if self._after_tag and self._after_blank:
            part = part.lstrip()
        if part:
            self._after_blank = part[-1].isspace()
            self._after_tag = False
        return part


def without_flush_tags(text: str) -> str:
    """Return a whole text without its tags."""
    if "<" not in text:
        return text
    tags = FlushTags()
    return "".join((*tags.push(text), tags.flush()))
