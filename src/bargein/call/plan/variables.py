"""Variables (`{{…}}`) in an assistant's texts, by Vapi's names and LiquidJS's rules.

A text is a Liquid template. It can use the call's `variableValues` and the default variables, and nothing else: no
file, no other template, no clock but the time it is given. The cost of a template is counted while it is rendered, so
that an expensive one cannot hold up other calls.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any, Literal, cast

import structlog
from typing_extensions import override

from bargein.call.plan.hooks import hook_texts, render_hooks
from bargein.call.plan.liquid import Budget, TemplateError, render_template, worth_rendering
from bargein.call.plan.liquid_dates import format_date
from bargein.wire.base import JsonObject, Template
from bargein.wire.json import as_list, as_list_or_none, as_object, as_object_or_none, as_string
from bargein.wire.ownership import Author, author_of, is_callers, is_callers_text, plain_text
from bargein.wire.telephony import header_variables

_log = structlog.get_logger("bargein.call")

_TEXTS: dict[str, int | None] = {"firstMessage": None, "endCallMessage": 1000, "voicemailMessage": 1000}
"""The assistant's texts that are templates, with the most characters that Vapi's schema allows."""
_ASSISTANT_BUDGET = 200_000
_SAY_BUDGET = 2_000
_TOOL_BUDGET = 10_000
"""The budgets of an assistant's texts, of a text that is said, and of one of a tool's, in units of one to two
microseconds. An assistant's texts are rendered in a worker thread, all others on the event loop."""
_MOST_AT_ONCE = 20_000
_UNITS_A_MS = 10
"""All that one call renders on the event loop: so many units at once, and so many more each millisecond: some 2 % of
one processor. A call whose client sends one expensive `say` after the other takes no more from the others."""


class _Allowance:
    """The units that one call may spend, which come back with time."""

    def __init__(self) -> None:
        self._left = float(_MOST_AT_ONCE)
        self._epoch_ms = 0

    def budget(self, units: int, epoch_ms: int) -> Budget:
        """Return a budget of at most `units`; it must be given back."""
        passed_ms = max(0, epoch_ms - self._epoch_ms) if self._epoch_ms else 0
        self._epoch_ms = epoch_ms
        self._left = min(_MOST_AT_ONCE, self._left + passed_ms * _UNITS_A_MS)
        return Budget(round(min(units, max(0.0, self._left))))

    def give_back(self, budget: Budget) -> None:
        """Subtract what was spent of a budget."""
        self._left -= budget.spent


Sees = Literal["all", "owner", "callers"]


class _Object(dict[str, object]):
    """An object among the values; as text it is JSON."""

    def __str__(self) -> str:
        return json.dumps(self, ensure_ascii=False)


@dataclass(frozen=True, slots=True)
class Values:
    """`variableValues`, and who wrote them."""

    values: JsonObject
    author: Author

    @classmethod
    def of(cls, call: JsonObject) -> "tuple[Values, ...]":
        """Return the values of a call's `assistantOverrides`; those of SIP headers are a caller's."""
        headers = as_object(as_object(as_object(call.get("phoneCallProviderDetails")).get("sip")).get("headers"))
        values, of_sip = given_values(call), header_variables(headers)
        of_caller: JsonObject = {name: value for name, value in values.items() if of_sip.get(name) == value}
        rest: JsonObject = {name: value for name, value in values.items() if name not in of_caller}
        return cls(rest, author_of(call)), cls(of_caller, "caller")


@dataclass(slots=True)
class Extracted:
    """The values that the tools of a call have extracted so far (`ToolResult.variables`).

    Attributes:
        values: all of them.
        of_callers: those that a caller's tools have extracted.
    """

    values: JsonObject = field(default_factory=JsonObject)
    of_callers: JsonObject = field(default_factory=JsonObject)

    def save(self, values: JsonObject, tool: JsonObject | None) -> None:
        """Add the values that a tool has extracted."""
        self.values.update(values)
        if tool is not None and is_callers(tool):
            self.of_callers.update(values)


