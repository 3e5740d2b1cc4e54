"""The models against the structure of Vapi's types, and that structure against Vapi's OpenAPI document."""

import json
import re

import pytest
from dev.contract import DIGESTS, TARGET, digest

from bargein.wire.assistant import DEFAULT_CLIENT_MESSAGES, DEFAULT_SERVER_MESSAGES, Assistant, AssistantOverrides
from bargein.wire.call import CreateCall
from bargein.wire.errors import parse_request
from bargein.wire.redact import without_secrets
from tests.vapi_schema import fill, problems, types
from tests.wire.test_redact import MARKER, SECRET_FIELDS


def test_the_models_have_all_of_vapis_fields() -> None:
    schemas = types()
    for name, model in (
        ("CreateAssistantDTO", Assistant),
        ("AssistantOverrides", AssistantOverrides),
        ("CreateCallDTO", CreateCall),
    ):
        assert set(schemas[name]["properties"]) <= model.wire_names(), name


@pytest.mark.parametrize("branch", range(20))
def test_an_assistant_with_every_field_of_vapis_schema_is_accepted_and_kept(branch: int) -> None:
    whole = fill("AssistantOverrides", lambda _: False, "", branch=branch)
    model = {**whole["model"], "url": "https://example.org/v1"} if "url" in whole["model"] else whole["model"]
    whole |= {"model": model, "server": {**whole["server"], "url": "https://example.org/hook"}}
    for part in ("voice", "transcriber"):
        if "server" in whole[part]:
            whole[part]["server"]["url"] = "https://example.org/part"
    if "server" in whole["startSpeakingPlan"]["smartEndpointingPlan"]:
        whole["startSpeakingPlan"]["smartEndpointingPlan"]["server"]["url"] = "https://example.org/end"
    # each of these plans has fields of its own, which no other name may have
    named = {"server": "custom-endpointing-model", "waitFunction": "livekit", "threshold": "krisp"}
    plan = whole["startSpeakingPlan"]["smartEndpointingPlan"]
    plan["provider"] = next((provider for field, provider in named.items() if field in plan), "vapi")
    assert parse_request(AssistantOverrides, whole).to_json() == whole


def test_the_default_subscriptions_are_those_of_vapi() -> None:
    properties = types()["CreateAssistantDTO"]["properties"]
    clients = set(properties["clientMessages"]["items"]["enum"])
    servers = set(properties["serverMessages"]["items"]["enum"])
    assert clients >= DEFAULT_CLIENT_MESSAGES
    assert servers >= DEFAULT_SERVER_MESSAGES
    parse_request(Assistant, {"clientMessages": sorted(clients), "serverMessages": sorted(servers)})
    # Vapi's document describes these defaults in text.
    shared = {"conversation-update", "function-call", "hang", "speech-update", "status-update", "tool-calls"}
    shared |= {"user-interrupted", "assistant.started"}
    of_clients = {"model-output", "transfer-update", "transcript", "voice-input", "workflow.node.started"}
    of_servers = {"end-of-call-report", "transfer-destination-request", "handoff-destination-request"}
    assert shared | of_clients == DEFAULT_CLIENT_MESSAGES
    assert shared | of_servers == DEFAULT_SERVER_MESSAGES


HARMLESS_FIELDS = {
    "authMode", "authProviderX509CertUrl", "authUri", "authUsername", "authorizationId", "bearerPrefixEnabled",
    "budgetTokens", "cachedPromptTokens", "completionAudioTokens", "completionTextTokens", "completionTokens",
    "controlAuthenticationEnabled", "credentialId", "credentialIds", "filterPassed", "key", "keypadInputPlan",
    "keyterm", "keyterms", "keytermsPrompt", "keywords", "listenAuthenticationEnabled", "llmCachedPromptTokens",
    "llmCompletionTokens", "llmPromptTokens", "maxTokens", "passed", "privateKeyId", "promptAudioTokens",
    "promptCacheKey", "promptTextTokens", "promptTokens", "providerConfigKey", "publicKey", "reasoningTokens",
    "secretIsBase64", "sipHeadersInReferToEnabled", "structuredDataCachedPromptTokens",
    "structuredDataCompletionTokens", "structuredDataPromptTokens", "structuredOutputCachedPromptTokens",
    "structuredOutputCompletionTokens", "structuredOutputPromptTokens", "successEvaluationCachedPromptTokens",
    "successEvaluationCompletionTokens", "successEvaluationPromptTokens", "summaryCachedPromptTokens",
    "summaryCompletionTokens", "summaryPromptTokens", "systemKey", "tokenCount", "tokenUri", "twilioApiKeySid",
}  # fmt: skip
"""Fields without secrets, each reviewed: counts, switches, ids and public keys."""


