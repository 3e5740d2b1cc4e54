"""A model as the judge of an assistant's answer (`judgePlan` of type `ai`)."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import anyio
import anyio.to_thread
from typing_extensions import override

from bargein.call.plan.liquid import Budget, TemplateError, render_template, worth_rendering
from bargein.errors import BargeinError
from bargein.ports import ChatMessage, Model
from bargein.server.analysis.asking import ask
from bargein.server.evals.judging import verdict_of
from bargein.wire.base import JsonObject
from bargein.wire.json import as_object, as_objects, as_string

_ROLES: Mapping[str, Any] = {"user": "user", "assistant": "assistant"}
_TEMPLATE_UNITS = 200_000
_MOST_CHARS = 2_000
"""The most characters that are read of a judge's answer."""
_RENDERING = anyio.CapacityLimiter(1)
"""Threads share one interpreter: each that renders delays the event loop, so only one does at a time."""

_DEFAULT = (
    "You judge the last message of a conversation between a user and an assistant. It passes if it is a correct, "
    "helpful and polite continuation of the conversation. Answer with one word: pass or fail."
)
_ASK_AGAIN = "Answer with one word, pass or fail."


class JudgeError(BargeinError):
    """A judge that gives no verdict."""


class _Line(dict[str, Any]):
    """A message among a template's values; as text it is a line of JSON."""

    @override
    def __str__(self) -> str:
        return json.dumps(self, ensure_ascii=False) + "\n"


@dataclass(frozen=True, slots=True)
class Judge:
    """A judge.

    Attributes:
        model: its model.
        plan: the `judgePlan`, checked.
        epoch_ms: the time that its templates may name.
    """

    model: Model
    plan: JsonObject
    epoch_ms: int

    async def passes(self, messages: Sequence[JsonObject]) -> bool:
        """Return the verdict on the last of the messages of a conversation. A judge with other words is asked again.

        Raises:
            JudgeError: it answers neither `pass` nor `fail`, or its instructions are no valid template.
            ProviderError: its model failed.
        """
        asked = await anyio.to_thread.run_sync(self._request, messages, limiter=_RENDERING)
        text = await ask(self.model, asked, cut_at=_MOST_CHARS)
        verdict = verdict_of(text)
        if verdict is None:
            again = (*asked, ChatMessage("assistant", text), ChatMessage("user", _ASK_AGAIN))
            verdict = verdict_of(await ask(self.model, again, cut_at=_MOST_CHARS))
        if verdict is None:
            raise JudgeError(f"the judge answered neither pass nor fail, but {json.dumps(text[:200])}")
        return verdict

    def _request(self, messages: Sequence[JsonObject]) -> tuple[ChatMessage, ...]:
        given = as_objects(as_object(self.plan.get("model")).get("messages"))
        if not given:
            shown = messages if self.plan.get("autoIncludeMessageHistory") is not False else messages[-1:]
            return ChatMessage("system", _DEFAULT), ChatMessage("user", _text_of(shown))
        values = {"messages": [_Line(message) for message in messages]}
        asked = [
            ChatMessage(
                _ROLES.get(str(one.get("role")), "system"), self._rendered(as_string(one.get("content")), values)
            )
            for one in given
        ]
        if not any(one.role == "user" for one in asked):
            asked.append(ChatMessage("user", _text_of(messages[-1:])))
        return tuple(asked)

    def _rendered(self, text: str | None, values: Mapping[str, object]) -> str:
        if text is None or not worth_rendering(text):
            return text or ""
        now = datetime.fromtimestamp(self.epoch_ms / 1000, UTC)
        try:
            return render_template(text, values, now, Budget(_TEMPLATE_UNITS))
        except TemplateError as error:
            raise JudgeError(f"the judge's instructions are not a valid template ({error})") from None


def _text_of(messages: Sequence[JsonObject]) -> str:
    return "".join(str(_Line(message)) for message in messages)
