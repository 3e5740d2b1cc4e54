"""The assistant, and the overrides that a call lays over it."""

from typing import Annotated, Any, ClassVar, Literal, cast

from pydantic import AfterValidator, Field

from bargein.wire.base import Bool, JsonObject, Name, Number, WireModel
from bargein.wire.plans import ArtifactPlan, MonitorPlan, Server, StartSpeakingPlan, StopSpeakingPlan, Url
from bargein.wire.providers import AssistantModel, AssistantTranscriber, AssistantVoice

ClientMessageType = Literal[
    "conversation-update", "assistant.speechStarted", "function-call", "function-call-result", "hang",
    "language-changed", "metadata", "model-output", "speech-update", "status-update", "transcript",
    'transcript[transcriptType="final"]', "tool-calls", "tool-calls-result", "tool.completed", "transfer-update",
    "user-interrupted", "voice-input", "workflow.node.started", "assistant.started",
]  # fmt: skip
"""What a client can subscribe to. The finals-only transcript stands in Vapi's server list alone; both lists take it."""

ServerMessageType = Literal[
    "assistant.started", "assistant.speechStarted", "conversation-update", "end-of-call-report", "function-call",
    "hang", "language-changed", "language-change-detected", "model-output", "phone-call-control", "speech-update",
    "status-update", "transcript", 'transcript[transcriptType="final"]', "tool-calls", "transfer-destination-request",
    "handoff-destination-request", "transfer-update", "user-interrupted", "voice-input", "chat.created",
    "chat.deleted", "session.created", "session.updated", "session.deleted", "call.deleted", "call.delete.failed",
    "call.artifact.upload",
]  # fmt: skip

DEFAULT_CLIENT_MESSAGES: frozenset[str] = frozenset({
    "assistant.started", "conversation-update", "function-call", "hang", "model-output", "speech-update",
    "status-update", "tool-calls", "transcript", "transfer-update", "user-interrupted", "voice-input",
    "workflow.node.started",
})  # fmt: skip
"""What a client gets when `clientMessages` is not given."""

DEFAULT_SERVER_MESSAGES: frozenset[str] = frozenset({
    "assistant.started", "conversation-update", "end-of-call-report", "function-call", "handoff-destination-request",
    "hang", "speech-update", "status-update", "tool-calls", "transfer-destination-request", "user-interrupted",
})  # fmt: skip
"""What a server URL gets when `serverMessages` is not given."""

_REQUESTS = frozenset({"tool-calls", "transfer-destination-request", "handoff-destination-request"})


def _not_kept(version: str) -> str:
    raise ValueError(f"cannot be {version[:20]}: this server keeps the latest version of an assistant alone")


PinnedVersion = Annotated[str, AfterValidator(_not_kept)]
"""`assistantVersion`, which pins a call or a squad's member to a former state of an assistant. To run the latest in its
place would be to say what the owner has taken back, so it is refused.
"""

FINALS_ONLY = 'transcript[transcriptType="final"]'
"""Subscribes to final transcripts alone."""

FirstMessageMode = Literal[
    "assistant-speaks-first", "assistant-speaks-first-with-model-generated-message", "assistant-waits-for-user"
]
LongText = Annotated[str, Field(max_length=1000)]
EndCallPhrase = Annotated[str, Field(min_length=2, max_length=140)]


class _LegacyAssistant(WireModel):
    """Fields that Vapi's schema no longer names and that its clients still send."""

    silence_timeout_seconds: Annotated[Number, Field(ge=10, le=3600)] | None = None
    message_plan: JsonObject | None = None
    server_url: Url | None = None
    server_url_secret: str | None = None
    background_denoising_enabled: Bool | None = None
    recording_enabled: Bool | None = None
    response_delay_seconds: Number | None = None
    llm_request_delay_seconds: Number | None = None
    num_words_to_interrupt_assistant: Annotated[Number, Field(ge=0, le=10)] | None = None
    customer_join_timeout_seconds: Annotated[Number, Field(ge=1, le=60)] | None = None
    end_call_function_enabled: Bool | None = None
    hipaa_enabled: Bool | None = None
    smart_endpointing_enabled: Bool | Literal["livekit"] | None = None