@dataclass(frozen=True, slots=True)
class Variables:
    """The values that the templates of one call may use.

    Attributes:
        call_id: the call's id, for the log.
        values: the values by name; those of `variableValues` take precedence over the defaults.
        extracted: the values that tools have extracted so far; they go before `values`.
        of_owner: those of `values` that the owner set; addresses with secrets are made of these alone.
        of_callers: the values that templates of a caller may use instead of `values`.
    """

    call_id: str = ""
    values: Mapping[str, object] = field(default_factory=dict[str, object])
    extracted: Extracted = field(default_factory=Extracted)
    of_owner: Mapping[str, object] = field(default_factory=dict[str, object])
    of_callers: Mapping[str, object] = field(default_factory=dict[str, object])
    _allowance: _Allowance = field(default_factory=_Allowance, repr=False, compare=False)
    _converted: dict[str, tuple[object, object]] = field(
        default_factory=dict[str, tuple[object, object]], repr=False, compare=False
    )

    @classmethod
    def of(
        cls, call: JsonObject, given: Sequence[Values] | None = None, extracted: Extracted | None = None
    ) -> "Variables":
        """Return the variables of a call: its `variableValues`, and the defaults that Vapi has.

        The defaults are `customer`, `phoneNumber` (number, name), `call` (id, type) and `transport` (conversationType,
        callSid), with their plain fields only, so that no key or address can get into a text. If a value of the call
        and a default are both objects, their fields are merged.

        Args:
            call: the call's record.
            given: the `variableValues`, in the order of their precedence; None: those of the record alone.
            extracted: the values that the call's tools have set; None for a call or chat that begins.
        """
        defaults: dict[str, object] = {
            "customer": _plain(call.get("customer")),
            "phoneNumber": _plain(call.get("phoneNumber"), "number", "name"),
            "call": _plain(call, "id", "type"),
            "transport": {"conversationType": "voice", **_plain(call.get("transport"), "conversationType", "callSid")},
        }
        values: dict[str, object] = {}
        of_owner: dict[str, object] = {}
        of_callers: dict[str, object] = {}
        for layer in Values.of(call) if given is None else given:
            values.update(layer.values)
            if layer.author == "owner":
                of_owner.update(layer.values)
            else:
                of_callers.update(layer.values)
                of_owner = {name: value for name, value in of_owner.items() if name not in layer.values}
        return cls(
            str(call.get("id", "")),
            _over(defaults, values),
            Extracted() if extracted is None else extracted,
            of_owner,
            _over(defaults, of_callers),
        )

    def render(self, text: Template, epoch_ms: int, more: Mapping[str, object] | None = None) -> str:
        """Render a text (`say`); one that cannot be rendered is returned unchanged, and logged.

        Args:
            text: the template.
            epoch_ms: the time, in milliseconds since 1970.
            more: further values, which take precedence.
        """
        if not worth_rendering(text):
            return text
        budget = self._allowance.budget(_SAY_BUDGET, epoch_ms)
        try:
            return self._rendered(text, self._at(epoch_ms, more or {}), budget, "say")
        finally:
            self._allowance.give_back(budget)

    def render_strict(self, text: Template, epoch_ms: int, more: Mapping[str, object], sees: Sees = "all") -> str:
        """Render a text that must not be used unrendered (an address, a header).

        Args:
            text: the template.
            epoch_ms: the time, in milliseconds since 1970.
            more: further values, which take precedence.
            sees: the values that it may use: all of them, those that the owner set, or those of callers.

        Raises:
            TemplateError: it cannot be rendered.
        """
        budget = self._allowance.budget(_TOOL_BUDGET, epoch_ms)
        try:
            at = self._at(epoch_ms, more)
            if sees == "owner":
                at = _At({**self.of_owner, **more}, at.now, self._converted)
            elif sees == "callers":
                at = at.callers or at
            return render_template(text, at.all_values(), at.now, budget)
        finally:
            self._allowance.give_back(budget)

    def render_all(self, texts: Sequence[str], epoch_ms: int, more: Mapping[str, object]) -> list[str]:
        """Return texts rendered that must not be used unrendered: the prompts of a call's analysis.

        Call it in a worker thread: a conversation among the values is large.

        Args:
            texts: the templates.
            epoch_ms: the time, in milliseconds since 1970.
            more: further values, which take precedence.

        Raises:
            TemplateError: one of them cannot be rendered.
        """
        at, budget = self._at(epoch_ms, more), Budget(_ASSISTANT_BUDGET)
        found: list[str] = []
        for text in texts:
            seen = at.callers or at if is_callers_text(text) else at
            found.append(render_template(plain_text(text), seen.all_values(), seen.now, budget))
        return found

    def render_assistant(self, assistant: JsonObject, epoch_ms: int) -> JsonObject:
        """Return the assistant with its texts rendered; the given one is not changed.

        The texts are `firstMessage`, `endCallMessage`, `voicemailMessage`, the content of `model.messages`, and those
        of hooks and idle messages. One that cannot be rendered stays unchanged, and is logged.
        """
        if not has_templates(assistant):
            return assistant
        at, budget = self._at(epoch_ms), Budget(_ASSISTANT_BUDGET)
        rendered = dict(assistant)
        for name, most in _TEXTS.items():
            text: object = assistant.get(name)
            if isinstance(text, str):
                rendered[name] = self._rendered(text, at, budget, name, most)
        messages = _messages(assistant)
        if messages:
            filled = [self._message(message, at, budget) for message in messages]
            rendered["model"] = {**as_object(assistant["model"]), "messages": filled}
        return render_hooks(rendered, lambda text: self._rendered(text, at, budget, "hooks"))

    def _message(self, message: object, at: "_At", budget: Budget) -> object:
        content = _content(message)
        if content is None:
            return message
        return {**as_object(message), "content": self._rendered(content, at, budget, "model.messages")}

    def _rendered(self, text: str, at: "_At", budget: Budget, where: str, most: int | None = None) -> str:
        if not worth_rendering(text):
            return text
        if is_callers_text(text):
            text, at = plain_text(text), at.callers or at
        try:
            rendered = render_template(text, at.all_values(), at.now, budget)
        except TemplateError as error:
            self._log_failure(where, str(error))
            return text
        if most is not None and len(rendered) > most:
            self._log_failure(where, f"more than {most} characters")
            return text
        return rendered

    def _log_failure(self, where: str, reason: str) -> None:
        _log.warning("a template is used unrendered", call_id=self.call_id, where=where, reason=reason)

    def _at(self, epoch_ms: int, more: Mapping[str, object] = MappingProxyType({})) -> "_At":
        now = datetime.fromtimestamp(epoch_ms / 1000, UTC)
        callers = _At({**self.of_callers, **self.extracted.of_callers, **more}, now, self._converted)
        return _At({**self.values, **self.extracted.values, **more}, now, self._converted, callers)


