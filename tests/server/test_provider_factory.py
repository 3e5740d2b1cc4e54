"""The error for a provider that this server does not have names it and says what to use instead."""

from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import httpx
import pytest

from bargein.clock import LoopClock
from bargein.ports import ProviderError
from bargein.providers.registry import MODELS, TRANSCRIBERS, VOICES
from bargein.server.agents.providers import ProviderFactory
from bargein.testing.settings import make_settings
from bargein.webhooks.guard import AddressGuard
from bargein.wire import contract
from bargein.wire.assistant import Assistant
from bargein.wire.errors import parse_request

if TYPE_CHECKING:
    from bargein.providers.interface import EmbeddedProviders
    from bargein.server.agents.egress import Egress

pytestmark = pytest.mark.anyio

RUN = {"transcriber": set(TRANSCRIBERS), "model": set(MODELS), "voice": set(VOICES)}
INSTEAD = {
    "transcriber": ("custom-transcriber", "transcriber.server.url"),
    "model": ("custom-llm", "model.url"),
    "voice": ("custom-voice", "voice.server.url"),
}

TO_SET = {"anyscale": "ANYSCALE_BASE_URL"}
"""Providers that need more than an API key, and a word of the error that says so."""


class NoModels:
    """A placeholder for the embedded models; none of them is used."""

    def __getattr__(self, name: str) -> None:
        return None

    def transcriber_of(self, tags: object) -> None:
        """Return no transcriber."""


def parts() -> dict[tuple[str, str], dict[str, Any]]:
    """Return the smallest valid part of an assistant for each provider in Vapi's schema."""
    found: dict[tuple[str, str], dict[str, Any]] = {}
    properties = contract.definitions()["CreateAssistantDTO"]["properties"]
    for part in RUN:
        for member in properties[part]["oneOf"]:
            schema = contract.definitions()[member["$ref"].rpartition("/")[2]]
            (provider,) = schema["properties"]["provider"]["enum"]
            found[part, provider] = {name: _least(schema["properties"][name]) for name in schema["required"]}
    return found


def _least(schema: dict[str, Any]) -> Any:
    if "$ref" in schema:
        return {"url": "https://example.org"}
    enum = schema.get("enum")
    return enum[0] if enum else [] if schema["type"] == "array" else "https://example.org"


PARTS = parts()


def provider_factory(tmp_path: Path, client: httpx.AsyncClient, **settings: Any) -> ProviderFactory:
    embedded = cast("EmbeddedProviders", NoModels())
    egress = cast("Egress", SimpleNamespace(client=client, guard=AddressGuard(allow_private=True)))
    return ProviderFactory(make_settings(data_dir=tmp_path, **settings), LoopClock(), client, embedded, egress)


def test_every_provider_of_vapis_schema_is_tried() -> None:
    assert {part: sum(of == part for of, _ in PARTS) for part in RUN} == {"transcriber": 14, "model": 17, "voice": 20}


@pytest.mark.parametrize(("part", "provider"), PARTS, ids=map("-".join, PARTS))
async def test_a_provider_is_run_or_its_error_says_what_to_do(tmp_path: Path, part: str, provider: str) -> None:
    assistant = parse_request(Assistant, {part: PARTS[part, provider]})
    async with httpx.AsyncClient() as client:
        factory = provider_factory(tmp_path, client)
        credentials = {provider: {"apiKey": "k"}}
        if provider in RUN[part] and provider not in TO_SET:
            factory.providers(assistant, {}, 16_000, credentials)
            return
        with pytest.raises(ProviderError) as caught:
            factory.providers(assistant, {}, 16_000, credentials)
    text = str(caught.value)
    assert "set " in text
    if provider in RUN[part]:
        assert TO_SET[provider] in text
    else:
        assert text.startswith(f"{part} provider {provider} has no adapter on this server: ")
        assert all(name in text for name in INSTEAD[part])
    assert caught.value.ended_reason == "call.start.error-get-resources-validation"


async def test_openai_without_a_key_says_what_to_set(tmp_path: Path) -> None:
    assistant = parse_request(Assistant, {"model": {"provider": "openai", "model": "m"}})
    async with httpx.AsyncClient() as client:
        with pytest.raises(ProviderError, match="set OPENAI_API_KEY, or OPENAI_BASE_URL"):
            provider_factory(tmp_path, client).providers(assistant, {}, 16_000)


async def test_a_stored_assistant_is_returned_as_it_was_given(client: httpx.AsyncClient) -> None:
    for (part, _), given in PARTS.items():
        made = await client.post("/assistant", json={part: given})
        assert made.status_code == 201, made.text
        assert (await client.get(f"/assistant/{made.json()['id']}")).json()[part] == given


async def test_the_built_in_providers_and_those_at_ones_own_servers_are_served() -> None:
    assert RUN["transcriber"] >= {"vapi", "custom-transcriber"}
    assert RUN["model"] >= {"vapi", "custom-llm", "openai"}
    assert RUN["voice"] >= {"vapi", "custom-voice"}
