"""A language model, and what it reads."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from bargein.ports.tools import ToolCall
from bargein.wire.base import JsonObject

Role = Literal["system", "user", "assistant", "tool"]


@dataclass(frozen=True, slots=True)
class ChatMessage:
    """One message of the conversation, as a model wants it.

    Attributes:
        role: who speaks.
        content: the text; empty where an assistant only called tools.
        tool_calls: the tools that this message of the assistant called; the results follow it.
        tool_call_id: of a message of the role tool: the call that it answers.
    """

    role: Role
    content: str
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: str | None = None


class Model(Protocol):
    """A language model."""

    def reply(self, messages: Sequence[ChatMessage], tools: Sequence[JsonObject] = ()) -> AsyncIterator[str | ToolCall]:
        """Answer the conversation, yielding the text in pieces as they come, and each tool call once it is complete.

        Closing the iterator stops the work.

        Args:
            messages: the conversation.
            tools: what the model may call, as OpenAI declares functions (`{"type": "function", "function": {…}}`).

        Raises:
            ProviderError: the model failed, also after some pieces.
        """
        ...
