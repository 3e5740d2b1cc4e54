"""The tools of a chat: their declarations for the model, and their results without a live call."""

from collections.abc import Sequence

import anyio

from bargein.call.tools.declarations import ToolDeclarations, is_builtin, timeout_s
from bargein.ports import ToolCall, ToolRunner
from bargein.wire.base import JsonObject

MAX_ROUNDS = 8
"""Rounds of tool calls in one chat, after which the model gets no tools and must answer in words."""
_MAX_CALLS = 16
_MAX_CHARS = 10_000
"""The longest content of a message in Vapi's schema."""

_NEEDS_A_CALL = "Not run: this tool needs a call, and this is a conversation in text. Go on without it."
_UNKNOWN = "Not run: there is no such tool."
_TOO_LONG = "Not finished within {:g} s."
_TOO_MANY = "Not run: too many tools were called at once."


class ChatTools:
    """The tools of one chat.

    Args:
        tools: the assistant's, expanded.
        runner: runs those that need no call.
    """

    def __init__(self, tools: Sequence[JsonObject], runner: ToolRunner) -> None:
        self._declared = ToolDeclarations(tools)
        self._runner = runner

    @property
    def declarations(self) -> tuple[JsonObject, ...]:
        """The tools that the model may call, as OpenAI declares functions."""
        return self._declared.declarations

    async def run(self, calls: Sequence[ToolCall]) -> list[JsonObject]:
        """Run tool calls concurrently; return a message of the role `tool` for each, in order. Raises no error."""
        texts = dict.fromkeys(range(len(calls)), _TOO_MANY)

        async def answer(index: int, call: ToolCall) -> None:
            texts[index] = await self._answer(call)

        async with anyio.create_task_group() as tasks:
            for index, call in enumerate(calls[:_MAX_CALLS]):
                tasks.start_soon(answer, index, call)
        return [
            {"role": "tool", "tool_call_id": call.id, "name": call.name[:40], "content": texts[index][:_MAX_CHARS]}
            for index, call in enumerate(calls)
        ]

    async def _answer(self, call: ToolCall) -> str:
        tool = self._declared.find(call.name)
        if tool is None:
            return _UNKNOWN
        if is_builtin(tool):
            return _NEEDS_A_CALL
        seconds = timeout_s(tool)
        with anyio.move_on_after(seconds):
            return (await self._runner.run(tool, call)).text
        return _TOO_LONG.format(seconds)

    def close(self) -> None:
        """Close the tool runner. Called when the chat is answered."""
        self._runner.close()
