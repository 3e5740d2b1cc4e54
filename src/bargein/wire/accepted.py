"""Fields that requests may have although Vapi's published types do not declare them, each with its reason.

Vapi refuses a field that a type does not have, by its name and at every depth, and so does `bargein.wire.contract`.
This is the only list of exceptions: what clients send that Vapi takes, and what this server takes in addition. A field
that nothing reads is named in the warnings of its assistant (`bargein.server.agents.problems`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from re import compile as compile_pattern


@dataclass(frozen=True, slots=True)
class Accepted:
    """Fields that certain types may have.

    Attributes:
        types: a regular expression for the whole name of a type in Vapi's document.
        fields: the names.
        reason: why they are accepted.
        like: the type of Vapi's that declares these fields, by which their values are checked; None: none does.
    """

    types: str
    fields: frozenset[str]
    reason: str
    like: str | None = None


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


FREE: Mapping[str, str] = {
    "JsonSchema": "a JSON Schema has keywords of many vocabularies, and the model receives them unchanged",
    "OpenAIFunctionParameters": "the same: generators write $schema, title and additionalProperties",
}
"""Types with declared fields that take any other field, each with its reason."""

ACCEPTED: tuple[Accepted, ...] = (
    Accepted(
        "CreateAssistantDTO|UpdateAssistantDTO|AssistantOverrides",
        _names("""
            silenceTimeoutSeconds messagePlan serverUrl serverUrlSecret backgroundDenoisingEnabled recordingEnabled
            responseDelaySeconds llmRequestDelaySeconds numWordsToInterruptAssistant customerJoinTimeoutSeconds
            endCallFunctionEnabled hipaaEnabled smartEndpointingEnabled
        """),
        "older fields that Vapi's clients still send; this server reads them",
    ),
    Accepted("Server", _names("secret"), "the older form of a credential; Vapi's pages on own voices still show it"),
    Accepted(
        r"(Create|Update)\w+ToolDTO",
        _names("function async server"),
        "older clients send a function's fields with every tool; this server reads them",
        like="CreateFunctionToolDTO",
    ),
    Accepted(
        r"(Create|Update)\w+ToolDTO",
        _names("name description metadata"),
        "Vapi's pages on tools show them for tools of several types",
    ),
    Accepted(
        r"(Create|Update)DtmfToolDTO",
        _names("parameters"),
        "a hook that presses keys has no model to name them; this server reads them",
        like="CreateFunctionToolDTO",
    ),
    Accepted(
        "OpenAIMessage|OpenAIPromptMessage",
        _names("name tool_calls tool_call_id function_call refusal"),
        "OpenAI's own fields of a message, which clients send with a conversation",
    ),
    Accepted(
        "ChatAssistantOverrides",
        _names("""
            analysisPlan artifactPlan backgroundSound backgroundSpeechDenoisingPlan clientMessages compliancePlan
            credentialIds credentials endCallMessage endCallPhrases firstMessage firstMessageInterruptionsEnabled
            firstMessageMode hooks keypadInputPlan maxDurationSeconds metadata model modelOutputInMessagesEnabled
            monitorPlan name observabilityPlan server serverMessages startSpeakingPlan stopSpeakingPlan transcriber
            transportConfigurations voice voicemailDetection voicemailMessage
        """),
        "Vapi's widget sends the overrides of a page's calls with its chats, too; a chat reads the variables",
        like="AssistantOverrides",
    ),
    Accepted(
        "FallbackTranscriberPlan",
        _names("autoFallback"),
        "Vapi's page on fallbacks of transcribers; here the listed ones are always tried",
    ),
    Accepted(
        "TransferPlan",
        _names("voicemailDetectionType"),
        "Vapi's page on transfers; here the detection is the assistant's",
    ),
    Accepted("(Fallback)?AssemblyAITranscriber", _names("agentContextAutoUpdateEnabled"), "newer than the document"),
    Accepted(
        "(Fallback)?SonioxTranscriber",
        _names("endpointSensitivity endpointLatencyAdjustmentLevel confidenceThreshold"),
        "newer than the document",
    ),
    Accepted("(Fallback)?DeepgramVoice", _names("speed expressivity"), "newer than the document"),
    Accepted(
        "(Anthropic|AnthropicBedrock|Anyscale|Cerebras|CustomLLM|DeepInfra|DeepSeek|Google|Groq|InflectionAI|MinimaxLLM"
        "|OpenAI|OpenRouter|PerplexityAI|TogetherAI|Xai|Vapi)Model",
        _names("knowledgeBaseId"),
        "Vapi's older pages on knowledge bases; here the query tool searches files, and the field has no effect",
    ),
    Accepted(
        "CompliancePlan",
        _names("forceStoreOnHipaaEnabled"),
        "clients send it with an assistant's plan; only the plan of a structured output has an effect",
        like="ComplianceOverride",
    ),
    Accepted("OpenAIModel", _names("serviceTier speaker reasoner"), "newer than the document"),
    Accepted("AnthropicBedrockModel", _names("fallbackModels"), "newer than the document"),
    Accepted(r"TransferDestination\w+", _names("name"), "newer than the document"),
)
"""All exceptions."""


@cache
def accepted_fields(name: str) -> Mapping[str, str | None]:
    """Return the fields that a type takes in addition to those that it declares, each with `Accepted.like`."""
    return {field: one.like for one in ACCEPTED if compile_pattern(one.types).fullmatch(name) for field in one.fields}
