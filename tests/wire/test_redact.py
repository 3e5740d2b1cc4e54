"""Secrets are removed from Vapi's JSON at any depth, and the rest is still valid."""

import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bargein.wire.redact import MASK, is_secret_name, without_secrets

MARKER = "HUSH-HUSH"

SECRET_FIELDS = {
    "AccessKeyId", "SecretAccessKey", "SessionToken", "accessKeyId", "accessToken", "apiKey", "apiSecret",
    "authPassword", "authToken", "authentication", "authenticationArtifact", "authenticationPlan",
    "authenticationSession", "awsAccessKeyId", "awsSecretAccessKey", "callToken", "clientSecret", "credentials",
    "gcpKey", "headers", "hmacAccessKey", "hmacSecret", "jwtSecret", "ocpApimSubscriptionKey", "openAIKey",
    "outboundAuthenticationPlan", "password", "privateKey", "refreshToken", "secretAccessKey", "secretKey",
    "sessionToken", "sipHeaders", "token", "twilioApiKey", "twilioApiSecret", "twilioAuthToken",
    "vonageApplicationPrivateKey", "serverUrlSecret", "secret",
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(SECRET_FIELDS))
def test_a_secret_field_is_recognised_in_every_spelling(name: str) -> None:
    snake = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()
    for spelling in (name, name.upper(), snake, snake.replace("_", "-")):
        assert is_secret_name(spelling)
    assert without_secrets({name: MARKER, "name": "Ada"}) == {"name": "Ada"}
    assert without_secrets({"a": [{"b": {name: {"deep": MARKER}}}]}) == {"a": [{"b": {}}]}


def test_fields_without_secrets_are_kept() -> None:
    data = {
        "name": "Ada",
        "model": {"provider": "openai", "maxTokens": 250, "promptCacheKey": "k", "messages": [{"content": "hi"}]},
        "credentialId": "c",
        "server": {"url": "https://example.org/hook", "timeoutSeconds": 20, "headers": {"x-a": MARKER}},
        "keypadInputPlan": {"enabled": True},
    }
    clean = without_secrets(data)
    assert clean["server"] == {"url": "https://example.org/hook", "timeoutSeconds": 20}
    assert {name: clean[name] for name in clean if name != "server"} == {n: data[n] for n in data if n != "server"}
    assert data["server"]["headers"] == {"x-a": MARKER}  # type: ignore[index]  # the original is not changed


@pytest.mark.parametrize(
    ("address", "clean"),
    [
        ("https://user:pass@example.org/hook", "https://example.org/hook"),
        ("https://token@example.org:8443/hook?key=HUSH#HUSH", "https://example.org:8443/hook"),
        ("wss://example.org/x?token=HUSH", "wss://example.org/x"),
        ("postgres://u:p%40ss@db/x", "postgres://db/x"),
        ("https://[::1", MASK),
        ("https://example.org/hook", "https://example.org/hook"),
    ],
)
def test_urls_lose_their_credentials_and_query(address: str, clean: str) -> None:
    assert without_secrets({"server": {"url": address}, "list": [address]}) == {
        "server": {"url": clean},
        "list": [clean],
    }


def test_urls_in_speech_lose_only_their_passwords() -> None:
    text = "see https://example.org/a?b=c or ftp://me:secret@example.org"
    assert without_secrets({"content": text}) == {"content": "see https://example.org/a?b=c or ftp://example.org"}
    assert without_secrets({"content": "https://example.org/a?b=c"}) == {"content": "https://example.org/a?b=c"}


def test_a_tool_parameter_named_password_keeps_its_description() -> None:
    schema = {
        "type": "object",
        "properties": {
            "password": {"type": "string", "description": "the caller's password", "default": MARKER, "value": MARKER},
            "city": {"type": "string"},
        },
        "required": ["password"],
    }
    assert without_secrets({"parameters": schema}) == {
        "parameters": {
            "type": "object",
            "properties": {
                "password": {"type": "string", "description": "the caller's password"},
                "city": {"type": "string"},
            },
            "required": ["password"],
        }
    }


def test_named_values_are_masked() -> None:
    data = {
        "parameters": [
            {"key": "apiKey", "value": MARKER},
            {"name": "X-Api-Key", "value": MARKER},
            {"key": "a", "value": 1},
        ]
    }
    assert without_secrets(data) == {
        "parameters": [{"key": "apiKey", "value": MASK}, {"name": "X-Api-Key", "value": MASK}, {"key": "a", "value": 1}]
    }


TREE = st.recursive(
    st.none() | st.integers() | st.text(max_size=5) | st.just("https://u:HUSH-HUSH@h/p?HUSH-HUSH"),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["a", "apiKey", "url", "headers", "properties", "value", "key"]), inner, max_size=4
        )
    ),
    max_leaves=20,
)


@given(st.dictionaries(st.sampled_from(["a", "b", "secret"]), TREE, max_size=4))
def test_redaction_is_idempotent(data: dict[str, Any]) -> None:
    clean = without_secrets(data)
    assert without_secrets(clean) == clean
    assert MARKER not in json.dumps(clean)
