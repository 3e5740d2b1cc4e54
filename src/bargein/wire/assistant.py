"""The assistant, and the overrides that a call applies to it."""

from collections.abc import Sequence
from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, Field

from bargein.wire.base import Bool, JsonObject, Name, Number, WireModel
from bargein.wire.endpointing_rules import usable_rules
from bargein.wire.json import as_list_or_none, as_object, as_object_or_none, as_objects
from bargein.wire.ownership import Author, separated, without_credentials_of_moved
from bargein.wire.plans import (
    MOST_HOOKS,
    MOST_PHRASES,
    ArtifactPlan,
    MonitorPlan,
    Server,
    StartSpeakingPlan,
    StopSpeakingPlan,
    Url,
)
from bargein.wire.providers import AssistantModel, AssistantTranscriber, AssistantVoice

ClientMessageType = Literal[
    "conversation-update", "assistant.speechStarted", "function-call", "function-call-result", "hang",
    "language-changed", "metadata", "model-output", "speech-update", "status-update", "transcript",
    'transcript[transcriptType="final"]', "tool-calls", "tool-calls-result", "tool.completed", "transfer-update",
    "user-interrupted", "voice-input", "workflow.node.started", "assistant.started",
]  # fmt: skip
"""Messages that a client can subscribe to. Vapi has the finals-only transcript in its server list only."""

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
"""The client's subscription if `clientMessages` is not given."""

DEFAULT_SERVER_MESSAGES: frozenset[str] = frozenset({
    "assistant.started", "conversation-update", "end-of-call-report", "function-call", "handoff-destination-request",
    "hang", "speech-update", "status-update", "tool-calls", "transfer-destination-request", "user-interrupted",
})  # fmt: skip
"""The server URL's subscription if `serverMessages` is not given."""

_REQUESTS = frozenset({"tool-calls", "transfer-destination-request", "handoff-destination-request"})


def _refuse_version(version: str) -> str:
    raise ValueError(f"cannot be {version[:20]}: this server keeps only the latest version of an assistant")


PinnedVersion = Annotated[str, AfterValidator(_refuse_version)]
"""`assistantVersion`, which pins a call or a squad member to an earlier version of an assistant.

It is refused, because running the latest version instead could say what the owner has removed.
"""

FINALS_ONLY = 'transcript[transcriptType="final"]'
"""Subscribes to final transcripts only."""

FirstMessageMode = Literal[
    "assistant-speaks-first", "assistant-speaks-first-with-model-generated-message", "assistant-waits-for-user"
]
LongText = Annotated[str, Field(max_length=1000)]
EndCallPhrase = Annotated[str, Field(min_length=2, max_length=140)]


class _LegacyAssistant(WireModel):
    """Fields that Vapi's schema no longer has and that its clients still send."""

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
    """An assistant (Vapi's `CreateAssistantDTO`). A field that was not given is None."""

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
    end_call_phrases: Annotated[list[EndCallPhrase], Field(max_length=MOST_PHRASES)] | None = None
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
    hooks: Annotated[list[JsonObject], Field(max_length=MOST_HOOKS)] | None = None
    credentials: list[JsonObject] | None = None
    credential_ids: list[str] | None = None
    server: Server | None = None
    metadata: JsonObject | None = None


def within_limits(assistant: JsonObject) -> JsonObject:
    """Return a stored assistant without what exceeds the limits on rules, phrases and hooks.

    New assistants are refused then. One that was stored before the limits is run, as far as they go.
    """
    kept = dict(assistant)
    start, stop = as_object(assistant.get("startSpeakingPlan")), as_object(assistant.get("stopSpeakingPlan"))
    rules = as_list_or_none(start.get("customEndpointingRules"))
    if rules is not None:
        kept["startSpeakingPlan"] = {**start, "customEndpointingRules": usable_rules(rules)}
    if stop:
        kept["stopSpeakingPlan"] = {**stop, **_shortened(stop, "acknowledgementPhrases", "interruptionPhrases")}
    hooks = as_list_or_none(assistant.get("hooks"))
    if hooks is not None:
        kept["hooks"] = hooks[:MOST_HOOKS]
    return {**kept, **_shortened(assistant, "endCallPhrases")}


def _shortened(given: JsonObject, *names: str) -> JsonObject:
    lists = {name: as_list_or_none(given.get(name)) for name in names}
    return {name: found[:MOST_PHRASES] for name, found in lists.items() if found is not None}


FUNCTION_CALL = "function-call"
"""The older form of `tool-calls`. Vapi's default lists have both; here it is for those who name it themselves.

A receiver that reads both would run each tool twice.
"""


def client_messages_of(assistant: Assistant) -> frozenset[str]:
    """Return the messages that an assistant's clients subscribe to."""
    given = assistant.client_messages
    return DEFAULT_CLIENT_MESSAGES - {FUNCTION_CALL} if given is None else frozenset(map(str, given))


