"""Liquid templates in tools: their variables, and rendering of whole JSON values."""

import re
from collections.abc import Iterator, Mapping
from typing import Protocol, cast

from bargein.tools.outcome import ToolError
from bargein.wire.base import JsonObject, Template
from bargein.wire.json import as_objects

_MAX_DEPTH = 30
AUTHORITY = re.compile(r"((?:[^{/]|\{(?!\{))*//(?:\{\{.*?\}\}|\{%.*?%\}|[^/?#{]|\{(?![{%]))*)(.*)", re.DOTALL)
"""The template of a URL: all up to its path, which decides where a request goes, and the rest."""
NOT_THE_OWNERS = (
    "Not run: its address depends on variables that its owner did not set, and it has credentials or headers, which "
    "are for the owner's address."
)
_BROKEN = "Not run: a template of the tool's settings is broken."


_CLOSINGS = {"{{": "}}", "{%": "%}"}


def markup_spans(text: str) -> Iterator[tuple[int, int]]:
    """Yield where each markup of a template begins and ends: `{{…}}` and `{%…%}`."""
    at, openings = 0, list(_CLOSINGS)
    while openings:
        found = {opening: start for opening in openings if (start := text.find(opening, at)) >= 0}
        if not found:
            return
        opening = min(found, key=found.__getitem__)
        start = found[opening]
        end = text.find(_CLOSINGS[opening], start + 2)
        if end < 0:  # nor has any other that begins like it
            openings.remove(opening)
            continue
        at = end + 2
        yield start, at


class Render(Protocol):
    """Renders a text with the call's current variables and with more."""

    def __call__(self, text: Template, more: Mapping[str, object]) -> str:
        """Return the rendered text; `more` takes precedence over the call's variables.

        Raises:
            ValueError: the template is broken, or exceeds its limits.
        """
        ...


class Templates:
    """The templates of one call's tools.

    Args:
        render: renders a text with the call's variables.
        render_as_owner: renders a text with those that the owner set, and no others; by default, all are the owner's.

    Attributes:
        extracted: variables extracted from the results of the call's tools so far; templates may name them too.
    """

    def __init__(self, render: Render, render_as_owner: Render | None = None) -> None:
        self._render = render
        self._render_as_owner = render_as_owner or render
        self.extracted: JsonObject = {}

    def is_owners_address(self, url: str) -> bool:
        """Return whether a URL up to its path is made of what the owner set alone.

        The other variables of the call (a caller's, and those extracted from answers) then change nothing.

        Raises:
            ToolError: a template in it is broken.
        """
        parts = AUTHORITY.fullmatch(url)
        template = url if parts is None else parts.group(1).strip()
        if not _is_template(template):
            return True
        try:
            return self._render_as_owner(Template(template), {}) == self.text(template)
        except ValueError:
            raise ToolError(_BROKEN) from None

    def text(self, text: str, more: Mapping[str, object] | None = None) -> str:
        """Render a text of the tool's settings.

        Raises:
            ToolError: the template is broken.
        """
        if not _is_template(text):
            return text
        try:
            return self._render(Template(text), {**self.extracted, **(more or {})})
        except ValueError:
            raise ToolError(_BROKEN) from None

    def value(self, value: object, more: Mapping[str, object] | None = None, *, depth: int = 0) -> object:
        """Render each string of a JSON value.

        Raises:
            ToolError: a template is broken, or the value is nested too deeply.
        """
        if depth > _MAX_DEPTH:
            raise ToolError("Not run: the tool's settings are nested too deeply.")
        match value:
            case str():
                return self.text(value, more)
            case dict():
                items = cast("JsonObject", value).items()
                return {name: self.value(one, more, depth=depth + 1) for name, one in items}
            case list():
                return [self.value(one, more, depth=depth + 1) for one in cast("list[object]", value)]
            case _:
                return value

    def static_parameters(self, tool: JsonObject, more: Mapping[str, object]) -> JsonObject:
        """Return the rendered arguments that are sent besides the model's own (`parameters`).

        Raises:
            ToolError: a template is broken.
        """
        given: JsonObject = {}
        for parameter in as_objects(tool.get("parameters")):
            given[str(parameter.get("key"))] = self.value(parameter.get("value"), more)
        return given


def _is_template(text: str) -> bool:
    return "{{" in text or "{%" in text
