"""Tools in chat completions: declared, called in pieces, answered."""

import json
from collections.abc import AsyncIterator, Sequence
from typing import Any

import anyio
import httpx
import pytest

from bargein.http_client import new_client
from bargein.ports import ChatMessage, ProviderError, ToolCall
from bargein.providers.chat_tools import MOST_ARGUMENT_CHARS, MOST_CALLS
from bargein.providers.custom.llm import CustomLlm, CustomLlmConfig
from bargein.providers.openai.llm import OpenAiConfig, OpenAiModel
from bargein.testing import FakeLlm, LlmScript

pytestmark = pytest.mark.anyio

USER = (ChatMessage("user", "What is the weather?"),)
WEATHER = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object", "properties": {}}}}


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    async with new_client() as client:
        yield client


def model(llm: FakeLlm, client: httpx.AsyncClient, **settings: Any) -> CustomLlm:
    return CustomLlm(CustomLlmConfig(**{"url": llm.url, "model": "m", **settings}), client)


async def answer(
    llm: FakeLlm, client: httpx.AsyncClient, messages: Sequence[ChatMessage] = USER, **settings: Any
) -> list[str | ToolCall]:
    return [piece async for piece in model(llm, client, **settings).reply(messages, [WEATHER])]


def deltas(*calls: dict[str, Any], finish: str | None = "tool_calls") -> bytes:
    """Each call in a chunk of its own, then the finish."""
    chunks = [{"choices": [{"delta": {"tool_calls": [call]}, "finish_reason": None}]} for call in calls]
    if finish is not None:
        chunks.append({"choices": [{"delta": {}, "finish_reason": finish}]})
    return b"".join(b"data: " + json.dumps(chunk).encode() + b"\n\n" for chunk in chunks)


async def test_text_and_calls_come_in_one_answer(client: httpx.AsyncClient) -> None:
    calls = [("weather", '{"city": "Berlin"}'), ("time", "{}")]
    async with FakeLlm(LlmScript(tokens=("Let ", "me see."), calls=calls)) as llm:
        said = await answer(llm, client)
        body = (await llm.exchange()).body
    assert said == [
        "Let ", "me see.", ToolCall("call_1", "weather", '{"city": "Berlin"}'), ToolCall("call_2", "time", "{}")
    ]  # fmt: skip
    assert body["tools"] == [WEATHER]


async def test_without_tools_none_are_declared(client: httpx.AsyncClient) -> None:
    async with FakeLlm(LlmScript(tokens=("Hi.",))) as llm:
        assert [piece async for piece in model(llm, client).reply(USER)] == ["Hi."]
        openai = OpenAiModel(OpenAiConfig(model="m", base_url=llm.url), client)
        assert [piece async for piece in openai.reply(USER, [WEATHER])] == ["Hi."]
        assert "tools" not in (await llm.exchange(0)).body
        assert (await llm.exchange(1)).body["tools"] == [WEATHER]


@pytest.mark.parametrize(
    ("pieces", "calls"),
    [
        # whole, under one index, distinguished by their ids
        (
            [
                {"index": 0, "id": "a", "function": {"name": "f", "arguments": "{}"}},
                {"index": 0, "id": "b", "function": {"name": "g", "arguments": "{}"}},
            ],
            [("a", "f", "{}"), ("b", "g", "{}")],
        ),
        # whole, without any index
        (
            [
                {"id": "a", "function": {"name": "f", "arguments": '{"x": 1}'}},
                {"id": "b", "function": {"name": "f", "arguments": '{"x": 2}'}},
            ],
            [("a", "f", '{"x": 1}'), ("b", "f", '{"x": 2}')],
        ),
        # without index and without id
        (
            [{"function": {"name": "f", "arguments": '{"x": 1}'}}, {"function": {"name": "g", "arguments": "{}"}}],
            [(None, "f", '{"x": 1}'), (None, "g", "{}")],
        ),
        # name and id again with every piece, arguments in pieces
        (
            [
                {"index": 0, "id": "a", "function": {"name": "f", "arguments": '{"x"'}},
                {"index": 0, "id": "a", "function": {"name": "f", "arguments": ": 1}"}},
            ],
            [("a", "f", '{"x": 1}')],
        ),
        # the name in pieces, the id late
        (
            [
                {"index": 0, "function": {"name": "wea"}},
                {"index": 0, "id": "a", "function": {"name": "ther"}},
                {"index": 0, "function": {"arguments": "{}"}},
            ],
            [("a", "weather", "{}")],
        ),
        # arguments as an object, and none at all
        (
            [{"index": 0, "id": "a", "function": {"name": "f", "arguments": {"x": 1}}}, {"index": 1, "id": "b"}],
            [("a", "f", '{"x": 1}')],
        ),
        # interleaved
        (
            [
                {"index": 0, "id": "a", "function": {"name": "f"}},
                {"index": 1, "id": "b", "function": {"name": "g"}},
                {"index": 0, "function": {"arguments": "{}"}},
                {"index": 1, "function": {"arguments": "[]"}},
            ],
            [("a", "f", "{}"), ("b", "g", "[]")],
        ),
    ],
)
@pytest.mark.parametrize("finish", ["tool_calls", "stop", None])
async def test_servers_that_stream_calls_in_their_own_way(
    client: httpx.AsyncClient,
    pieces: list[dict[str, Any]],
    calls: list[tuple[str | None, str, str]],
    finish: str | None,
) -> None:
    async with FakeLlm(LlmScript(tokens=(), tail=deltas(*pieces, finish=finish))) as llm:
        said = [piece for piece in await answer(llm, client) if isinstance(piece, ToolCall)]
    assert [(c.name, c.arguments) for c in said] == [(name, arguments) for _, name, arguments in calls]
    for call, (call_id, _, _) in zip(said, calls, strict=True):
        assert call.id == call_id if call_id is not None else call.id.startswith("call_")
    assert len({call.id for call in said}) == len(said)


