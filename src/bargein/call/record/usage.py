"""The use of providers in a call: tokens, characters and minutes, from which its costs follow."""

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal, cast

from bargein.ports import ChatMessage, Model, ToolCall
from bargein.ports.usage import TokenUsage, collected_usage
from bargein.wire.assistant import Assistant
from bargein.wire.base import JsonObject
from bargein.wire.json import as_string

Part = Literal["transcriber", "model", "voice"]

_CHARS_PER_TOKEN = 4
"""The usual estimate for a text in English, where a model reports no tokens."""


@dataclass(frozen=True, slots=True)
class Use:
    """One use of a provider, or the sum of several. It has no words of the call, so that a private one may keep it.

    Attributes:
        at_ms: when it was known, in milliseconds of the call; for a transcriber, when it began.
        part: the part of the assistant.
        provider: the vendor's name (`model.provider`, …).
        model: the name of its model or voice; empty: the assistant names none.
        prompt_tokens: tokens of requests to a model.
        completion_tokens: tokens of its answers.
        cached_prompt_tokens: those of `prompt_tokens` that the vendor had in its cache.
        estimated: whether some of the tokens are an estimate.
        characters: characters that a voice was given.
    """

    at_ms: int
    part: Part
    provider: str
    model: str
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_prompt_tokens: int = 0
    estimated: bool = False
    characters: int = 0

    def to_json(self) -> dict[str, Any]:
        """Return the use as JSON."""
        return asdict(self)

    def plus(self, other: "Use") -> "Use":
        """Return the sum with a later use of the same provider."""
        return replace(
            self,
            prompt_tokens=self.prompt_tokens + other.prompt_tokens,
            completion_tokens=self.completion_tokens + other.completion_tokens,
            cached_prompt_tokens=self.cached_prompt_tokens + other.cached_prompt_tokens,
            estimated=self.estimated or other.estimated,
            characters=self.characters + other.characters,
        )


@dataclass(slots=True)
class Usage:
    """All use of providers in one call: the transcribers in their order, models and voices by their names."""

    transcribers: list[Use] = field(default_factory=list[Use])
    _others: dict[tuple[Part, str, str], Use] = field(default_factory=dict[tuple[Part, str, str], Use])

    def add(self, use: Use) -> None:
        """Add a use."""
        if use.part == "transcriber":
            self.transcribers.append(use)
            return
        key = (use.part, use.provider, use.model)
        before = self._others.get(key)
        self._others[key] = use if before is None else before.plus(use)

    def of(self, part: Part) -> list[Use]:
        """Return the use of models or voices, a sum for each."""
        return [use for (of, _, _), use in self._others.items() if of == part]

    def all(self) -> list[Use]:
        """Return everything, with a sum for each model and voice."""
        return [*self.transcribers, *self._others.values()]

    def transcriber_ms(self, ended_ms: int) -> list[tuple[Use, int]]:
        """Return the transcribers, each with how long it had the call: until the next one, or the call's end."""
        ends = (*(one.at_ms for one in self.transcribers[1:]), ended_ms)
        return [(one, max(0, end - one.at_ms)) for one, end in zip(self.transcribers, ends, strict=False)]


class UsageMeter:
    """The meter of a call's providers.

    Args:
        usage: gets each use.
        now_ms: returns the time since the call began.
        write: stores each use.
    """

    def __init__(self, usage: Usage, now_ms: Callable[[], float], write: Callable[[Use], None]) -> None:
        self._usage = usage
        self._now_ms = now_ms
        self._write = write
        self._names: dict[Part, tuple[str, str]] = {}

    def switch_assistant(self, assistant: Assistant) -> None:
        """Count for the providers of this assistant from here on."""
        before = self._names.get("transcriber")
        self._names = {
            "transcriber": _name(assistant.transcriber, "model"),
            "model": _name(assistant.model, "model"),
            "voice": _name(assistant.voice, "model", "voiceId"),
        }
        if self._names["transcriber"] != before:
            self._add("transcriber")

    def model(self, reported: TokenUsage | None, asked: Sequence[ChatMessage], answered_chars: int) -> None:
        """Count a request to the model: by the tokens that it reported or, without a report, by an estimate."""
        if reported is None:
            asked_chars = sum(
                len(one.content) + sum(len(call.name) + len(call.arguments) for call in one.tool_calls) for one in asked
            )
            prompt, completion = (-(-chars // _CHARS_PER_TOKEN) for chars in (asked_chars, answered_chars))
            self._add("model", prompt_tokens=prompt, completion_tokens=completion, estimated=True)
        else:
            self._add(
                "model",
                prompt_tokens=reported.prompt,
                completion_tokens=reported.completion,
                cached_prompt_tokens=reported.cached_prompt,
            )

    def voice(self, text: str) -> None:
        """Count a text that the voice is given."""
        self._add("voice", characters=len(text))

    def _add(self, part: Part, **counts: Any) -> None:
        provider, model = self._names[part]
        use = Use(int(self._now_ms()), part, provider, model, **counts)
        self._usage.add(use)
        self._write(use)


async def metered_reply(
    model: Model, meter: UsageMeter, messages: Sequence[ChatMessage], tools: Sequence[JsonObject] = ()
) -> AsyncGenerator[str | ToolCall]:
    """Yield a model's answer and count its tokens, also if it is cut or fails: they are paid for.

    Raises:
        ProviderError: the model failed.
    """
    answered_chars = 0
    with collected_usage() as collector:
        try:
            async with aclosing(cast("AsyncGenerator[str | ToolCall]", model.reply(messages, tools))) as pieces:
                async for piece in pieces:
                    answered_chars += len(piece if isinstance(piece, str) else piece.name + piece.arguments)
                    yield piece
        finally:
            meter.model(collector.reported, messages, answered_chars)


def _name(part: Any, *fields: str) -> tuple[str, str]:
    """Return the provider of an assistant's part, and the first of these fields that it has."""
    if part is None:
        return "vapi", ""
    given = part.to_json()
    names = (as_string(given.get(name)) for name in fields)
    return str(given.get("provider")), next((name for name in names if name), "")
