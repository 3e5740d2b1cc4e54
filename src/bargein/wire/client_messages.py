"""Messages of the server to a client during a call, one type for each of Vapi's `ClientMessage…` schemas.

On a socket a message is one JSON object in a text frame, without an envelope.
"""

from typing import Annotated, Literal

from pydantic import Field, SerializerFunctionWrapHandler, model_serializer
from pydantic_core import to_json

from bargein.wire.base import JsonObject, Number, WireModel
from bargein.wire.call import CallStatus

Speaker = Literal["assistant", "user"]


class UserMessage(WireModel):
    """The caller's words in the history. Times are milliseconds since 1970, `duration` is milliseconds."""

    role: Literal["user"] = "user"
    message: str
    time: Number
    end_time: Number
    seconds_from_start: Number
    duration: Number | None = None


class BotMessage(WireModel):
    """The assistant's words in the history; units as in `UserMessage`."""

    role: Literal["bot"] = "bot"
    message: str
    time: Number
    end_time: Number
    seconds_from_start: Number
    duration: Number | None = None
    source: str | None = None


class SystemMessage(WireModel):
    """An instruction to the assistant in the history."""

    role: Literal["system"] = "system"
    message: str
    time: Number
    seconds_from_start: Number


class ToolCallMessage(WireModel):
    """Tool calls of the assistant in the history, in OpenAI's format."""

    role: Literal["tool_calls"] = "tool_calls"
    tool_calls: list[JsonObject]
    message: str = ""
    time: Number
    seconds_from_start: Number


class ToolCallResultMessage(WireModel):
    """The result of a tool in the history."""

    role: Literal["tool_call_result"] = "tool_call_result"
    tool_call_id: str
    name: str
    result: str
    time: Number
    seconds_from_start: Number
    metadata: JsonObject | None = None


HistoryMessage = Annotated[
    UserMessage | BotMessage | SystemMessage | ToolCallMessage | ToolCallResultMessage, Field(discriminator="role")
]


class ChatEntry(WireModel):
    """A message of OpenAI's chat API. One with only tool calls has a `content` of null, which is sent."""

    role: Literal["assistant", "function", "user", "system", "tool"]
    content: str | None
    tool_calls: Annotated[
        list[JsonObject] | None, Field(validation_alias="tool_calls", serialization_alias="tool_calls")
    ] = None
    tool_call_id: Annotated[str | None, Field(validation_alias="tool_call_id", serialization_alias="tool_call_id")] = (
        None
    )

    @model_serializer(mode="wrap")
    def _with_content(self, serialize: SerializerFunctionWrapHandler) -> JsonObject:
        return {"content": None, **serialize(self)}


_ENVELOPE = {"timestamp", "call", "assistant", "customer", "phone_number"}


def envelope_text(**parts: JsonObject | None) -> str:
    """Return an envelope as JSON text for `ClientMessage.to_text`.

    Args:
        parts: `call`, `assistant`, `customer` and `phoneNumber`, as clients see them; None: the call has none.
    """
    return to_json({name: part for name, part in parts.items() if part is not None}).decode()


class ClientMessage(WireModel):
    """The base of all client messages.

    Attributes:
        timestamp: milliseconds since 1970.
        call: the call; like the next three, as clients see it (`bargein.wire.client_view`), and absent from high-rate
            messages.
        assistant: the assistant with this call's overrides.
        customer: the customer, if known.
        phone_number: the number that was called or that the call is made from, if any.
    """

    timestamp: Number
    call: JsonObject | None = None
    assistant: JsonObject | None = None
    customer: JsonObject | None = None
    phone_number: JsonObject | None = None

    def to_text(self, envelope: str = "{}") -> str:
        """Return the text frame, without fields that are None.

        Args:
            envelope: the envelope (`envelope_text`), if the message itself has none. A long one is written once for
                many messages.
        """
        own = self.model_dump_json(by_alias=True, exclude_none=True)
        return own if envelope == "{}" else f"{own[:-1]},{envelope[1:]}"

    def without_envelope(self) -> JsonObject:
        """Return the message's own fields; the sender to a server URL adds the envelope."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True, exclude=_ENVELOPE)


class StatusUpdate(ClientMessage):
    """The call's status changed (fields as in `ServerMessageStatusUpdate`; Vapi has no client schema for it).

    Attributes:
        destination: the number or SIP address that a call with the status `forwarding` goes to.
    """

    type: Literal["status-update"] = "status-update"
    status: CallStatus
    ended_reason: str | None = None
    destination: JsonObject | None = None


class SpeechUpdate(ClientMessage):
    """One side began or stopped speaking; `turn` counts from 0."""

    type: Literal["speech-update"] = "speech-update"
    status: Literal["started", "stopped"]
    role: Speaker
    turn: Number | None = None


class Transcript(ClientMessage):
    """A partial or final transcript of one side's words."""

    type: Literal["transcript", 'transcript[transcriptType="final"]'] = "transcript"
    role: Speaker
    transcript_type: Literal["partial", "final"]
    transcript: str


