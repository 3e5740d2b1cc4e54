"""What the server tells a client during a call: one type for each message, as Vapi's `ClientMessage…` schemas have it.

On a socket a message is one bare JSON object in a text frame.
"""

from typing import Annotated, Literal

from pydantic import Field, SerializerFunctionWrapHandler, model_serializer

from bargein.wire.base import JsonObject, Number, WireModel
from bargein.wire.call import CallStatus

Speaker = Literal["assistant", "user"]


class UserMessage(WireModel):
    """What the caller said, in the history. Times are milliseconds since 1970, `duration` is milliseconds."""

    role: Literal["user"] = "user"
    message: str
    time: Number
    end_time: Number
    seconds_from_start: Number
    duration: Number | None = None


class BotMessage(WireModel):
    """What the assistant said, in the history; units as in `UserMessage`."""

    role: Literal["bot"] = "bot"
    message: str
    time: Number
    end_time: Number
    seconds_from_start: Number
    duration: Number | None = None
    source: str | None = None


class SystemMessage(WireModel):
    """What the assistant was told, in the history."""

    role: Literal["system"] = "system"
    message: str
    time: Number
    seconds_from_start: Number


class ToolCallMessage(WireModel):
    """Tools that the assistant called, in the history; each as OpenAI has it."""

    role: Literal["tool_calls"] = "tool_calls"
    tool_calls: list[JsonObject]
    message: str = ""
    time: Number
    seconds_from_start: Number


class ToolCallResultMessage(WireModel):
    """What a tool has answered, in the history."""

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
    """A message as OpenAI's chat API has it. One that only calls tools has a `content` of null, which is sent."""

    role: Literal["assistant", "function", "user", "system", "tool"]
    content: str | None
    tool_calls: Annotated[list[JsonObject] | None, Field(serialization_alias="tool_calls")] = None
    tool_call_id: Annotated[str | None, Field(serialization_alias="tool_call_id")] = None

    @model_serializer(mode="wrap")
    def _with_content(self, as_usual: SerializerFunctionWrapHandler) -> JsonObject:
        return {"content": None, **as_usual(self)}


_ENVELOPE = {"timestamp", "call", "assistant", "customer", "phone_number"}


class ClientMessage(WireModel):
    """What all client messages share.

    Attributes:
        timestamp: milliseconds since 1970.
        call: the call; like the next three, without secrets, and left out of high-rate messages.
        assistant: the assistant as this call runs it.
        customer: the person on the line, where known.
        phone_number: the number the call came in on or goes out from, where there is one.
    """

    timestamp: Number
    call: JsonObject | None = None
    assistant: JsonObject | None = None
    customer: JsonObject | None = None
    phone_number: JsonObject | None = None

    def to_text(self) -> str:
        """The text frame: what was not given is left out."""
        return self.model_dump_json(by_alias=True, exclude_none=True)

    def bare(self) -> JsonObject:
        """The message's own fields, without what stands around them: whoever posts it to a server puts that there."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True, exclude=_ENVELOPE)


class StatusUpdate(ClientMessage):
    """The call's status changed (fields as in `ServerMessageStatusUpdate`; Vapi has no client schema for it)."""

    type: Literal["status-update"] = "status-update"
    status: CallStatus
    ended_reason: str | None = None


class SpeechUpdate(ClientMessage):
    """One side began or ceased to speak; `turn` counts from 0."""

    type: Literal["speech-update"] = "speech-update"
    status: Literal["started", "stopped"]
    role: Speaker
    turn: Number | None = None


class Transcript(ClientMessage):
    """What one side said, as far as it is known (partial) or for good (final)."""

    type: Literal["transcript", 'transcript[transcriptType="final"]'] = "transcript"
    role: Speaker
    transcript_type: Literal["partial", "final"]
    transcript: str


class ModelOutput(ClientMessage):
    """A piece of the model's response. `output` is a string on the wire, though the schema calls it an object."""

    type: Literal["model-output"] = "model-output"
    turn_id: str | None = None
    output: str


class VoiceInput(ClientMessage):
    """Text that was handed to the voice."""

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
    """The assistant took up its work; `new_assistant` is without secrets."""

    type: Literal["assistant.started"] = "assistant.started"
    new_assistant: JsonObject


class WordProgress(WireModel):
    """How much of a turn has been spoken, in words."""

    type: Literal["word-progress"] = "word-progress"
    words_spoken: Number
    total_words: Number


class AssistantSpeech(ClientMessage):
    """The assistant is speaking `text`; sent as the words go by."""

    type: Literal["assistant.speechStarted"] = "assistant.speechStarted"
    text: str
    turn: Number | None = None
    source: Literal["model", "force-say", "custom-voice"] | None = None
    timing: WordProgress | None = None


class Hang(ClientMessage):
    """The call is stuck: the assistant has something to say and cannot."""

    type: Literal["hang"] = "hang"


class ToolCalls(ClientMessage):
    """Tools are being run.

    Attributes:
        tool_calls: is in no schema: Vapi's clients of old read it.
        tool_call_list: the calls as OpenAI has them.
        tool_with_tool_call_list: the same beside their tools, without secrets.
    """

    type: Literal["tool-calls"] = "tool-calls"
    tool_calls: list[JsonObject]
    tool_call_list: list[JsonObject]
    tool_with_tool_call_list: list[JsonObject]


class TransferUpdate(ClientMessage):
    """The call goes to somebody else; the assistants, without secrets, where it goes from one to another."""

    type: Literal["transfer-update"] = "transfer-update"
    destination: JsonObject | None = None
    to_assistant: JsonObject | None = None
    from_assistant: JsonObject | None = None


class ToolCallsResult(ClientMessage):
    """A tool has answered: `tool_call_result` is Vapi's `ToolCallResult`."""

    type: Literal["tool-calls-result"] = "tool-calls-result"
    tool_call_result: JsonObject


class ToolCompleted(ClientMessage):
    """A tool is through. Vapi names this message and has no schema for it: it holds the call and its result."""

    type: Literal["tool.completed"] = "tool.completed"
    tool_call: JsonObject
    tool_call_result: JsonObject


class UserInterrupted(ClientMessage):
    """The caller cut the assistant off.

    Attributes:
        turn_id: the model response that was cut, the same as on its `model-output` messages; None where the cut speech
            came from no model (a first message, `say`).
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
    "transfer-update": TransferUpdate,
    "tool-calls-result": ToolCallsResult,
    "tool.completed": ToolCompleted,
    "user-interrupted": UserInterrupted,
}
"""The type of each message that this server sends, by its `type` on the wire."""
