"""The error for a provider that this server does not have names it and says what to use instead."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import httpx
import pytest

from bargein.clock import LoopClock
from bargein.ports import ProviderError
from bargein.providers.fallback_transcriber import FallbackTranscriber
from bargein.providers.fallback_voice import FallbackVoice
from bargein.providers.registry import MODELS, RETIRED, TRANSCRIBERS, VOICES
from bargein.providers.speech_cache import CachedVoice
from bargein.server.agents.parts import read_part
from bargein.server.agents.providers import ProviderFactory
from bargein.server.agents.resolve import parse_assistant
from bargein.server.agents.unsupported import unsupported_provider
from bargein.testing.settings import make_settings
from bargein.webhooks.guard import AddressGuard
from bargein.wire import contract
from bargein.wire.assistant import Assistant
from bargein.wire.base import JsonObject
from bargein.wire.errors import parse_request
from bargein.wire.ownership import marked

if TYPE_CHECKING:
    from bargein.providers.interface import EmbeddedProviders
    from bargein.server.agents.egress import Egress

pytestmark = pytest.mark.anyio

WEBSOCKET = {"provider": "vapi.websocket"}
RUN = {"transcriber": set(TRANSCRIBERS), "model": set(MODELS), "voice": set(VOICES)}

TO_SET = {"anyscale": "ANYSCALE_BASE_URL", "anthropic-bedrock": "AWS_ACCESS_KEY_ID"}
"""Providers that need more than an API key, and a word of the error that says so."""


class NoModels:
    """A placeholder for the embedded models; none of them is used."""

    voice = SimpleNamespace(marks=frozenset())

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


SERVED = [key for key in PARTS if key[1] not in RETIRED.get(key[0], {})]
GONE = [(part, provider) for part, reasons in RETIRED.items() for provider in reasons]


@pytest.mark.parametrize(("part", "provider"), SERVED, ids=map("-".join, SERVED))
async def test_a_provider_is_run_or_its_error_says_what_to_set(tmp_path: Path, part: str, provider: str) -> None:
    assistant = parse_request(Assistant, {part: PARTS[part, provider]})
    async with httpx.AsyncClient() as client:
        factory = provider_factory(tmp_path, client)
        if provider not in TO_SET:
            factory.providers(assistant, {}, 16_000, {provider: {"apiKey": "k", "region": "westeurope"}})
            return
        with pytest.raises(ProviderError, match=TO_SET[provider]):
            factory.providers(assistant, {}, 16_000, {provider: {"apiKey": "k", "region": "westeurope"}})


@pytest.mark.parametrize(("part", "provider"), GONE, ids=map("-".join, GONE))
async def test_a_stored_assistant_with_a_retired_provider_is_not_run(tmp_path: Path, part: str, provider: str) -> None:
    assistant = parse_request(Assistant, {part: PARTS[part, provider]}, whole=False)
    async with httpx.AsyncClient() as client:
        with pytest.raises(ProviderError) as caught:
            provider_factory(tmp_path, client).providers(assistant, {}, 16_000)
    text = str(caught.value)
    assert text.startswith(f"{part} provider {provider} cannot be called: {RETIRED[part][provider]}: use another one")
    assert caught.value.ended_reason == "call.start.error-get-resources-validation"


async def test_a_provider_of_nobody_is_an_error_that_lists_the_others() -> None:
    text = str(unsupported_provider("voice", "nobody"))
    assert text.startswith("voice provider nobody is not served here; use one of ")
    assert all(provider in text for provider in RUN["voice"])


async def test_openai_without_a_key_says_what_to_set(tmp_path: Path) -> None:
    assistant = parse_request(Assistant, {"model": {"provider": "openai", "model": "m"}})
    async with httpx.AsyncClient() as client:
        with pytest.raises(ProviderError, match="set OPENAI_API_KEY, or OPENAI_BASE_URL"):
            provider_factory(tmp_path, client).providers(assistant, {}, 16_000)


async def test_a_stored_assistant_is_returned_as_it_was_given(client: httpx.AsyncClient) -> None:
    for part, provider in SERVED:
        given = PARTS[part, provider]
        made = await client.post("/assistant", json={part: given})
        assert made.status_code == 201, made.text
        assert (await client.get(f"/assistant/{made.json()['id']}")).json()[part] == given


PLACES: dict[str, Callable[[str, JsonObject], tuple[str, JsonObject, str]]] = {
    "an assistant": lambda part, given: ("/assistant", {part: given}, part),
    "a call": lambda part, given: ("/call", {"assistant": {part: given}, "transport": WEBSOCKET}, f"assistant.{part}"),
    "a web call": lambda part, given: ("/call/web", {"assistant": {part: given}}, f"assistant.{part}"),
    "overrides": lambda part, given: (
        "/call",
        {"assistant": {}, "assistantOverrides": {part: given}, "transport": WEBSOCKET},
        f"assistantOverrides.{part}",
    ),
    "a squad": lambda part, given: (
        "/squad",
        {"members": [{"assistant": {}}, {"assistant": {part: given}}]},
        f"members.1.assistant.{part}",
    ),
    "a member's overrides": lambda part, given: (
        "/call",
        {"squad": {"members": [{"assistant": {}, "assistantOverrides": {part: given}}]}, "transport": WEBSOCKET},
        f"squad.members.0.assistantOverrides.{part}",
    ),
    "a fallback": lambda part, given: (
        "/assistant",
        {part: {**PARTS[part, "11labs"], "fallbackPlan": {f"{part}s": [given]}}},
        f"{part}.fallbackPlan.{part}s.0",
    ),
    "a chat": lambda part, given: ("/chat", {"assistant": {part: given}, "input": "Hello"}, f"assistant.{part}"),
}


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize(("part", "provider"), GONE, ids=map("-".join, GONE))
async def test_a_retired_provider_is_refused_at_once(
    client: httpx.AsyncClient, part: str, provider: str, place: str
) -> None:
    path, body, within = PLACES[place](part, PARTS[part, provider])
    answer = await client.post(path, json=body)
    assert answer.status_code == 400
    assert answer.json()["error"] == "Bad Request"
    (message,) = answer.json()["message"]
    assert message.startswith(f"{within}.provider must not be {provider}: {RETIRED[part][provider]}: use another one")


@pytest.mark.parametrize(("part", "provider"), GONE, ids=map("-".join, GONE))
async def test_a_change_to_a_retired_provider_is_refused(client: httpx.AsyncClient, part: str, provider: str) -> None:
    url = f"/assistant/{(await client.post('/assistant', json={})).json()['id']}"
    answer = await client.patch(url, json={part: PARTS[part, provider]})
    assert answer.status_code == 400
    assert RETIRED[part][provider] in answer.json()["message"][0]
    assert part not in (await client.get(url)).json()


async def test_fields_with_free_contents_may_name_a_retired_provider(client: httpx.AsyncClient) -> None:
    answer = await client.post("/assistant", json={"metadata": {"voice": {"provider": "playht"}}})
    assert answer.status_code == 201


async def test_the_built_in_providers_and_those_at_ones_own_servers_are_served() -> None:
    assert RUN["transcriber"] >= {"vapi", "custom-transcriber"}
    assert RUN["model"] >= {"vapi", "custom-llm", "openai"}
    assert RUN["voice"] >= {"vapi", "custom-voice"}


def custom(url: str, **more: Any) -> dict[str, Any]:
    return {"provider": "custom-voice", "server": {"url": url}, **more}


FALLBACKS = {
    "voice": custom("https://one.example", fallbackPlan={"voices": [custom("https://two.example")]}),
    "transcriber": {
        "provider": "deepgram",
        "fallbackPlan": {"transcribers": [{"provider": "assembly-ai"}, {"provider": "deepgram", "model": "nova-2"}]},
    },
}


async def test_a_fallback_plan_makes_a_part_of_all_its_entries(tmp_path: Path) -> None:
    assistant = parse_request(Assistant, FALLBACKS)
    async with httpx.AsyncClient() as client:
        keys = {"deepgram": {"apiKey": "k"}}
        made = provider_factory(tmp_path, client).providers(assistant, {"id": "call"}, 16_000, keys)
    assert isinstance(made.voice, FallbackVoice)
    assert isinstance(made.transcriber, FallbackTranscriber)


async def test_a_first_part_that_cannot_be_made_is_replaced_and_the_call_is_told(tmp_path: Path) -> None:
    given = {"transcriber": {"provider": "deepgram", "fallbackPlan": {"transcribers": [{"provider": "vapi"}]}}}
    told = list[tuple[str, str]]()
    async with httpx.AsyncClient() as client:
        factory = provider_factory(tmp_path, client)
        factory._embedded.transcriber_of = lambda _tags: SimpleNamespace(lag_ms=0)  # type: ignore[method-assign]
        made = factory.providers(parse_request(Assistant, given, whole=False), {"id": "call"}, 16_000)
    made.notices.watch(lambda what, why: told.append((what, why)))
    ((what, why),) = told
    assert what == "fallback"
    assert why.startswith("transcriber deepgram failed (transcriber provider deepgram needs a key")
    assert why.endswith("so vapi goes on")


async def test_a_call_whose_parts_cannot_be_made_at_all_names_all_of_them(tmp_path: Path) -> None:
    given = {"transcriber": {"provider": "deepgram", "fallbackPlan": {"transcribers": [{"provider": "assembly-ai"}]}}}
    async with httpx.AsyncClient() as client:
        with pytest.raises(ProviderError, match=r"deepgram: .*; assembly-ai: transcriber provider") as caught:
            provider_factory(tmp_path, client).providers(parse_request(Assistant, given), {}, 16_000)
    assert caught.value.ended_reason == "call.start.error-get-resources-validation"


async def test_a_fallback_at_a_callers_address_gets_no_credential_and_hides_the_call(tmp_path: Path) -> None:
    entry = {"provider": "11labs", "voiceId": "x", "server": {"url": "https://caller.example"}}
    given = marked({"voice": {"provider": "11labs", "voiceId": "x", "fallbackPlan": {"voices": [entry]}}}, "caller")
    seen = list[Any]()
    async with httpx.AsyncClient() as client:
        factory = provider_factory(tmp_path, client)
        create = VOICES["11labs"].create

        def watched(config: Any, resources: Any, rate_hz: int) -> Any:
            seen.append((resources.credentials, resources.context))
            return create(config, resources, rate_hz)

        with pytest.MonkeyPatch.context() as patch:
            patch.setitem(VOICES, "11labs", replace(VOICES["11labs"], create=watched))  # type: ignore[arg-type]
            keys = {"11labs": {"apiKey": "owner-secret"}}
            call = {"id": "call", "assistantId": "private"}
            factory.providers(parse_assistant(given), call, 16_000, keys)
    (first, context), (second, _) = seen
    assert (first, second) == (keys, {})
    assert "metadata" not in context


@pytest.mark.parametrize(
    ("more", "cached"),
    [
        ({}, True),
        ({"cachingEnabled": True}, True),
        ({"cachingEnabled": False}, False),
    ],
)
async def test_caching_is_on_unless_a_voice_says_no(tmp_path: Path, more: dict[str, Any], cached: bool) -> None:
    assistant = parse_request(Assistant, {"voice": custom("https://one.example", **more)})
    async with httpx.AsyncClient() as client:
        made = provider_factory(tmp_path, client).providers(assistant, {}, 16_000)
    assert isinstance(made.voice, CachedVoice) is cached


@pytest.mark.parametrize(
    "private",
    [{"compliancePlan": {"hipaaEnabled": True}}, {"compliancePlan": {"pciEnabled": True}}, {"hipaaEnabled": True}],
)
async def test_nothing_of_a_private_call_is_cached(tmp_path: Path, private: dict[str, Any]) -> None:
    assistant = parse_request(Assistant, {"voice": custom("https://one.example", cachingEnabled=True), **private})
    async with httpx.AsyncClient() as client:
        made = provider_factory(tmp_path, client).providers(assistant, {}, 16_000)
    assert not isinstance(made.voice, CachedVoice)


async def test_no_speech_of_a_later_assistant_of_a_private_call_is_cached(tmp_path: Path) -> None:
    assistant = parse_request(Assistant, {"voice": custom("https://one.example")})
    async with httpx.AsyncClient() as client:
        factory = provider_factory(tmp_path, client)
        assert isinstance(factory.providers(assistant, {}, 16_000).voice, CachedVoice)
        assert not isinstance(factory.providers(assistant, {}, 16_000, private=True).voice, CachedVoice)


def test_a_region_that_would_lead_the_key_to_another_host_is_refused() -> None:
    with pytest.raises(ProviderError, match="region"):
        read_part("transcriber", {"provider": "speechmatics", "region": "attacker.example/"})
