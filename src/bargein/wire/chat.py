"""Text conversations: the chat (one turn), the session (several turns), and the events of a streamed turn."""

from collections.abc import Sequence
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from bargein.wire.assistant import Assistant, AssistantOverrides
from bargein.wire.base import Bool, Integer, JsonObject, Name, WireModel
from bargein.wire.customer import Customer
from bargein.wire.errors import bad_request
from bargein.wire.json import as_objects
from bargein.wire.squad import Squad

SessionStatus = Literal["active", "completed"]
ExpirationSeconds = Annotated[Integer, Field(ge=60, le=2_592_000)]

DEFAULT_EXPIRATION_S = 86_400
"""A session without `expirationSeconds` ends a day after its last turn."""


class TextMessage(WireModel):
    """A message of a text conversation: OpenAI's shape (`content`), or that of a call's messages (`message`)."""

    role: Literal["system", "user", "assistant", "tool", "developer"]
    content: str | list[JsonObject] | None = None
    message: str | None = None

    def text(self) -> str:
        """Return the message's text; of content in parts, the text of all parts."""
        if isinstance(self.content, list):
            return "".join(str(part.get("text", "")) for part in self.content)
        return self.content if self.content is not None else self.message or ""


Input = str | Annotated[list[TextMessage], Field(min_length=1)]


class _ChatParticipants(WireModel):
    assistant_id: str | None = None
    assistant: Assistant | None = None
    assistant_overrides: AssistantOverrides | None = None
    squad_id: str | None = None
    squad: Squad | None = None
    name: Name | None = None


class CreateChat(_ChatParticipants):
    """The body of `POST /chat` (Vapi's `CreateChatDTO`)."""

    contract: ClassVar[str | None] = "CreateChatDTO"
    wider_fields: ClassVar[frozenset[str]] = frozenset({"input"})

    session_id: str | None = None
    previous_chat_id: str | None = None
    input: Input
    stream: Bool | None = None
    transport: JsonObject | None = None


class CreateResponse(CreateChat):
    """The body of `POST /chat/responses`. OpenAI's clients must send `model`; the assistant's model is used."""

    model: str | None = None


class WebOverrides(WireModel):
    """Overrides that a web page may send (Vapi's `ChatAssistantOverrides`)."""

    variable_values: JsonObject | None = None


class CreateWebChat(WireModel):
    """The body of `POST /chat/web` (Vapi's `CreateWebChatDTO`), with `previousChatId`, which Vapi's widget sends."""

    contract: ClassVar[str | None] = "CreateWebChatDTO"
    wider_fields: ClassVar[frozenset[str]] = frozenset({"input"})

    assistant_id: str | None = None
    assistant: Assistant | None = None
    assistant_overrides: WebOverrides | None = None
    session_id: str | None = None
    session_expiration_seconds: ExpirationSeconds | None = None
    session_end: Bool | None = None
    previous_chat_id: str | None = None
    customer: Customer | None = None
    input: Input
    stream: Bool | None = None


class UpdateSession(WireModel):
    """The body of `PATCH /session/{id}` (Vapi's `UpdateSessionDTO`)."""

    contract: ClassVar[str | None] = "UpdateSessionDTO"
    wider_fields: ClassVar[frozenset[str]] = frozenset({"messages"})

    name: Name | None = None
    status: SessionStatus | None = None
    expiration_seconds: ExpirationSeconds | None = None
    messages: list[TextMessage] | None = None


class CreateSession(_ChatParticipants):
    """The body of `POST /session` (Vapi's `CreateSessionDTO`)."""

    contract: ClassVar[str | None] = "CreateSessionDTO"
    wider_fields: ClassVar[frozenset[str]] = frozenset({"messages"})

    status: SessionStatus | None = None
    expiration_seconds: ExpirationSeconds | None = None
    messages: list[TextMessage] | None = None
    customer: Customer | None = None
    customer_id: str | None = None
    phone_number_id: str | None = None
    phone_number: JsonObject | None = None


def input_messages(value: object) -> list[JsonObject]:
    """Return an `input`, already validated, as messages."""
    if isinstance(value, str):
        return [{"role": "user", "content": value}]
    return as_objects(value)


def check_web_roles(messages: Sequence[JsonObject]) -> None:
    """Check that a web page sends only messages of the user and the assistant, and no instructions.

    Raises:
        WireError: 400, if a message has another role.
    """
    if any(message.get("role") not in ("user", "assistant") for message in messages):
        raise bad_request("input.role must be one of the following values: user, assistant")


def delta_event(chat: JsonObject, delta: str) -> JsonObject:
    """Return the event for a piece of a streamed answer (Vapi's `CreateChatStreamResponse`).

    The path is always that of the first message, also after tool calls, since Vapi's widget shows no other.
    """
    event: JsonObject = {"id": chat["id"], "path": "chat.output[0].content", "delta": delta}
    return event | ({"sessionId": chat["sessionId"]} if "sessionId" in chat else {})


def openai_response(chat: JsonObject, text: str, created_s: int, status: str = "completed") -> JsonObject:
    """Return a chat as a `ResponseObject` of OpenAI's Responses API; its id can be the next `previousChatId`."""
    part: JsonObject = {"type": "output_text", "text": text, "annotations": []}
    message: JsonObject = {
        "id": f"msg_{chat['id']}",
        "type": "message",
        "role": "assistant",
        "status": status,
        "content": [part],
    }
    return {
        "id": chat["id"],
        "object": "response",
        "created_at": created_s,
        "status": status,
        "error": None,
        "output": [message] if status == "completed" else [],
    }
