"""Questions to a model whose answer is one value, held to a schema where the vendor can, and checked everywhere."""

import json
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from typing import cast

import anyio

from bargein.errors import BargeinError
from bargein.ports import ChatMessage, Model, ProviderError, SchemaModel
from bargein.server.analysis.answers import AnswerError, value_in
from bargein.server.analysis.schemas import Schema, is_object_schema, unwrapped, without_optional_nulls, wrapped
from bargein.wire.base import JsonObject

_MOST_ANSWER_CHARS = 200_000
"""The most characters of a model's answer about a call."""
_TRIES = 3
_FIRST_WAIT_S = 0.5
_LASTING = ("-400-", "-401-", "-403-", "error-get-resources-validation")
"""Parts of the `endedReason` of errors that another try does not mend."""
_REFUSED = "-400-"

Read = Callable[[object], object]
"""Returns the value that a model meant by the one that it answered with."""


class AskError(BargeinError):
    """A question without a usable answer. The text may be shown; it quotes nothing of the answer."""


async def ask(model: Model, messages: Sequence[ChatMessage], *, cut_at: int | None = None) -> str:
    """Return a model's answer; a failure that may pass is tried again, twice.

    Args:
        model: the model.
        messages: the prompt.
        cut_at: the most characters that are read of an answer, which may be empty; None: an empty or very long one is
            an error.

    Raises:
        ProviderError: the model failed.
        AskError: its answer is empty or too long.
    """
    for attempt in range(_TRIES):
        try:
            return await _answer(model, messages, cut_at)
        except ProviderError as error:
            if attempt == _TRIES - 1 or any(mark in error.ended_reason for mark in _LASTING):
                raise
        await anyio.sleep(_FIRST_WAIT_S * 2**attempt)
    raise AssertionError("the last try returns or raises")  # pragma: no cover


async def ask_for_value(
    model: Model, messages: Sequence[ChatMessage], schema: Schema, read: Read = lambda value: value
) -> object:
    """Return the value that a model answers with, valid by a schema. One that is not is asked for once more.

    Args:
        model: the model.
        messages: the prompt.
        schema: the schema.
        read: maps an answer's value before it is checked.

    Raises:
        ProviderError: the model failed.
        AskError: neither answer is valid.
    """
    held = model.held_to(wrapped(schema.source)) if isinstance(model, SchemaModel) else None
    given = wrapped(schema.source) if held is not None else schema.source
    prompt = _with_schema(messages, given, required=held is not None and not is_object_schema(schema.source))
    try:
        answer = await ask(held or model, prompt)
    except ProviderError as error:
        if held is None or _REFUSED not in error.ended_reason:
            raise
        held, prompt = None, _with_schema(messages, schema.source)  # some servers and models know no schemas
        answer = await ask(model, prompt)
    value, problems, _ = _read(answer, schema, read)
    if not problems:
        return value
    again = ChatMessage(
        "user", "This is not valid:\n" + "\n".join(problems) + "\nRespond with the corrected JSON alone."
    )
    answer = await ask(held or model, (*prompt, ChatMessage("assistant", answer), again))
    value, problems, shown = _read(answer, schema, read)
    if problems:
        raise AskError(f"the model's answer is not valid, twice: {shown}")
    return value


async def _answer(model: Model, messages: Sequence[ChatMessage], cut_at: int | None) -> str:
    parts: list[str] = []
    size = 0
    async with aclosing(cast("AsyncGenerator[object]", model.reply(messages))) as pieces:
        async for piece in pieces:
            if isinstance(piece, str):
                parts.append(piece)
                size += len(piece)
            if cut_at is not None and size > cut_at:
                break
            if size > _MOST_ANSWER_CHARS:
                raise AskError(f"the model's answer is longer than {_MOST_ANSWER_CHARS} characters")
    answer = "".join(parts).strip()
    if cut_at is not None:
        return answer[:cut_at]
    if not answer:
        raise AskError("the model's answer is empty")
    return answer


def _with_schema(
    messages: Sequence[ChatMessage], schema: JsonObject, *, required: bool = False
) -> tuple[ChatMessage, ...]:
    """Return a prompt that ends with a question and names the schema; one that names it already is left as it is."""
    text = json.dumps(schema, ensure_ascii=False)
    named = any(text in message.content for message in messages)
    asked = "Respond with JSON alone, without a code block. It must be valid by this JSON Schema:\n"
    more = () if named and not required else (ChatMessage("system", asked + text),)
    return (*more, *messages)


def _read(answer: str, schema: Schema, read: Read) -> tuple[object, list[str], str]:
    """Return an answer's value, what is wrong with it, and that in words that quote nothing of it."""
    try:
        value = unwrapped(value_in(answer, schema.source), schema.source)
    except AnswerError as error:
        value = read(answer)
        if value is answer:
            return None, [str(error)], str(error)
    value = without_optional_nulls(read(value), schema.source)
    return value, schema.problems(value), "; ".join(schema.problems(value, masked=True))
