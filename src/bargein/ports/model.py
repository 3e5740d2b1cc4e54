"""A language model and its messages."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, runtime_checkable

from bargein.ports.tools import ToolCall
from bargein.wire.base import JsonObject

Role = Literal["system", "user", "assistant", "tool"]

UNANSWERED = "What you said last did not answer the messages before it. Answer them now."
"""The system message behind a conversation that ends with words of the assistant although an answer is due.

The assistant was made to say something meanwhile (a `say`, a tool's message). Models take a conversation that ends with
their own words for one that needs no answer, and several vendors refuse it.
"""


@dataclass(frozen=True, slots=True)
class ChatMessage:
    """One message of the conversation for a model.

    Attributes:
        role: the role.
        content: the text; empty if the assistant only called tools.
        tool_calls: the tool calls of a message of the assistant; their results follow it.
        tool_call_id: the tool call that a message of the role `tool` answers.
    """

    role: Role
    content: str
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: str | None = None


class Model(Protocol):
    """A language model."""

    def reply(self, messages: Sequence[ChatMessage], tools: Sequence[JsonObject] = ()) -> AsyncIterator[str | ToolCall]:
        """Yield the answer: its text in pieces as they come, and each tool call once it is complete.

        Closing the iterator cancels the request.

        Args:
            messages: the conversation.
            tools: the tools that the model may call, as OpenAI declares functions
                (`{"type": "function", "function": {…}}`).

        Raises:
            ProviderError: the model failed, also after some pieces.
        """
        ...

    async def run(self) -> None:
        """Keep the connections that the model needs ready during a call, until cancelled.

        Returns at once if there are none. A connection that cannot be opened is no error here: it is opened when it is
        needed, and fails then.
        """


@runtime_checkable
class SchemaModel(Protocol):
    """A language model whose vendor can hold its answers to a JSON Schema."""

    def held_to(self, schema: JsonObject) -> Model | None:
        """Return the model with answers that are JSON of a schema; None: this one cannot be held to any.

        Vendors know parts of JSON Schema only, so an answer is valid by most of it, and must be checked all the same.

        Args:
            schema: the schema, of objects: vendors accept no others.
        """
        ...
