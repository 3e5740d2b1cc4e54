"""The rows of the vendors with chat completions: what their requests have that OpenAI's have not."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from bargein.http_client import new_client
from bargein.ports import ChatMessage, ProviderError
from bargein.providers.registry import MODELS
from bargein.testing.vendors.scripted_llm import KEY, ModelScript
from tests.providers.conformance.models import CASES

pytestmark = pytest.mark.anyio


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    async with new_client() as client:
        yield client


async def body_of(client: httpx.AsyncClient, provider: str, **config: Any) -> dict[str, Any]:
    (case,) = (case for case in CASES if case.provider == provider)
    async with case.fake(ModelScript()) as fake:
        async for _ in case.create(fake, client, **config).reply([ChatMessage("user", "Hello")]):
            pass
        return (await fake.exchange()).body


@pytest.mark.parametrize(
    ("provider", "field"),
    [
        ("groq", "max_completion_tokens"),
        ("cerebras", "max_completion_tokens"),
        ("xai", "max_completion_tokens"),
        ("minimax", "max_completion_tokens"),
        ("deep-seek", "max_tokens"),
        ("together-ai", "max_tokens"),
        ("openrouter", "max_tokens"),
    ],
)
async def test_the_limit_has_the_vendors_name(client: httpx.AsyncClient, provider: str, field: str) -> None:
    assert (await body_of(client, provider, maxTokens=60))[field] == 60


@pytest.mark.parametrize(
    ("provider", "model", "limit"),
    [
        ("deep-seek", "deepseek-reasoner", 1274),
        ("deep-seek", "deepseek-chat", 250),
        ("together-ai", "deepseek-ai/DeepSeek-R1", 1274),
        ("xai", "grok-4-fast-non-reasoning", 250),
        ("xai", "grok-4-fast-reasoning", 1274),
        ("minimax", "MiniMax-M2.7", 1274),
        ("groq", "llama-3.3-70b-versatile", 250),
    ],
)
async def test_a_model_that_thinks_has_room_for_it(
    client: httpx.AsyncClient, provider: str, model: str, limit: int
) -> None:
    body = await body_of(client, provider, model=model)
    assert body.get("max_tokens", body.get("max_completion_tokens")) == limit


async def test_models_are_told_to_think_little_where_they_can_be(client: httpx.AsyncClient) -> None:
    assert (await body_of(client, "groq", model="openai/gpt-oss-120b"))["reasoning_effort"] == "low"
    assert (await body_of(client, "groq", model="qwen/qwen3-32b"))["reasoning_effort"] == "none"
    assert "reasoning_effort" not in await body_of(client, "groq", model="llama-3.1-8b-instant")
    assert (await body_of(client, "minimax", temperature=1.5)) | {"reasoning_split": True, "temperature": 1.0} == (
        await body_of(client, "minimax", temperature=1.0)
    )


async def test_a_vendor_without_a_public_address_needs_the_operators(client: httpx.AsyncClient) -> None:
    from types import SimpleNamespace

    from bargein.settings import Settings

    part = MODELS["anyscale"]
    resources: Any = SimpleNamespace(
        settings=Settings(), credentials={"anyscale": {"apiKey": KEY}}, client=client, api_key=lambda _: KEY
    )
    with pytest.raises(ProviderError, match="has no public address: set ANYSCALE_BASE_URL"):
        part.create(part.config.from_json({"provider": "anyscale", "model": "m"}), resources)