@dataclass(slots=True)
class _At:
    """The values at one point in time.

    Attributes:
        values: the values by name.
        now: the time, in UTC.
        converted: large values that were converted before, with what they were converted from.
        callers: those that a caller's templates see instead.
    """

    values: Mapping[str, object]
    now: datetime
    converted: dict[str, tuple[object, object]]
    callers: "_At | None" = None
    _all: "_Values | None" = None

    def all_values(self) -> Mapping[str, object]:
        """Return the values with the default variables of date and time, which are in UTC."""
        if self._all is None:
            now = self.now
            times: dict[str, object] = {
                "now": format_date(now, "%b %-d, %Y %-I:%M %p"),
                "date": format_date(now, "%b %-d, %Y"),
                "time": format_date(now, "%-I:%M %p"),
                "month": format_date(now, "%B"),
                "day": now.day,
                "year": now.year,
            }
            self._all = _Values({**times, **self.values}, self.converted)
        return self._all


class _Values(Mapping[str, object]):
    """Values as Liquid shows them. Each is converted when a template names it: a call may have a megabyte of others."""

    def __init__(self, values: Mapping[str, object], converted: dict[str, tuple[object, object]]) -> None:
        self._values = values
        self._converted = converted

    @override
    def __getitem__(self, name: str) -> object:
        value = self._values[name]
        if not isinstance(value, dict | list):
            return _as_liquid(value)
        source, made = self._converted.get(name, (None, None))
        if source is not value:
            made = _as_liquid(cast("object", value))
            self._converted[name] = (cast("object", value), made)
        return made

    @override
    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    @override
    def __len__(self) -> int:
        return len(self._values)


def _over(defaults: JsonObject, given: JsonObject) -> JsonObject:
    """Return values with those given in place of the defaults; the fields of objects are merged."""
    values = {**defaults, **given}
    for name in defaults.keys() & given.keys():
        default, value = as_object_or_none(defaults[name]), as_object_or_none(given[name])
        if default is not None and value is not None:
            values[name] = default | value
    return values


def given_values(call: JsonObject) -> JsonObject:
    """Return a call's `assistantOverrides.variableValues`."""
    return as_object(as_object(call.get("assistantOverrides")).get("variableValues"))


def has_templates(assistant: JsonObject) -> bool:
    """Return True if a text of the assistant has template markup."""
    texts = [*(assistant.get(name) for name in _TEXTS), *map(_content, _messages(assistant))]
    texts.extend(hook_texts(assistant))
    return any(isinstance(text, str) and worth_rendering(text) for text in texts)


def _messages(assistant: JsonObject) -> list[object]:
    return as_list(as_object(assistant.get("model")).get("messages"))


def _content(message: object) -> str | None:
    return as_string(as_object(message).get("content"))


def _plain(given: object, *names: str) -> dict[str, Any]:
    return {
        name: value
        for name, value in as_object(given).items()
        if isinstance(value, str | int | float) and (not names or name in names)
    }


def _as_liquid(value: object) -> object:
    if (members := as_object_or_none(value)) is not None:
        return _Object({name: _as_liquid(member) for name, member in members.items()})
    if (items := as_list_or_none(value)) is not None:
        return [_as_liquid(item) for item in items]
    if isinstance(value, float) and value.is_integer():
        return int(value)  # as in JavaScript, where 3.0 is written 3
    return value
