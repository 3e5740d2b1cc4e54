"""Liquid templates by LiquidJS's rules and within a budget. Only this module imports the library."""

import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any, cast

from liquid import BoundTemplate, Environment, RenderContext
from liquid.exceptions import LiquidError
from liquid.filter import with_context
from liquid.token import Token
from liquid.undefined import is_undefined
from liquid.utils import ReadOnlyChainMap

from bargein.call.plan.liquid_dates import DEFAULT_FORMAT, format_date, moment_of, zone
from bargein.errors import BargeinError

_MOST_CHARS = 200_000
"""The most characters of a template."""
_MOST_OUTPUT_BYTES = 400_000
"""The most bytes that a template may produce."""
_MOST_MARKUPS = 2_000
"""The most tags and outputs of a template."""
_MOST_MARKUP_CHARS = 1_000
"""The most characters of one tag or output of a template."""
_MOST_BLANKS = 64
_MOST_BITS = 1_024
_PARSING_COST = 10
_CHARS_A_UNIT = 50
_DATE_COST = 60  # a text that is no date is tried with each of the usual forms
_RAW = re.compile(r"\{%-?\s{0,64}(raw|doc)\s{0,64}-?%\}")
_BLANKS = re.compile(rf"\s{{{_MOST_BLANKS}}}")
_NOT_LIQUIDJS = ("safe", "escapejs")
_NO_TAGS = ("include", "render", "doc", "ifchanged")


class TemplateError(BargeinError, ValueError):
    """A template is not valid, or exceeds a limit; the text has nothing of the template's values in it."""


class Budget:
    """A budget for rendering, in units of about a microsecond.

    Args:
        units: the size of the budget; several templates may share it.

    Attributes:
        left: the units that are left; below 0 once the budget was exceeded.
    """

    def __init__(self, units: int) -> None:
        self._units = units
        self.left = float(units)

    @property
    def spent(self) -> float:
        """The units that were used up."""
        return self._units - max(0.0, self.left)

    def spend(self, units: float) -> None:
        """Use up units.

        Raises:
            TemplateError: the budget is exceeded.
        """
        self.left -= units
        if self.left < 0:
            raise TemplateError("the template exceeds its budget")

    def walk(self, value: object) -> int:
        """Pay for walking through a value; return its approximate size in characters.

        Raises:
            TemplateError: the budget is exceeded, or a number is too long.
        """
        size, waiting = 0, [value]
        while waiting:
            one = waiting.pop()
            cost = 1
            match one:
                case str():
                    cost = len(one)
                case range():
                    cost = max(0, one.stop - one.start)
                case int() if one.bit_length() > _MOST_BITS:
                    raise TemplateError("a number is too long")
                case dict():
                    waiting.extend(cast("dict[str, object]", one).values())
                    cost = sum(len(name) for name in cast("dict[str, object]", one))
                case list() | tuple():
                    waiting.extend(cast("Sequence[object]", one))
                case _:
                    pass
            size += cost
            self.spend(cost / _CHARS_A_UNIT if isinstance(one, str) else 0.2 if not isinstance(one, range) else cost)
        return size


class _Context(RenderContext):
    """A render context that pays for each node, variable, filter and assignment."""

    __slots__ = ("_disabled", "budget", "now")

    def __init__(self, template: BoundTemplate, values: Mapping[str, object], now: datetime, budget: Budget) -> None:
        self.budget = budget
        self.now = now
        self._disabled: list[str] = []
        super().__init__(template, globals=values)
        # Without the library's own `now` and `today`, which read the machine's clock and do not exist in LiquidJS.
        self.scope = ReadOnlyChainMap(self.locals, self.globals, self.counters)

    @property
    def disabled_tags(self) -> list[str]:
        """Count a node: each one reads this property before it is rendered."""
        self.budget.spend(1)
        return self._disabled

    @disabled_tags.setter  # replaces a plain field, since nothing else is called by every node
    def disabled_tags(self, tags: list[str]) -> None:  # pyright: ignore[reportIncompatibleVariableOverride]
        self._disabled = tags

    def get(self, path: list[object], *, token: Token | None, **kwargs: Any) -> object:
        found = super().get(path, token=token, **kwargs)
        self.budget.spend(len(path))
        self.budget.walk(found)
        return found

    def assign(self, key: str, val: Any) -> None:
        self.budget.walk(val)
        super().assign(key, val)

    def raise_for_loop_limit(self, length: int = 1) -> None:
        self.budget.spend(length)

    def filter(self, name: str, token: Token | None) -> Callable[..., object]:
        return partial(self._filtered, name, super().filter(name, token))

    def _filtered(self, name: str, work: Callable[..., object], value: object, *args: Any, **kwargs: Any) -> object:
        self.budget.spend(2)
        size = self.budget.walk(value)
        for argument in (*args, *kwargs.values()):
            self.budget.walk(argument)
        self.budget.spend(_growth(name, value, size, args) / _CHARS_A_UNIT)
        result = work(value, *args, **kwargs)
        if not is_undefined(result):
            self.budget.walk(result)
        return result


def _growth(name: str, value: object, size: int, args: tuple[Any, ...]) -> float:
    """Return the work of a filter on an input of `size`; filters that are not named here are linear."""
    match name:
        case "replace":
            old, new = (*map(str, args), "", "")[:2]
            return str(value).count(old) * len(new)
        case "join" | "array_to_sentence_string":
            return size * len(str(args[0])) if args else size
        case "split":
            return size * _CHARS_A_UNIT / 5 if args and not str(args[0]) else size
        case _ if name.startswith("date"):
            return _DATE_COST * _CHARS_A_UNIT
        case "uniq" | "sort" | "sort_natural" | "strip_html" | "compact" | "where" | "reject" | "sum":
            return size * size / 20
        case _:
            return size