def test_every_field_of_vapis_schema_that_may_be_secret_was_reviewed() -> None:
    suspicious = re.compile(r"key|secret|token|pass|auth|headers|credential|cookie|bearer|jwt", re.IGNORECASE)
    names = {field for schema in types().values() for field in schema.get("properties", {}) if suspicious.search(field)}
    assert names - SECRET_FIELDS - HARMLESS_FIELDS == set()


@pytest.mark.parametrize(
    ("schema", "branches"),
    [
        ("CreateAssistantDTO", 20),
        ("Call", 4),
        ("CreateCustomerDTO", 3),
        ("CreateTwilioPhoneNumberDTO", 2),
        ("CreateVonagePhoneNumberDTO", 2),
        ("CreateTelnyxPhoneNumberDTO", 2),
        ("CreateVapiPhoneNumberDTO", 2),
        ("CreateByoPhoneNumberDTO", 2),
    ],
)
def test_secrets_are_removed_and_the_rest_is_still_valid(schema: str, branches: int) -> None:
    seen = valid = 0
    for branch in range(branches):
        whole = fill(schema, lambda name: name in SECRET_FIELDS, MARKER, branch=branch)
        clean = without_secrets(whole)
        assert MARKER not in json.dumps(clean)
        seen += MARKER in json.dumps(whole)
        if not problems(schema, whole):
            assert problems(schema, clean) == []
            valid += 1
    assert valid  # `fill` does not make valid values for some unions
    assert seen


REPAIRED = {
    "AnalysisPlan", "Assistant", "AssistantMessageJudgePlanAI", "AssistantMessageJudgePlanExact",
    "AssistantMessageJudgePlanRegex", "AssistantOverrides", "AudioFormat", "BackoffPlan", "BotMessage",
    "CallHookAssistantSpeechInterrupted", "CallHookCallEnding", "CallHookCustomerSpeechInterrupted",
    "CallHookCustomerSpeechTimeout", "CallHookModelResponseTimeout",
    "CallHookTranscriberEndpointedSpeechLowConfidence", "ChatEvalAssistantMessageMock",
    "ChatEvalToolResponseMessageMock", "ClientMessageConversationUpdate", "ClientMessageModelOutput",
    "ClientMessageToolCalls", "CreateApiRequestToolDTO", "CreateAssistantDTO", "CreateScenarioDTO",
    "CustomEndpointingModelSmartEndpointingPlan", "ElevenLabsTranscriber", "EvalRun",
    "FallbackElevenLabsTranscriber", "FallbackNeuphonicVoice", "FallbackSpeechmaticsTranscriber",
    "FallbackVapiVoice", "JsonSchema", "KeypadInputPlan", "LivekitSmartEndpointingPlan", "NeuphonicVoice",
    "SayHookAction", "Scenario", "ServerMessageConversationUpdate", "ServerMessageModelOutput",
    "ServerMessageToolCalls", "SimulationRunItemResults", "SpeechmaticsTranscriber", "StartSpeakingPlan",
    "SystemMessage", "ToolCallFunction", "ToolCallMessage", "ToolCallResultMessage", "TransferPlan",
    "UpdateAssistantDTO", "UpdateScenarioDTO", "UserMessage", "VapiSmartEndpointingPlan", "VapiVoice",
}  # fmt: skip
"""Types whose structure differs from Vapi's document; `repair` in `dev/contract.py` gives the reason of each."""

ADDED = {
    "CallHookTimeElapsed", "ClientMessageFunctionCall", "ClientMessageStatusUpdate", "ClientMessageToolCompleted",
    "EndedReason", "KrispSmartEndpointingPlan", "LatencyEvaluationResult", "LatencyExpectation",
    "OpenAIPromptMessage", "OtherToolWithToolCall", "ServerMessageAssistantStarted", "ServerMessageFunctionCall",
}  # fmt: skip
"""Types that Vapi's document does not have, or has without a name."""


def test_each_type_has_the_structure_of_vapis_document() -> None:
    """Compare digests: the repository has a digest of each type of the document, not the document itself."""
    recorded = json.loads(DIGESTS.read_text(encoding="utf-8"))
    ours = json.loads(TARGET.read_text(encoding="utf-8"))["$defs"]
    assert set(ours) - set(recorded) == ADDED
    assert set(recorded) <= set(ours)
    assert {name for name in recorded if digest(ours[name], ours) != recorded[name]} == REPAIRED


def test_a_change_of_a_single_limit_is_detected() -> None:
    ours = json.loads(TARGET.read_text(encoding="utf-8"))["$defs"]
    before = digest(ours["StopSpeakingPlan"], ours)
    ours["StopSpeakingPlan"]["properties"]["numWords"]["maximum"] = 11
    assert digest(ours["StopSpeakingPlan"], ours) != before