class ModelOutput(ClientMessage):
    """A piece of the model's response. `output` is a string, although Vapi's schema declares an object."""

    type: Literal["model-output"] = "model-output"
    turn_id: str | None = None
    output: str


class VoiceInput(ClientMessage):
    """Text that was sent to the voice."""

    type: Literal["voice-input"] = "voice-input"
    input: str


class ConversationUpdate(ClientMessage):
    """The history changed. `conversation` is in no schema: Vapi's iOS client reads it."""

    type: Literal["conversation-update"] = "conversation-update"
    conversation: list[ChatEntry]
    messages: list[HistoryMessage]
    messages_openai_formatted: Annotated[
        list[ChatEntry],
        Field(validation_alias="messagesOpenAIFormatted", serialization_alias="messagesOpenAIFormatted"),
    ]


class AssistantStarted(ClientMessage):
    """An assistant started or took over; `new_assistant` is without secrets."""

    type: Literal["assistant.started"] = "assistant.started"
    new_assistant: JsonObject


class WordProgress(WireModel):
    """Progress of a turn's speech, in words."""

    type: Literal["word-progress"] = "word-progress"
    words_spoken: Number
    total_words: Number


class AssistantSpeech(ClientMessage):
    """The assistant is speaking `text`; sent repeatedly with the progress in words."""

    type: Literal["assistant.speechStarted"] = "assistant.speechStarted"
    text: str
    turn: Number | None = None
    source: Literal["model", "force-say", "custom-voice"] | None = None
    timing: WordProgress | None = None


class Hang(ClientMessage):
    """The assistant has something to say, but its model or voice does not answer."""

    type: Literal["hang"] = "hang"


class ToolCalls(ClientMessage):
    """Tools are being run.

    Attributes:
        tool_calls: the calls; in no schema, but read by Vapi's older clients.
        tool_call_list: the calls (`bargein.wire.tools.told_call`).
        tool_with_tool_call_list: the calls with their tools, without secrets.
    """

    type: Literal["tool-calls"] = "tool-calls"
    tool_calls: list[JsonObject]
    tool_call_list: list[JsonObject]
    tool_with_tool_call_list: list[JsonObject]


class FunctionCall(ClientMessage):
    """A function tool is being run: the message that came before `tool-calls`, one for each call.

    Vapi lists it among the messages that can be asked for, and has no schema for it any more.

    Attributes:
        function_call: the `name` of the function and its `parameters`, an object.
    """

    type: Literal["function-call"] = "function-call"
    function_call: JsonObject


class TransferUpdate(ClientMessage):
    """The call is transferred or handed over; the assistants, without secrets, if it goes from one to another."""

    type: Literal["transfer-update"] = "transfer-update"
    destination: JsonObject | None = None
    to_assistant: JsonObject | None = None
    from_assistant: JsonObject | None = None


class ToolCallsResult(ClientMessage):
    """A tool returned its result, Vapi's `ToolCallResult`."""

    type: Literal["tool-calls-result"] = "tool-calls-result"
    tool_call_result: JsonObject


class ToolCompleted(ClientMessage):
    """A tool call completed: the call and its result. Vapi names this message and has no schema for it."""

    type: Literal["tool.completed"] = "tool.completed"
    tool_call: JsonObject
    tool_call_result: JsonObject


class UserInterrupted(ClientMessage):
    """The caller interrupted the assistant.

    Attributes:
        turn_id: the `turnId` of the model response that was cut, as in its `model-output` messages; None for speech
            without a model turn (a first message, `say`).
    """

    type: Literal["user-interrupted"] = "user-interrupted"
    turn_id: str | None = None


CLIENT_MESSAGES: dict[str, type[ClientMessage]] = {
    "status-update": StatusUpdate,
    "speech-update": SpeechUpdate,
    "transcript": Transcript,
    "model-output": ModelOutput,
    "voice-input": VoiceInput,
    "conversation-update": ConversationUpdate,
    "assistant.started": AssistantStarted,
    "assistant.speechStarted": AssistantSpeech,
    "hang": Hang,
    "tool-calls": ToolCalls,
    "function-call": FunctionCall,
    "transfer-update": TransferUpdate,
    "tool-calls-result": ToolCallsResult,
    "tool.completed": ToolCompleted,
    "user-interrupted": UserInterrupted,
}
"""The types of all messages that this server sends to clients, by their `type`."""
