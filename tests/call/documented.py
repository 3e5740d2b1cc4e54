"""The fields of server messages that Vapi's documentation names, and a walker that reads them all as a receiver would.

A receiver that follows the documentation reads `message.call.customer.number` without a check for undefined. So a field
that is missing, or null, is an error here, whatever the schema says about it being optional.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from bargein.wire.json import as_list_or_none, as_object

CALL = (
    "call.id", "call.orgId", "call.createdAt", "call.updatedAt", "call.type", "call.status",
)  # fmt: skip
"""The call in every message, frequent ones too."""
MONITOR = ("call.monitor.controlUrl", "call.monitor.listenUrl")
"""Live call control: receivers of tool calls post to the address."""
PHONE = (
    "phoneNumber.id", "phoneNumber.number", "phoneNumber.provider", "customer.number", "call.phoneNumberId",
    "call.phoneNumber.number", "call.customer.number", "call.phoneCallProvider", "call.phoneCallProviderId",
    "call.phoneCallTransport", "call.transport.provider",
)  # fmt: skip
"""Fields that a telephone call adds to each message with an envelope."""
STORED = ("assistant.id", "call.assistantId")
"""Fields that a message with an envelope adds for an assistant that is stored: receivers of many tenants go by it."""
ASSISTANT = ("assistant.name", "assistant.model.provider", "assistant.voice.provider", "assistant.transcriber.provider")
HISTORY = (
    "messages[].role", "messages[].time", "messages[].secondsFromStart", "messages[role=user].message",
    "messages[role=user].endTime", "messages[role=user].duration", "messages[role=bot].message",
    "messages[role=bot].endTime", "messages[role=bot].duration",
)  # fmt: skip
FORMATTED = ("messagesOpenAIFormatted[].role", "messagesOpenAIFormatted[role=user].content")


def under(prefix: str, paths: Iterable[str]) -> tuple[str, ...]:
    """Return the paths below another one."""
    return tuple(f"{prefix}.{path}" for path in paths)


TOOL_CALLS = (
    "toolCallList[].id", "toolCallList[].name", "toolCallList[].type", "toolCallList[].function.name",
    "toolCallList[].arguments.number", "toolCallList[].parameters.number",
    "toolCallList[].function.arguments.number", "toolCalls[].id", "toolCalls[].type", "toolCalls[].function.name",
    "toolCalls[].function.arguments.number", "toolWithToolCallList[].type", "toolWithToolCallList[].name",
    "toolWithToolCallList[].function.name", "toolWithToolCallList[].toolCall.id",
    "toolWithToolCallList[].toolCall.type", "toolWithToolCallList[].toolCall.function.name",
    "toolWithToolCallList[].toolCall.function.arguments.number",
    "toolWithToolCallList[].toolCall.parameters.number",
)  # fmt: skip
"""Of a tool with the argument `number`."""
REPORT = (
    "endedReason", "startedAt", "endedAt", "cost", "costs", "costBreakdown", "analysis", "transcript", "recordingUrl",
    "stereoRecordingUrl", "durationMs", "durationSeconds", "durationMinutes", "summary", "call.endedReason",
    *HISTORY, *under("artifact", HISTORY), *under("artifact", FORMATTED), "artifact.transcript",
    "artifact.recordingUrl", "artifact.stereoRecordingUrl", "artifact.recording.stereoUrl",
    "artifact.recording.mono.combinedUrl", "artifact.recording.mono.assistantUrl",
    "artifact.recording.mono.customerUrl", "artifact.logUrl", "artifact.assistantActivations[].assistantName",
    "artifact.variableValues", "artifact.presignedMonoUrl", "artifact.presignedStereoUrl",
    "artifact.presignedAssistantUrl", "artifact.presignedCustomerUrl", "artifact.presignedLogUrl",
    "artifact.presignedUrlsExpiresAt", "artifact.performanceMetrics.turnLatencies[].modelLatency",
    "artifact.performanceMetrics.turnLatencies[].turnLatency", "artifact.performanceMetrics.numUserInterrupted",
    "artifact.performanceMetrics.numAssistantInterrupted",
)  # fmt: skip
ARTIFACT = ("artifact.messages", "artifact.messagesOpenAIFormatted")
"""The call so far, in each message with an envelope that comes once or a few times in a turn."""
TRANSCRIPT = ("role", "transcriptType", "transcript", "isFiltered", "detectedThreats", "originalTranscript")
CHAT = ("chat.id", "chat.orgId", "chat.createdAt", "chat.updatedAt", "chat.input", "chat.output[].role",
        "chat.output[].content", "chat.messages[].role", "chat.messages[].content")  # fmt: skip
SESSION = ("session.id", "session.orgId", "session.createdAt", "session.updatedAt", "session.status")

FIELDS: Mapping[str, tuple[str, ...]] = {
    "assistant-request": (*CALL, *ARTIFACT),
    "status-update": (*CALL, *MONITOR, *ASSISTANT, *ARTIFACT, "status"),
    "assistant.started": (*CALL, *MONITOR, *ASSISTANT, *ARTIFACT, "newAssistant.name"),
    "conversation-update": (*CALL, *MONITOR, *ASSISTANT, "messages", "messagesOpenAIFormatted"),
    "speech-update": (*CALL, *MONITOR, *ASSISTANT, "status", "role", "turn"),
    "transcript": (*CALL, *TRANSCRIPT),
    'transcript[transcriptType="final"]': (*CALL, *MONITOR, *ASSISTANT, *TRANSCRIPT),
    "model-output": (*CALL, "output", "turnId"),
    "voice-input": (*CALL, "input"),
    "assistant.speechStarted": (
        *CALL, "text", "turn", "source", "timing.type", "timing.wordsSpoken", "timing.totalWords",
    ),
    "user-interrupted": (*CALL, *MONITOR, *ASSISTANT, *ARTIFACT, "turnId"),
    "hang": (*CALL, *MONITOR, *ASSISTANT, *ARTIFACT),
    "tool-calls": (*CALL, *MONITOR, *ASSISTANT, *ARTIFACT, *under("artifact", FORMATTED), *TOOL_CALLS),
    "function-call": (*CALL, *MONITOR, *ASSISTANT, "functionCall.name", "functionCall.parameters.number"),
    "transfer-destination-request": (*CALL, *MONITOR, *ASSISTANT, *ARTIFACT, "functionCall.name",
                                     "functionCall.parameters"),
    "handoff-destination-request": (*CALL, *MONITOR, *ASSISTANT, *ARTIFACT, "parameters"),
    "transfer-update": (*CALL, *MONITOR, *ASSISTANT, *ARTIFACT, "destination.type"),
    "phone-call-control": (*CALL, *MONITOR, *ASSISTANT, *ARTIFACT, "request"),
    "call.endpointing.request": (*CALL, *ASSISTANT, "messagesOpenAIFormatted[].role",
                                 "messagesOpenAIFormatted[].content"),
    "voice-request": (*CALL, "assistant.name", "text", "sampleRate"),
    "end-of-call-report": (*CALL, *MONITOR, *ASSISTANT, *REPORT),
    "chat.created": ("assistant.name", *CHAT),
    "chat.deleted": ("assistant.name", *CHAT),
    "session.created": ("assistant.name", "customer.name", *SESSION),
    "session.updated": ("assistant.name", "customer.name", *SESSION),
    "session.deleted": ("assistant.name", "customer.name", *SESSION),
    "call.deleted": CALL,
    "call.delete.failed": CALL,
}  # fmt: skip
"""By the type of a message, besides `type` and `timestamp`."""
FREQUENT = frozenset({"model-output", "voice-input", "assistant.speechStarted"})
"""Messages without an envelope; as partial transcripts they come many times a second."""


class UndefinedFieldError(AssertionError):
    """A receiver would have read an undefined field."""


def read(message: Mapping[str, Any], path: str) -> list[Any]:
    """Return the values at a path; `[]` stands for each item of a list, `[name=value]` for each with that field.

    Raises:
        UndefinedFieldError: a value on the way is missing or null.
    """
    found: list[Any] = [message]
    for step in path.split("."):
        name, _, selection = step.partition("[")
        found = [value for one in found for value in _step(one, name, selection, path)]
    return found


def _step(value: Any, name: str, selection: str, path: str) -> Iterator[Any]:
    inner: Any = as_object(value).get(name)
    if inner is None:
        raise UndefinedFieldError(f"{path}: there is no {name}")
    if not selection:
        yield inner
        return
    field, _, wanted = selection.removesuffix("]").partition("=")
    items = as_list_or_none(inner)
    if items is None:
        raise UndefinedFieldError(f"{path}: {name} is not a list")
    yield from (item for item in items if not field or as_object(item).get(field) == wanted)


def undefined(message: Mapping[str, Any], more: Sequence[str] = ()) -> list[str]:
    """Return the documented fields that a message lacks.

    Args:
        message: a server message.
        more: what the message adds because of the kind of its call, for one with an envelope.
    """
    kind = message["type"]
    frequent = kind in FREQUENT or message.get("transcriptType") == "partial"
    wanted = ["type", "timestamp", *FIELDS[kind], *(() if frequent else more)]
    lacking: list[str] = []
    for path in dict.fromkeys(wanted):
        try:
            read(message, path)
        except UndefinedFieldError:
            lacking.append(path)
    return lacking