class Assistant(_LegacyAssistant):
    """What a person talks to (Vapi's `CreateAssistantDTO`). A field that was not given is None."""

    contract: ClassVar[str | None] = "CreateAssistantDTO"

    name: Name | None = None
    transcriber: AssistantTranscriber | None = None
    model: AssistantModel | None = None
    voice: AssistantVoice | None = None
    first_message: str | None = None
    first_message_mode: FirstMessageMode | None = None
    first_message_interruptions_enabled: Bool | None = None
    client_messages: list[ClientMessageType] | None = None
    server_messages: list[ServerMessageType] | None = None
    max_duration_seconds: Annotated[Number, Field(ge=10, le=43_200)] | None = None
    end_call_message: LongText | None = None
    end_call_phrases: list[EndCallPhrase] | None = None
    voicemail_message: LongText | None = None
    voicemail_detection: JsonObject | Literal["off"] | None = None
    background_sound: str | None = None
    model_output_in_messages_enabled: Bool | None = None
    start_speaking_plan: StartSpeakingPlan | None = None
    stop_speaking_plan: StopSpeakingPlan | None = None
    monitor_plan: MonitorPlan | None = None
    artifact_plan: ArtifactPlan | None = None
    analysis_plan: JsonObject | None = None
    compliance_plan: JsonObject | None = None
    keypad_input_plan: JsonObject | None = None
    background_speech_denoising_plan: JsonObject | None = None
    observability_plan: JsonObject | None = None
    transport_configurations: list[JsonObject] | None = None
    hooks: list[JsonObject] | None = None
    credentials: list[JsonObject] | None = None
    credential_ids: list[str] | None = None
    server: Server | None = None
    metadata: JsonObject | None = None


def server_messages_of(assistant: Assistant) -> frozenset[str]:
    """What an assistant's server is told of its own accord. The requests that want an answer are made in any case."""
    asked = assistant.server_messages
    wanted = DEFAULT_SERVER_MESSAGES if asked is None else frozenset(map(str, asked))
    return wanted - _REQUESTS


class AssistantOverrides(Assistant):
    """What a call lays over its assistant (Vapi's `AssistantOverrides`)."""

    contract: ClassVar[str | None] = "AssistantOverrides"

    variable_values: JsonObject | None = None
    tools_append: Annotated[
        list[JsonObject] | None, Field(validation_alias="tools:append", serialization_alias="tools:append")
    ] = None


_SURVIVES_A_CHANGE_OF_PROVIDER = {
    "model": ("messages", "tools", "toolIds", "knowledgeBase", "temperature", "maxTokens"),
    "voice": ("chunkPlan",),
    "transcriber": (),
}
"""Of an assistant's part, what an override that names another provider leaves: never an address, key or header."""


def merge_overrides(assistant: JsonObject, overrides: JsonObject | None) -> JsonObject:
    """Lay a call's `assistantOverrides` over an assistant; neither is changed.

    Objects are merged field by field, all the way down; arrays and plain values are replaced, null takes a field
    away (RFC 7386). `tools:append` adds to the model's tools. Where model, voice or transcriber get another provider,
    only what is common to all providers stays of the old one. `variableValues` belong to the call and stay out.
    """
    laid = dict(overrides or {})
    laid.pop("variableValues", None)
    more_tools: object = laid.pop("tools:append", None)
    base = dict(assistant)
    for part, common in _SURVIVES_A_CHANGE_OF_PROVIDER.items():
        old, new = base.get(part), laid.get(part)
        if isinstance(old, dict) and isinstance(new, dict):
            old, new = cast("JsonObject", old), cast("JsonObject", new)
            if new.get("provider", old.get("provider")) != old.get("provider"):
                base[part] = {name: old[name] for name in common if name in old}
    merged = _merge(base, laid)
    if isinstance(more_tools, list) and isinstance(merged.get("model"), dict):
        model = cast("JsonObject", merged["model"])
        merged["model"] = {**model, "tools": [*(model.get("tools") or []), *cast("list[Any]", more_tools)]}
    return merged


def _merge(base: JsonObject, laid: JsonObject) -> JsonObject:
    merged = dict(base)
    for name, value in laid.items():
        old: object = merged.get(name)
        if value is None:
            merged.pop(name, None)
        elif isinstance(value, dict):
            merged[name] = _merge(cast("JsonObject", old) if isinstance(old, dict) else {}, cast("JsonObject", value))
        else:
            merged[name] = value
    return merged


_FREE = frozenset({"metadata", "variableValues", "messages", "tools", "credentials", "headers", "schema"})


def without_nulls(data: JsonObject) -> JsonObject:
    """The same object without the fields that are null, which Vapi reads as not given.

    What its owner may fill freely (metadata, tools, …) stays as it is.
    """
    kept: JsonObject = {}
    for name, value in data.items():
        if value is None:
            continue
        if name not in _FREE and isinstance(value, dict):
            kept[name] = without_nulls(cast("JsonObject", value))
        else:
            kept[name] = value
    return kept
