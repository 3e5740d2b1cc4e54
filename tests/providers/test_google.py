"""Gemini: what its requests hold, its thought signatures, and its reasons for no answer."""

import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from bargein.http_client import new_client
from bargein.ports import ChatMessage, Model, ProviderError, ToolCall
from bargein.providers.google.contents import NO_SIGNATURE, generation_config, request_body
from bargein.testing.http_peer import Exchange, HttpPeer
from bargein.testing.vendors.google_llm import GoogleLlm, conversation_problem
from bargein.testing.vendors.scripted_llm import ModelScript
from tests.providers.conformance.models import CASES

pytestmark = pytest.mark.anyio

USER = ChatMessage("user", "Hello")
TOOL = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object", "properties": {}}}}
GEMINI_3 = "gemini-3-pro-preview"


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    async with new_client() as client:
        yield client


def google(fake: Any, client: httpx.AsyncClient, **config: Any) -> Model:
    (case,) = (case for case in CASES if case.provider == "google")
    return case.create(fake, client, **config)


def contents_of(*messages: ChatMessage, model: str = GEMINI_3) -> list[dict[str, Any]]:
    body = request_body(model, {}, messages, [TOOL])
    assert conversation_problem(body, signed=model == GEMINI_3) is None
    return body["contents"]


@pytest.mark.parametrize(
    ("model", "expected", "limit"),
    [
        ("gemini-2.0-flash", None, 250),
        ("gemini-2.5-flash", {"thinkingBudget": 0}, 250),
        ("gemini-2.5-flash-lite", {"thinkingBudget": 0}, 250),
        ("gemini-2.5-pro", {"thinkingBudget": 128}, 378),
        (GEMINI_3, {"thinkingLevel": "low"}, 1274),
        ("gemini-4-argon", {"thinkingLevel": "low"}, 1274),
    ],
)
def test_a_model_thinks_as_little_as_it_can(model: str, expected: dict[str, Any] | None, limit: int) -> None:
    config = generation_config(model, 0.5, 250)
    assert config.get("thinkingConfig") == expected
    assert config["maxOutputTokens"] == limit


def test_a_tool_without_parameters_declares_none() -> None:
    assert request_body(GEMINI_3, {}, [USER], [TOOL])["tools"] == [
        {"functionDeclarations": [{"name": "weather", "description": ""}]}
    ]


async def test_a_signature_comes_back_with_its_call(client: httpx.AsyncClient) -> None:
    calls = [("weather", '{"city": "Bern"}'), ("weather", "{}")]
    async with GoogleLlm(ModelScript(tokens=(), calls=calls)) as fake:
        model = google(fake, client)
        called = [piece async for piece in model.reply([USER], [TOOL]) if isinstance(piece, ToolCall)]
        fake.script = ModelScript()
        results = [
            ChatMessage("tool", text, (), call.id) for text, call in zip(('{"c": 12}', "warm"), called, strict=True)
        ]
        async for _ in model.reply([USER, ChatMessage("assistant", "", tuple(called)), *results], [TOOL]):
            pass
        sent = (await fake.exchange(1)).body["contents"]
    signature = json.loads(called[0].vendor_state)["google"]["signature"]
    assert sent[1]["parts"] == [
        {"functionCall": {"name": "weather", "args": {"city": "Bern"}}, "thoughtSignature": signature},
        {"functionCall": {"name": "weather", "args": {}}},
    ]
    assert [part["functionResponse"]["response"] for part in sent[2]["parts"]] == [{"c": 12}, {"result": "warm"}]


def test_a_call_of_another_vendors_model_is_marked_as_unsigned() -> None:
    talked = (USER, ChatMessage("assistant", "", (ToolCall("a", "f", "{}"),)), ChatMessage("tool", "12", (), "a"))
    assert contents_of(*talked)[1]["parts"][0]["thoughtSignature"] == NO_SIGNATURE
    assert "thoughtSignature" not in contents_of(*talked, model="gemini-2.5-flash")[1]["parts"][0]


def test_results_and_calls_match_whatever_is_missing() -> None:
    calls = (ToolCall("a", "f", "{}"), ToolCall("b", "g", "broken"))
    contents_of(USER, ChatMessage("assistant", "", calls), ChatMessage("tool", "12", (), "b"), USER)
    contents_of(USER, ChatMessage("assistant", "", calls), ChatMessage("assistant", "Well."), USER)
    contents_of(USER, ChatMessage("assistant", "", calls))
    contents_of(ChatMessage("assistant", "Hello."), ChatMessage("tool", "12", (), "gone"), USER)


@pytest.mark.parametrize(
    ("chunks", "expected"),
    [
        (
            [{"promptFeedback": {"blockReason": "PROHIBITED_CONTENT"}}],
            "refused the conversation: its filter of prohibited",
        ),
        ([{"candidates": [{"finishReason": "SPII"}]}], "its filter of personal data"),
        ([{"candidates": [{"finishReason": "SOMETHING_NEW"}]}], "one of its filters"),
        ([{"candidates": [{"finishReason": "MALFORMED_FUNCTION_CALL"}]}], "called a tool in a way that cannot be read"),
        ([{"unknown": 1}], "an event is not a piece of an answer"),
        ([{"candidates": [{"content": {"parts": [{"functionCall": {"args": {}}}]}}]}], "a tool call has no name"),
    ],
)
async def test_no_answer_has_its_reason(client: httpx.AsyncClient, chunks: list[dict[str, Any]], expected: str) -> None:
    body = b"".join(b"data: " + json.dumps(chunk).encode() + b"\r\n\r\n" for chunk in chunks)

    async def answer(exchange: Exchange) -> None:
        await exchange.respond(200, body, content_type="text/event-stream")

    async with HttpPeer(answer) as peer:
        peer.url = peer.origin  # type: ignore[attr-defined]
        with pytest.raises(ProviderError, match=expected):
            async for _ in google(peer, client).reply([USER]):
                pass


async def test_a_wrong_key_is_told_whatever_its_status(client: httpx.AsyncClient) -> None:
    said = "API key not valid. Please pass a valid API key."
    async with GoogleLlm(ModelScript(status=400, message=said)) as fake:
        with pytest.raises(ProviderError) as caught:
            async for _ in google(fake, client).reply([USER]):
                pass
    assert caught.value.setting == "the credential google, or GEMINI_API_KEY"
    assert caught.value.quote == said
