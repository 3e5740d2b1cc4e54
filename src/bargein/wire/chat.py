"""Text conversations: the chat (one turn), the session (what holds turns together), and how turns are streamed."""

from collections.abc import Sequence
from typing import Annotated, Literal, cast

from pydantic import Field

from bargein.wire.assistant import Assistant, AssistantOverrides
from bargein.wire.base import Bool, Integer, JsonObject, Name, WireModel
from bargein.wire.customer import Customer
from bargein.wire.errors import bad_request

SessionStatus = Literal["active", "completed"]
ExpirationSeconds = Annotated[Integer, Field(ge=60, le=2_592_000)]

DEFAULT_EXPIRATION_S = 86_400
"""A session that names no `expirationSeconds` ends a day after its last turn."""


class TextMessage(WireModel):
    """A message of a text conversation: OpenAI's shape (`content`), or that of a call's messages (`message`)."""

    role: Literal["system", "user", "assistant", "tool", "developer"]
    content: str | list[JsonObject] | None = None
    message: str | None = None

    def text(self) -> str:
        """What it says; of content in parts, the text in them."""
        if isinstance(self.content, list):
            return "".join(str(part.get("text", "")) for part in self.content)
        return self.content if self.content is not None else self.message or ""


Input = str | Annotated[list[TextMessage], Field(min_length=1)]


class _WhoAnswers(WireModel):
    assistant_id: str | None = None
    assistant: Assistant | None = None
    assistant_overrides: AssistantOverrides | None = None
    squad_id: str | None = None
    squad: JsonObject | None = None
    name: Name | None = None


class CreateChat(_WhoAnswers):
    """What `POST /chat` takes (Vapi's `CreateChatDTO`)."""

    session_id: str | None = None
    previous_chat_id: str | None = None
    input: Input
    stream: Bool | None = None
    transport: JsonObject | None = None


class CreateResponse(CreateChat):
    """What `POST /chat/responses` takes. OpenAI's clients cannot leave `model` out; the assistant's own answers."""

    model: str | None = None


class WebOverrides(WireModel):
    """What a page may lay over an assistant (Vapi's `ChatAssistantOverrides`)."""

    variable_values: JsonObject | None = None


class CreateWebChat(WireModel):
    """What `POST /chat/web` takes (Vapi's `CreateWebChatDTO`), and `previousChatId`, which its widget sends."""

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
    """What `PATCH /session/{id}` takes (Vapi's `UpdateSessionDTO`)."""

    name: Name | None = None
    status: SessionStatus | None = None
    expiration_seconds: ExpirationSeconds | None = None
    messages: list[TextMessage] | None = None


class CreateSession(_WhoAnswers):
    """What `POST /session` takes (Vapi's `CreateSessionDTO`)."""

    status: SessionStatus | None = None
    expiration_seconds: ExpirationSeconds | None = None
    messages: list[TextMessage] | None = None
    customer: Customer | None = None
    customer_id: str | None = None
    phone_number_id: str | None = None
    phone_number: JsonObject | None = None


def as_messages(given: object) -> list[JsonObject]:
    """An `input` as messages."""
    if isinstance(given, str):
        return [{"role": "user", "content": given}]
    return cast("list[JsonObject]", given)


def refuse_instructions(messages: Sequence[JsonObject]) -> None:
    """Let a page speak for the person in front of it, and for nobody else.

    Raises:
        WireError: 400.
    """
    if any(message.get("role") not in ("user", "assistant") for message in messages):
        raise bad_request("input.role must be one of the following values: user, assistant")


def delta_event(chat: JsonObject, delta: str) -> JsonObject:
    """A piece of an answer as Vapi streams it (`CreateChatStreamResponse`).

    The path is the first message's also where tool calls stand before the words: Vapi's widget shows no other.
    """
    told: JsonObject = {"id": chat["id"], "path": "chat.output[0].content", "delta": delta}
    return told | ({"sessionId": chat["sessionId"]} if "sessionId" in chat else {})


def response_of(chat: JsonObject, text: str, created_s: int, status: str = "completed") -> JsonObject:
    """A chat as OpenAI's Responses API has it (`ResponseObject`); its id can be the next one's `previousChatId`."""
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
