"""The types against Vapi's own schema. Collected where the schema is (see `tests.vapi_schema`)."""

import json
import re
from pathlib import Path

import pytest
from dev.contract import TARGET, contract, endpoints, rendered

from bargein.wire.assistant import DEFAULT_CLIENT_MESSAGES, DEFAULT_SERVER_MESSAGES, Assistant, AssistantOverrides
from bargein.wire.call import CreateCall
from bargein.wire.errors import parse_request
from bargein.wire.redact import without_secrets
from tests.vapi_schema import PRESENT, fill, load, problems
from tests.wire.test_redact import MARKER, SECRET_FIELDS

__test__ = PRESENT


def test_vapis_own_names_are_all_known(shared_dir: Path) -> None:
    schemas = load(shared_dir)["components"]["schemas"]
    for name, model in (
        ("CreateAssistantDTO", Assistant),
        ("AssistantOverrides", AssistantOverrides),
        ("CreateCallDTO", CreateCall),
    ):
        assert set(schemas[name]["properties"]) <= model.wire_names(), name


@pytest.mark.parametrize("branch", range(20))
def test_an_assistant_with_every_field_of_vapis_schema_is_taken_and_kept(shared_dir: Path, branch: int) -> None:
    whole = fill(shared_dir, "AssistantOverrides", lambda _: False, "", branch=branch)
    model = {**whole["model"], "url": "https://example.org/v1"} if "url" in whole["model"] else whole["model"]
    whole |= {"model": model, "server": {**whole["server"], "url": "https://example.org/hook"}}
    for part in ("voice", "transcriber"):
        if "server" in whole[part]:
            whole[part]["server"]["url"] = "https://example.org/part"
    if "server" in whole["startSpeakingPlan"]["smartEndpointingPlan"]:
        whole["startSpeakingPlan"]["smartEndpointingPlan"]["server"]["url"] = "https://example.org/end"
    # the schema allows each of these plans all three names
    plans = ("vapi", "livekit", "custom-endpointing-model")
    whole["startSpeakingPlan"]["smartEndpointingPlan"]["provider"] = plans[branch % 3]
    assert parse_request(AssistantOverrides, whole).to_json() == whole


def test_the_default_subscriptions_are_vapis(shared_dir: Path) -> None:
    properties = load(shared_dir)["components"]["schemas"]["CreateAssistantDTO"]["properties"]
    clients = set(properties["clientMessages"]["items"]["enum"])
    servers = set(properties["serverMessages"]["items"]["enum"])
    assert clients >= DEFAULT_CLIENT_MESSAGES
    assert servers >= DEFAULT_SERVER_MESSAGES
    parse_request(Assistant, {"clientMessages": sorted(clients), "serverMessages": sorted(servers)})
    for name, default in (("clientMessages", DEFAULT_CLIENT_MESSAGES), ("serverMessages", DEFAULT_SERVER_MESSAGES)):
        said = properties[name]["description"].rpartition("Default is ")[2]
        assert all(kind in said for kind in default), name
        assert said.count(",") == len(default) - 1, name


HARMLESS_FIELDS = {
    "authMode", "authProviderX509CertUrl", "authUri", "authUsername", "authorizationId", "bearerPrefixEnabled",
    "budgetTokens", "cachedPromptTokens", "completionAudioTokens", "completionTextTokens", "completionTokens",
    "controlAuthenticationEnabled", "credentialId", "credentialIds", "filterPassed", "key", "keypadInputPlan",
    "keyterm", "keytermsPrompt", "keywords", "listenAuthenticationEnabled", "llmCachedPromptTokens",
    "llmCompletionTokens", "llmPromptTokens", "maxTokens", "passed", "privateKeyId", "promptAudioTokens",
    "promptCacheKey", "promptTextTokens", "promptTokens", "providerConfigKey", "publicKey", "reasoningTokens",
    "secretIsBase64", "sipHeadersInReferToEnabled", "structuredDataCachedPromptTokens",
    "structuredDataCompletionTokens", "structuredDataPromptTokens", "structuredOutputCachedPromptTokens",
    "structuredOutputCompletionTokens", "structuredOutputPromptTokens", "successEvaluationCachedPromptTokens",
    "successEvaluationCompletionTokens", "successEvaluationPromptTokens", "summaryCachedPromptTokens",
    "summaryCompletionTokens", "summaryPromptTokens", "systemKey", "tokenCount", "tokenUri", "twilioApiKeySid",
}  # fmt: skip
"""Looked at one by one: counts, switches, ids and public halves. Taken out or not, they give nothing away."""


def test_vapis_schema_has_no_suspicious_field_that_nobody_looked_at(shared_dir: Path) -> None:
    suspicious = re.compile(r"key|secret|token|pass|auth|headers|credential|cookie|bearer|jwt", re.IGNORECASE)
    names = {
        field
        for schema in load(shared_dir)["components"]["schemas"].values()
        for field in schema.get("properties", {})
        if suspicious.search(field)
    }
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
def test_no_secret_survives_and_the_rest_is_still_valid(shared_dir: Path, schema: str, branches: int) -> None:
    seen = valid = 0
    for branch in range(branches):
        whole = fill(shared_dir, schema, lambda name: name in SECRET_FIELDS, MARKER, branch=branch)
        clean = without_secrets(whole)
        assert MARKER not in json.dumps(clean)
        seen += MARKER in json.dumps(whole)
        if not problems(shared_dir, schema, whole):
            assert problems(shared_dir, schema, clean) == []
            valid += 1
    assert valid  # some unions need more than the filler gives
    assert seen


def test_the_data_file_is_what_the_script_makes_of_vapis_document(shared_dir: Path) -> None:
    document = json.loads((shared_dir / "spec" / "vapi-openapi.json").read_text())
    assert rendered(contract(document), endpoints(document)) == TARGET.read_text()