def worth_rendering(text: str) -> bool:
    """Return True if a text has markup."""
    return "{{" in text or "{%" in text


def render_template(text: str, values: Mapping[str, object], now: datetime, budget: Budget) -> str:
    """Render a template.

    Args:
        text: the template.
        values: the values that it may use.
        now: the time, in UTC.
        budget: pays for the rendering.

    Raises:
        TemplateError: it is not valid, or exceeds a limit.
    """
    _check(text, budget)
    try:
        template = _LIQUID.from_string(text)
        buffer = template._get_buffer()  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]  # the buffer with a limit; it has no public accessor
        template.render_with_context(_Context(template, values, now, budget), buffer)
        return buffer.getvalue()
    except TemplateError:
        raise
    except Exception as error:  # noqa: BLE001  # on unusual values the library raises more than its own errors
        raise TemplateError(type(error).__name__) from None  # its text may hold values of the call


def _check(text: str, budget: Budget) -> None:
    """Refuse templates for which the library's lexer, which backtracks, would take too long."""
    if len(text) > _MOST_CHARS:
        raise TemplateError("the template is too long")
    budget.spend(len(text) / _CHARS_A_UNIT)
    at = markups = 0
    while (start := _opening(text, at)) >= 0:
        markups += 1
        raw = _RAW.match(text, start)
        closing = "}}" if text.startswith("{{", start) else "%}"
        end = text.find(closing, start + 2)
        if end < 0 or markups > _MOST_MARKUPS:
            raise TemplateError("markup without an end, or too much of it")
        if end - start > _MOST_MARKUP_CHARS or _BLANKS.search(text, start, end):
            raise TemplateError("markup that is too long")
        budget.spend(_PARSING_COST + end - start)
        at = end + 2
        if raw is not None:
            ends = re.compile(rf"\{{%-?\s{{0,64}}end{raw.group(1)}\s{{0,64}}-?%\}}").search(text, at)
            if ends is None:
                raise TemplateError("raw text without an end")
            at = ends.end()


def _opening(text: str, at: int) -> int:
    output, tag = text.find("{{", at), text.find("{%", at)
    return max(output, tag) if min(output, tag) < 0 else min(output, tag)


def _date(context: "_Context", given: object, pattern: object = None, where: object = None) -> object:
    if given is None or is_undefined(given):
        return ""
    moment = moment_of(given, context.now)
    if moment is None:
        return given  # as in LiquidJS, a value that is not a date passes unchanged
    zoned = moment.astimezone(UTC if where is None or is_undefined(where) else zone(where))
    return format_date(zoned, DEFAULT_FORMAT if pattern is None or is_undefined(pattern) else str(pattern))


@with_context
def date(given: object, pattern: object = None, where: object = None, *, context: "_Context") -> object:
    """Format a date, as in `{{ "now" | date: "%H:%M", "Europe/London" }}`; without a zone in UTC."""
    return _date(context, given, pattern, where)


def _dated(pattern: str) -> Callable[..., object]:
    @with_context
    def filtered(given: object, *_: object, context: "_Context") -> object:
        return _date(context, given, pattern)

    return filtered


def _json(given: object, space: object = None) -> str:
    if is_undefined(given):
        return ""
    indent = min(space, 10) if isinstance(space, int) and space > 0 else None
    return json.dumps(given, ensure_ascii=False, indent=indent, separators=None if indent else (",", ":"))


def _to_integer(given: object) -> int:
    number = float(str(given))
    return int(number) if math.isfinite(number) else 0


def _sentence(given: object, connector: object = "and") -> object:
    if not isinstance(given, list):
        return given
    items = [str(item) for item in cast("list[object]", given)]
    if len(items) < 3:
        return f" {connector} ".join(items)
    return f"{', '.join(items[:-1])}, {connector} {items[-1]}"


def _raw(given: object) -> object:
    return given  # nothing is escaped here anyway


def _one_line(given: object) -> str:
    return re.sub(r"\s+", " ", str(given))


def _words(given: object, *_: object) -> int:
    return len(str(given).split())


def _environment() -> Environment:
    class Limited(Environment):
        output_stream_limit = _MOST_OUTPUT_BYTES
        string_first_and_last = True

    # LiquidJS, as Vapi uses it, ignores unknown filters.
    environment = Limited(strict_filters=False)
    for name in _NO_TAGS:
        del environment.tags[name]
    for name in _NOT_LIQUIDJS:
        del environment.filters[name]
    more: dict[str, Callable[..., object]] = {
        "date": date,
        "date_to_xmlschema": _dated("%Y-%m-%dT%H:%M:%S%:z"),
        "date_to_rfc822": _dated("%a, %d %b %Y %H:%M:%S %z"),
        "date_to_string": _dated("%d %b %Y"),
        "date_to_long_string": _dated("%d %B %Y"),
        "json": _json,
        "jsonify": _json,
        "raw": _raw,
        "to_integer": _to_integer,
        "array_to_sentence_string": _sentence,
        "normalize_whitespace": _one_line,
        "number_of_words": _words,
    }
    for name, work in more.items():
        environment.add_filter(name, work)
    return environment


_LIQUID = _environment()
__all__ = ["Budget", "LiquidError", "TemplateError", "render_template", "worth_rendering"]
