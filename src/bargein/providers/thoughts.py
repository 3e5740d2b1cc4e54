"""Thoughts that a model writes into its answer's text, between `<think>` and `</think>`, which nobody should hear."""

from typing import Final

_TAGS: Final = {
    "<think>": "</think>",
    "<thinking>": "</thinking>",
    "<thought>": "</thought>",
    "[THINK]": "[/THINK]",
}
"""Opening and closing tags: of DeepSeek, Qwen and MiniMax, of prompts that ask for thoughts, of Gemini's compatible
API, and of Mistral's reasoning models."""

_CLOSING: Final = tuple(_TAGS.values())
_MARKS: Final = (*_TAGS, *_CLOSING)
_LONGEST: Final = max(len(mark) for mark in _MARKS)
_FIRST: Final = ("<", "[")
_AT_ONCE: Final = 1024
"""A longer piece is read in parts: each tag copies what follows it, which may be two million characters."""


class ThoughtFilter:
    """Removes thoughts from a text that arrives in pieces; a tag may be split over several of them.

    A thought that is never closed lasts to the end. A closing tag without its opening one, which models send whose
    prompt already opened the thought, is removed, too.

    Attributes:
        thinking: whether the text so far ends within a thought.
        thought: whether there was any thought.
    """

    def __init__(self) -> None:
        self.thinking = False
        self.thought = False
        self._closing = ""
        self._held = ""
        self._after_thought = False

    def push(self, piece: str) -> str:
        """Add a piece, and return what can be spoken; what may be the beginning of a tag is kept back."""
        if not self._held and not self.thinking and not self._after_thought and not _may_hold_mark(piece):
            return piece
        spoken: list[str] = []
        for start in range(0, len(piece), _AT_ONCE):
            text, self._held = self._held + piece[start : start + _AT_ONCE], ""
            while text:
                text = self._skip_thought(text) if self.thinking else self._take_speech(text, spoken)
        return "".join(spoken)

    def flush(self) -> str:
        """Return what was kept back and is no tag after all; an open thought gives nothing."""
        held, self._held = self._held, ""
        return "" if self.thinking else self._begun(held)

    def _take_speech(self, text: str, spoken: list[str]) -> str:
        """Move the text up to the next tag to `spoken`, and return the rest."""
        at, mark = min(((at, mark) for mark in _MARKS if (at := text.find(mark)) >= 0), default=(-1, ""))
        if at < 0:
            kept = _possible_mark(text, _MARKS)
            spoken.append(self._begun(text[: len(text) - kept]))
            self._held = text[len(text) - kept :]
            return ""
        spoken.append(self._begun(text[:at]))
        if mark in _TAGS:
            self.thinking = self.thought = True
            self._closing = _TAGS[mark]
        return text[at + len(mark) :]

    def _skip_thought(self, text: str) -> str:
        at = text.find(self._closing)
        if at < 0:
            kept = _possible_mark(text, (self._closing,))
            self._held = text[len(text) - kept :]
            return ""
        self.thinking = False
        self._after_thought = True
        return text[at + len(self._closing) :]

    def _begun(self, spoken: str) -> str:
        """Return the text without the blank lines between a thought and the answer."""
        if self._after_thought:
            spoken = spoken.lstrip()
            self._after_thought = not spoken
        return spoken


def _may_hold_mark(piece: str) -> bool:
    return any(first in piece for first in _FIRST)


def _possible_mark(text: str, marks: tuple[str, ...]) -> int:
    """Return the length of the text's end that may be the beginning of a tag."""
    longest = min(len(text), _LONGEST - 1)
    return next(
        (size for size in range(longest, 0, -1) if any(mark.startswith(text[-size:]) for mark in marks)),
        0,
    )
