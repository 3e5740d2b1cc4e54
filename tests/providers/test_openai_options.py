"""The fields of Vapi's `OpenAIModel`: fallbacks, effort, the prompt cache, strict tools."""

import json
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

import anyio
import httpx
import pytest

from bargein.http_client import new_client
from bargein.ports import ChatMessage, ProviderError
from bargein.providers.openai import llm
from bargein.providers.openai.llm import OpenAiConfig, OpenAiModel
from bargein.providers.openai.tool_schemas import compatible_tool
from bargein.testing import FakeLlm, LlmScript

pytestmark = pytest.mark.anyio

USER = (ChatMessage("user", "Hello"),)


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    async with new_client() as client:
        yield client


def scripts(**by_model: LlmScript) -> Any:
    return lambda body: by_model[body["model"]]


def model(fake: FakeLlm, client: httpx.AsyncClient, **config: Any) -> OpenAiModel:
    return OpenAiModel(OpenAiConfig(**{"model": "a", "base_url": fake.url, **config}), client)


async def said(one: OpenAiModel) -> list[str]:
    return [str(piece) async for piece in one.reply(USER)]


async def listen(one: OpenAiModel, heard: list[str]) -> None:
    async for piece in one.reply(USER):
        assert isinstance(piece, str)
        heard.append(piece)


def asked(fake: FakeLlm) -> list[str]:
    return [exchange.body["model"] for exchange in fake.exchanges]


@pytest.mark.parametrize(
    "broken", [LlmScript(status=500), LlmScript(status=404), LlmScript(tokens=(), ending="die"),
               LlmScript(tokens=(), ending="hang")],
)  # fmt: skip
async def test_a_fallback_answers_when_a_model_fails_before_its_first_word(
    client: httpx.AsyncClient, broken: LlmScript, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(llm, "_FALLBACK_AFTER_S", 0.3)
    async with FakeLlm(scripts(a=broken, b=broken, c=LlmScript(tokens=("Here.",)))) as fake:
        with anyio.fail_after(5):
            assert await said(model(fake, client, fallback_models=("b", "c", "a"))) == ["Here."]
        assert asked(fake) == ["a", "b", "c"]


async def test_after_its_first_word_no_fallback_answers(client: httpx.AsyncClient) -> None:
    heard: list[str] = []
    async with FakeLlm(scripts(a=LlmScript(tokens=("One ",), ending="die"), b=LlmScript())) as fake:
        with pytest.raises(ProviderError):
            await listen(model(fake, client, fallback_models=("b",)), heard)
        assert asked(fake) == ["a"]
    assert heard == ["One "]


async def test_the_last_models_failure_is_told_and_few_are_tried(client: httpx.AsyncClient) -> None:
    async with FakeLlm(LlmScript(status=503)) as fake:
        with pytest.raises(ProviderError) as caught:
            await said(model(fake, client, fallback_models=tuple("bcdefgh")))
        assert asked(fake) == ["a", "b", "c", "d", "e"]
    assert caught.value.ended_reason == "pipeline-error-openai-503-server-overloaded-error"


async def test_closing_a_fallbacks_answer_closes_its_connection(client: httpx.AsyncClient) -> None:
    async with FakeLlm(scripts(a=LlmScript(status=500), b=LlmScript(interval_ms=5, repeat=True))) as fake:
        async with aclosing(model(fake, client, fallback_models=("b",)).reply(USER)) as pieces:  # type: ignore[type-var]
            assert await anext(pieces)
        with anyio.fail_after(2):
            await (await fake.exchange(1)).gone.wait()


async def test_options_reach_the_request(client: httpx.AsyncClient) -> None:
    async with FakeLlm() as fake:
        await said(model(fake, client))
        options = {"reasoning_effort": "low", "prompt_cache_key": "agent", "prompt_cache_retention": "24h"}
        await said(model(fake, client, **options))
        plain, full = (await fake.exchange(0)).body, (await fake.exchange(1)).body
    assert {name: full[name] for name in options} == options
    assert not options.keys() & plain.keys()


@pytest.mark.parametrize(
    ("name", "given", "effort", "limit"),
    [
        ("gpt-5-mini", None, "minimal", 250),
        ("gpt-5", "high", "high", 16_634),
        ("gpt-5.1", None, None, 250),
        ("gpt-5.1", "low", "low", 1274),
        ("gpt-5-pro", None, None, 16_634),
        ("o4-mini", None, None, 4346),
        ("gpt-4o", None, None, 250),
    ],
)
async def test_models_that_think_at_length_think_little_by_default_or_have_room_for_it(
    name: str, given: Any, effort: str | None, limit: int
) -> None:
    bodies: list[dict[str, Any]] = []

    def answer(request: httpx.Request) -> httpx.Response:
        bodies.append(json.loads(request.content))
        return httpx.Response(200, content=b"data: [DONE]\n\n")

    async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as client:
        await said(OpenAiModel(OpenAiConfig(model=name, api_key="sk", reasoning_effort=given), client))
    assert bodies[0].get("reasoning_effort") == effort
    assert bodies[0]["max_completion_tokens"] == limit


async def test_thoughts_that_use_up_the_limit_say_which_fields_to_change(client: httpx.AsyncClient) -> None:
    tail = b'data: {"choices": [{"delta": {}, "finish_reason": "length"}]}\n\n'
    async with FakeLlm(LlmScript(tokens=(), tail=tail)) as fake:
        with pytest.raises(ProviderError) as caught:
            await said(model(fake, client))
    assert caught.value.setting == "model.maxTokens or model.reasoningEffort"


NAME = {"type": "string", "minLength": 1}
AGES = {"type": "array", "items": {"type": "integer", "minimum": 0}}
TOOL = {
    "type": "function",
    "function": {
        "name": "book",
        "parameters": {
            "type": "object",
            "properties": {"name": NAME, "ages": AGES, "note": {"type": "string"}, "pattern": {"type": "string"}},
            "required": ["name", "note"],
        },
    },
}


def properties(tool: dict[str, Any]) -> dict[str, Any]:
    return tool["function"]["parameters"]["properties"]


def test_strict_tools_lose_the_validation_that_is_unsupported() -> None:
    stripped = compatible_tool(TOOL, "strip-unsupported-validation")
    assert properties(stripped) == {
        "name": {"type": "string"},
        "ages": {"type": "array", "items": {"type": "integer"}},
        "note": {"type": "string"},
        "pattern": {"type": "string"},  # a parameter that has the name of a keyword
    }
    assert stripped["function"]["parameters"]["required"] == ["name", "note"]
    whole = compatible_tool(TOOL, "strip-parameters-with-unsupported-validation")
    assert set(properties(whole)) == {"note", "pattern"}
    assert whole["function"]["parameters"]["required"] == ["note"]


def test_without_a_mode_only_strict_tools_are_changed() -> None:
    assert compatible_tool(TOOL, None) is TOOL
    strict = {**TOOL, "function": {**TOOL["function"], "strict": True}}
    assert properties(compatible_tool(strict, None))["name"] == {"type": "string"}


async def test_the_mode_reaches_the_request(client: httpx.AsyncClient) -> None:
    async with FakeLlm() as fake:
        one = model(fake, client, strict_mode="strip-unsupported-validation")
        async for _ in one.reply(USER, [TOOL]):
            pass
        sent = (await fake.exchange()).body["tools"][0]
    assert properties(sent)["name"] == {"type": "string"}