def server_messages_of(assistant: Assistant) -> frozenset[str]:
    """Return the messages that an assistant's server subscribes to; requests are sent without a subscription."""
    given = assistant.server_messages
    if given is None:
        return DEFAULT_SERVER_MESSAGES - _REQUESTS - {FUNCTION_CALL}
    subscribed = frozenset(map(str, given)) - _REQUESTS
    return subscribed - {FUNCTION_CALL} if asks_by_function_call(given) else subscribed


def asks_by_function_call(server_messages: Sequence[str] | None) -> bool:
    """Return whether a server is asked to run functions by `function-call`: it subscribes to that and not `tool-calls`.

    Args:
        server_messages: the assistant's `serverMessages`; None: the defaults.
    """
    asked = frozenset(map(str, server_messages or ()))
    return FUNCTION_CALL in asked and "tool-calls" not in asked


class AssistantOverrides(Assistant):
    """Changes to an assistant for one call (Vapi's `AssistantOverrides`)."""

    contract: ClassVar[str | None] = "AssistantOverrides"

    variable_values: JsonObject | None = None
    tools_append: Annotated[
        list[JsonObject] | None, Field(validation_alias="tools:append", serialization_alias="tools:append")
    ] = None


_KEPT_ON_PROVIDER_CHANGE = {
    "model": ("messages", "tools", "toolIds", "knowledgeBase", "temperature", "maxTokens"),
    "voice": ("chunkPlan",),
    "transcriber": (),
}
"""Fields that are kept if an override changes the provider of a part: never a URL, key or header."""


_COMPLIANCE = frozenset({"compliancePlan", "hipaaEnabled"})


def merge_overrides(assistant: JsonObject, overrides: JsonObject | None, author: Author = "owner") -> JsonObject:
    """Return an assistant with a call's `assistantOverrides` applied; neither argument is changed.

    Objects are merged field by field at every level; arrays and plain values are replaced, null removes a field (RFC
    7386). `tools:append` adds to the model's tools. If model, voice or transcriber change their provider, only the
    fields that all providers have in common are kept. `variableValues` belong to the call and are not merged. Secrets
    stay with their addresses (`bargein.wire.ownership`); a caller's `credentials` are added to the owner's. A caller
    may ask for a private call (`compliancePlan`), and cannot undo that the owner does.

    Args:
        assistant: the assistant; the objects in it that a caller wrote are marked.
        overrides: the overrides; those of a caller are marked, too.
        author: who wrote the overrides.
    """
    changes = dict(overrides or {})
    changes.pop("variableValues", None)
    if author == "caller":
        changes = {name: value for name, value in changes.items() if name not in _COMPLIANCE or name not in assistant}
    more_tools = as_list_or_none(changes.pop("tools:append", None))
    base = dict(assistant)
    for part, common in _KEPT_ON_PROVIDER_CHANGE.items():
        old, new = as_object_or_none(base.get(part)), as_object(changes.get(part))
        if old is not None and new.get("provider", old.get("provider")) != old.get("provider"):
            base[part] = {name: old[name] for name in common if name in old}
    if author == "caller" and "credentials" in changes:
        changes["credentials"] = [*as_objects(changes["credentials"]), *as_objects(base.get("credentials"))]
    merged = _merge(base, changes, author)
    if author == "owner":
        merged = without_credentials_of_moved(assistant, merged, changes, _KEPT_ON_PROVIDER_CHANGE)
    model = as_object_or_none(merged.get("model"))
    if more_tools is not None and model is not None:
        merged["model"] = {**model, "tools": [*(model.get("tools") or []), *more_tools]}
    return merged


def _merge(base: JsonObject, changes: JsonObject, author: Author, field: str = "") -> JsonObject:
    base, changes = separated(base, changes, author, field)
    merged = dict(base)
    for name, value in changes.items():
        if value is None:
            merged.pop(name, None)
        elif (change := as_object_or_none(value)) is not None:
            merged[name] = _merge(as_object(merged.get(name)), change, author, name)
        else:
            merged[name] = value
    return merged


_FREE_FORM = frozenset({"metadata", "variableValues", "messages", "tools", "credentials", "headers", "schema"})
"""Fields whose contents the owner defines."""


def without_nulls(data: JsonObject) -> JsonObject:
    """Return an object without its null fields, which Vapi reads as not given.

    Fields with free contents (metadata, tools, …) are not changed.
    """
    kept: JsonObject = {}
    for name, value in data.items():
        if value is None:
            continue
        inner = None if name in _FREE_FORM else as_object_or_none(value)
        kept[name] = value if inner is None else without_nulls(inner)
    return kept
