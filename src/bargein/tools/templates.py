"""The Liquid templates of tools: what they may name, and how JSON is filled in."""

from collections.abc import Mapping
from typing import Protocol, cast

from bargein.tools.outcome import ToolError
from bargein.wire.base import JsonObject

_DEEPEST = 30


class Render(Protocol):
    """Fills in one text with the variables of the call, as they are now, and with more."""

    def __call__(self, text: str, more: Mapping[str, object]) -> str:
        """Give the text filled in; `more` goes before the call's own variables.

        Raises:
            ValueError: the template is broken, or asks for more than it may.
        """
        ...


class Templates:
    """The templates of one call's tools.

    Args:
        render: knows the call's variables.

    Attributes:
        extracted: what the call's tools have found out so far; templates see it beside the call's variables.
    """

    def __init__(self, render: Render) -> None:
        self._render = render
        self.extracted: JsonObject = {}

    def text(self, text: str, more: Mapping[str, object] | None = None) -> str:
        """Fill in a text.

        Raises:
            ToolError: the template is broken.
        """
        if "{{" not in text and "{%" not in text:
            return text
        try:
            return self._render(text, {**self.extracted, **(more or {})})
        except ValueError:
            raise ToolError("Not run: a template of the tool's settings is broken.") from None

    def value(self, value: object, more: Mapping[str, object] | None = None, *, depth: int = 0) -> object:
        """Fill in each text of a JSON value.

        Raises:
            ToolError: a template is broken, or the value is nested beyond reason.
        """
        if depth > _DEEPEST:
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
        """The arguments that are sent without the model's doing (`parameters`), filled in.

        Raises:
            ToolError: a template is broken.
        """
        given: JsonObject = {}
        for parameter in cast("list[JsonObject]", tool.get("parameters") or []):
            given[str(parameter.get("key"))] = self.value(parameter.get("value"), more)
        return given
