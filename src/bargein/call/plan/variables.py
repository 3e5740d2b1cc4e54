"""`{{variables}}` in an assistant's texts, by Vapi's names and LiquidJS's rules.

A text is a Liquid template. It sees the call's `variableValues`, the default variables, and nothing else: no file, no
other template, no clock but the time it is given. What a template may cost is counted while it is rendered, so that
one of a stranger's holds up no call.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, cast

import structlog

from bargein.call.plan.hooks import texts_of, with_texts
from bargein.call.plan.liquid import Budget, render_template, worth_rendering
from bargein.call.plan.liquid_dates import format_date
from bargein.wire.base import JsonObject

_log = structlog.get_logger("bargein.call")

_TEXTS: dict[str, int | None] = {"firstMessage": None, "endCallMessage": 1000, "voicemailMessage": 1000}
"""The assistant's texts that are templates, with the most characters that Vapi's schema lets them have."""
_ASSISTANT_BUDGET = 200_000
_SAY_BUDGET = 20_000


class _Object(dict[str, object]):
    """An object among the values; written out whole, it is JSON."""

    def __str__(self) -> str:
        return json.dumps(self, ensure_ascii=False)


@dataclass(frozen=True, slots=True)
class Variables:
    """What the templates of one call may use.

    Attributes:
        call_id: for the log.
        values: by name; those of `variableValues` go before the default ones.
        extracted: the values that tools have extracted so far; they go before `values` (`ToolResult.variables`).
    """

    call_id: str = ""
    values: Mapping[str, object] = field(default_factory=dict[str, object])
    extracted: JsonObject = field(default_factory=JsonObject)

    @classmethod
    def of(cls, call: JsonObject) -> "Variables":
        """The variables of a call: its `assistantOverrides.variableValues`, and what Vapi gives each call.

        These are `customer`, `phoneNumber` (number, name), `call` (id, type), `transport` (conversationType, callSid):
        their plain fields alone, so that no key or address of theirs can come into a text. Where a value of the call's
        own and a default one are both objects, their fields are put together.
        """
        values: dict[str, object] = {
            "customer": _plain(call.get("customer")),
            "phoneNumber": _plain(call.get("phoneNumber"), "number", "name"),
            "call": _plain(call, "id", "type"),
            "transport": {"conversationType": "voice", **_plain(call.get("transport"), "conversationType", "callSid")},
        }
        for name, value in given_values(call).items():
            default = values.get(name)
            both = isinstance(default, dict) and isinstance(value, dict)
            values[name] = {**cast("JsonObject", default), **cast("JsonObject", value)} if both else value
        return cls(str(call.get("id", "")), values)

    def render(self, text: str, epoch_ms: int, more: Mapping[str, object] | None = None) -> str:
        """Fill in one text at a time of the clock (`say`); one that cannot be rendered comes back as it is.

        `more` are further values that the text may use.
        """
        if not worth_rendering(text):
            return text
        values = {**self.values, **self.extracted, **(more or {})}
        at = _At(values, datetime.fromtimestamp(epoch_ms / 1000, UTC))
        return self._rendered(text, at, Budget(_SAY_BUDGET), "say")

    def render_strict(self, text: str, epoch_ms: int, more: Mapping[str, object]) -> str:
        """Fill in one text that is worth nothing unless it can be (an address, a header).

        Args:
            text: the template.
            epoch_ms: a time of the clock.
            more: goes before the call's own values.

        Raises:
            ValueError: it cannot be rendered.
        """
        try:
            values = _At({**self.values, **self.extracted, **more}, datetime.fromtimestamp(epoch_ms / 1000, UTC))
            return render_template(text, values.all_values(), values.now, Budget(_SAY_BUDGET))
        except Exception as error:  # noqa: BLE001  # the library raises more than its own errors on a stranger's text
            # an error's words may hold values of the call
            raise ValueError(type(error).__name__) from None

    def render_assistant(self, assistant: JsonObject, epoch_ms: int) -> JsonObject:
        """The assistant with its texts filled in at a time of the clock; the one given is not changed.

        The texts are `firstMessage`, `endCallMessage`, `voicemailMessage`, the content of `model.messages`, and what
        hooks and idle messages say. One that
        cannot be rendered stays as it is.
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
            rendered["model"] = {**cast("JsonObject", assistant["model"]), "messages": filled}
        return with_texts(rendered, lambda text: self._rendered(text, at, budget, "hooks"))

    def _message(self, message: object, at: "_At", budget: Budget) -> object:
        content = _content(message)
        if content is None:
            return message
        return {**cast("JsonObject", message), "content": self._rendered(content, at, budget, "model.messages")}

    def _rendered(self, text: str, at: "_At", budget: Budget, where: str, most: int | None = None) -> str:
        if not worth_rendering(text):
            return text
        try:
            rendered = render_template(text, at.all_values(), at.now, budget)
        except Exception as error:  # noqa: BLE001  # the library raises more than its own errors on a stranger's text
            # An error's words may hold values of the call: its name alone is told.
            self._tell(where, type(error).__name__)
            return text
        if most is not None and len(rendered) > most:
            self._tell(where, f"more than {most} characters")
            return text
        return rendered

    def _tell(self, where: str, reason: str) -> None:
        _log.warning("a template is used as it stands", call_id=self.call_id, where=where, reason=reason)

    def _at(self, epoch_ms: int) -> "_At":
        return _At({**self.values, **self.extracted}, datetime.fromtimestamp(epoch_ms / 1000, UTC))


@dataclass(slots=True)
class _At:
    """The values at one time."""

    values: Mapping[str, object]
    now: datetime
    _all: dict[str, object] | None = None

    def all_values(self) -> dict[str, object]:
        """With the default variables of date and time, which are in UTC."""
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
            self._all = {name: _as_liquid(value) for name, value in {**times, **self.values}.items()}
        return self._all


def given_values(call: JsonObject) -> JsonObject:
    """A call's `assistantOverrides.variableValues`."""
    overrides: object = call.get("assistantOverrides")
    given: object = cast("JsonObject", overrides).get("variableValues") if isinstance(overrides, dict) else None
    return cast("JsonObject", given) if isinstance(given, dict) else {}


def has_templates(assistant: JsonObject) -> bool:
    """Whether a text of the assistant holds template markup."""
    texts = [*(assistant.get(name) for name in _TEXTS), *map(_content, _messages(assistant))]
    texts.extend(texts_of(assistant))
    return any(isinstance(text, str) and worth_rendering(text) for text in texts)


def _messages(assistant: JsonObject) -> list[object]:
    model: object = assistant.get("model")
    messages: object = cast("JsonObject", model).get("messages") if isinstance(model, dict) else None
    return cast("list[object]", messages) if isinstance(messages, list) else []


def _content(message: object) -> str | None:
    content: object = cast("JsonObject", message).get("content") if isinstance(message, dict) else None
    return content if isinstance(content, str) else None


def _plain(given: object, *names: str) -> dict[str, Any]:
    if not isinstance(given, dict):
        return {}
    fields = cast("JsonObject", given)
    return {
        name: value
        for name, value in fields.items()
        if isinstance(value, str | int | float) and (not names or name in names)
    }


def _as_liquid(value: object) -> object:
    match value:
        case dict():
            return _Object({name: _as_liquid(one) for name, one in cast("JsonObject", value).items()})
        case list():
            return [_as_liquid(one) for one in cast("list[object]", value)]
        case float() if value.is_integer():
            return int(value)  # JSON has one kind of number: 3.0 is written 3
        case _:
            return value