@pytest.mark.parametrize(
    "pieces",
    [
        [{"index": n, "id": f"c{n}", "function": {"name": "f", "arguments": "{}"}} for n in range(MOST_CALLS + 1)],
        [{"index": 0, "id": "a", "function": {"name": "f", "arguments": "x" * (MOST_ARGUMENT_CHARS // 2)}}] * 3,
        [{"index": 0, "id": 7, "function": {"name": "f"}}],
        ["what"],
    ],
)
async def test_too_many_or_too_long_calls_are_an_unreadable_answer(
    client: httpx.AsyncClient, pieces: list[Any]
) -> None:
    async with FakeLlm(LlmScript(tokens=(), tail=deltas(*pieces))) as llm:
        with pytest.raises(ProviderError, match="unreadable"):
            await answer(llm, client)


async def test_the_pieces_of_a_slow_call_reset_the_time_limit(client: httpx.AsyncClient) -> None:
    async with FakeLlm(LlmScript(tokens=("",), interval_ms=10, repeat=True)) as llm:
        llm.script = LlmScript(tokens=(), ending="hang")
        exchanges: list[ToolCall | str] = []

        async def slowly() -> None:
            exchange = await llm.exchange()
            for number in range(6):
                await anyio.sleep(0.1)
                piece = {"index": 0, "id": "a", "function": {"name": "f", "arguments": '"' if number else ""}}
                await exchange.send(deltas(piece, finish=None))
            await exchange.send(deltas())

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(slowly)
            exchanges = await answer(llm, client, timeout_s=0.4)
    assert exchanges == [ToolCall("a", "f", '"""""')]


async def test_calls_and_results_are_sent_as_in_openais_api(client: httpx.AsyncClient) -> None:
    broken = ToolCall("call_2", "time", "{not json")
    messages = (
        *USER,
        ChatMessage("assistant", "Let me see.", (ToolCall("call_1", "weather", '{"city": "Berlin"}'),)),
        ChatMessage("tool", "Rain.", tool_call_id="call_1"),
        ChatMessage("assistant", "", (broken,)),
        ChatMessage("tool", "That was no JSON.", tool_call_id="call_2"),
        ChatMessage("tool", "A message that answers no call."),
    )
    async with FakeLlm(LlmScript(tokens=("Rain.",))) as llm:
        await answer(llm, client, messages)
        sent = (await llm.exchange()).body["messages"]

    def call(call_id: str, name: str, arguments: str) -> dict[str, Any]:
        return {"id": call_id, "type": "function", "function": {"name": name, "arguments": arguments}}

    assert sent[1:] == [
        {
            "role": "assistant",
            "content": "Let me see.",
            "tool_calls": [call("call_1", "weather", '{"city": "Berlin"}')],
        },
        {"role": "tool", "content": "Rain.", "tool_call_id": "call_1"},
        # a server would refuse the conversation for the arguments of its own model
        {"role": "assistant", "content": None, "tool_calls": [call("call_2", "time", "{}")]},
        {"role": "tool", "content": "That was no JSON.", "tool_call_id": "call_2"},
        {"role": "tool", "content": "A message that answers no call."},
    ]
