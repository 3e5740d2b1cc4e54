"""Answers of Claude that are held to a schema: the arguments of a tool that it has to call."""

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing
from dataclasses import replace
from typing import cast

from typing_extensions import override

from bargein.ports import ChatMessage, Model, ToolCall
from bargein.providers.anthropic.messages import MessagesOptions
from bargein.wire.base import JsonObject


class ArgumentsModel(Model):
    """A model whose answer is the arguments of the tool that it calls.

    Args:
        model: the model, with options of `held_options`.
    """

    def __init__(self, model: Model) -> None:
        self._model = model

    @override
    async def reply(
        self, messages: Sequence[ChatMessage], tools: Sequence[JsonObject] = ()
    ) -> AsyncIterator[str | ToolCall]:
        async with aclosing(cast("AsyncGenerator[str | ToolCall]", self._model.reply(messages, tools))) as pieces:
            async for piece in pieces:
                if isinstance(piece, ToolCall):
                    yield piece.arguments

    @override
    async def run(self) -> None:
        await self._model.run()


def held_options(options: MessagesOptions, schema: JsonObject) -> MessagesOptions:
    """Return the options of requests whose answers are held to a schema."""
    return replace(options, answer_schema=schema, thinking_tokens=None)
