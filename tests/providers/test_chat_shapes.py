"""Streams of compatible servers that differ from OpenAI's, in the shapes that their recordings have."""

import json
from collections.abc import AsyncIterator, Sequence
from typing import Any

import anyio
import httpx
import pytest

from bargein.http_client import new_client
from bargein.ports import ChatMessage, ProviderError, ToolCall
from bargein.providers import model_server
from bargein.providers.chat import ChatServer, stream_chat
from bargein.providers.http import endpoint
from bargein.testing.http_peer import Exchange, HttpPeer

pytestmark = pytest.mark.anyio

USER = (ChatMessage("user", "Hello"),)


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    async with new_client() as client:
        yield client


def chunk(delta: Any, finish: str | None = None, **more: Any) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": delta, "finish_reason": finish, **more}]}


STOP = chunk({}, "stop")


def events(*chunks: Any) -> bytes:
    return b"".join(b"data: " + (c if isinstance(c, bytes) else json.dumps(c).encode()) + b"\n\n" for c in chunks)


class Server(HttpPeer):
    """A server that answers every request with the same bytes."""

    def __init__(self, body: bytes, content_type: str = "text/event-stream") -> None:
        super().__init__(self._answer)
        self.body, self.content_type = body, content_type

    async def _answer(self, exchange: Exchange) -> None:
        await exchange.respond(200, self.body, content_type=self.content_type)

    def chat(self, **options: Any) -> ChatServer:
        url = endpoint(f"{self.origin}/v1/chat/completions", {}, ended_reason="x")
        return ChatServer(**{"provider": "custom-llm", "endpoint": url, "body": {"model": "m"}, **options})


async def said(
    client: httpx.AsyncClient, body: bytes, content_type: str = "text/event-stream", **options: Any
) -> list[str | ToolCall]:
    async with Server(body, content_type) as server:
        return [piece async for piece in stream_chat(client, server.chat(**options), USER)]


@pytest.mark.parametrize(
    ("chunks", "expected"),
    [
        # Mistral's reasoning models: a list of parts
        (
            [
                chunk({"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "Hm."}]}]}),
                chunk({"content": [{"type": "text", "text": "Four"}]}),
                chunk({"content": "."}),
                STOP,
            ],
            "Four.",
        ),
        # a whole message instead of deltas
        ([{"choices": [{"index": 0, "message": {"content": "Four."}, "finish_reason": "stop"}]}], "Four."),
        # Perplexity: beside each delta the whole message so far
        (
            [
                chunk({"content": "Fo"}, message={"content": "Fo"}),
                chunk({"content": "ur."}, message={"content": "Four."}),
                chunk({"content": ""}, "stop", message={"content": "Four."}),
            ],
            "Four.",
        ),
        # OpenAI's refusals have a field of their own
        ([chunk({"refusal": "I cannot "}), chunk({"refusal": "do that."}), STOP], "I cannot do that."),
        # thoughts in fields of their own: DeepSeek, Groq, MiniMax
        ([chunk({"reasoning_content": "Hm.", "content": None}), chunk({"content": "Four."}), STOP], "Four."),
        ([chunk({"reasoning": "Hm."}), chunk({"content": "Four."}), STOP], "Four."),
        ([chunk({"reasoning_details": [{"text": "Hm."}]}), chunk({"content": "Four."}), STOP], "Four."),
        # no end but that of the body
        ([chunk({"content": "Four."})], "Four."),
        # the usage after the end
        ([chunk({"content": "Four."}), STOP, {"choices": [], "usage": {}}, b"[DONE]"], "Four."),
        # an error after a complete answer
        ([chunk({"content": "Four."}), STOP, {"error": {"message": "late"}}], "Four."),
        # a finish_reason that is empty is none
        ([chunk({"content": "Fo"}, ""), chunk({"content": "ur."}, "stop")], "Four."),
        # the base status of MiniMax, when nothing is wrong
        ([{**chunk({"content": "Four."}), "base_resp": {"status_code": 0, "status_msg": ""}}, STOP], "Four."),
    ],
)
async def test_text_is_found_where_servers_put_it(
    client: httpx.AsyncClient, chunks: Sequence[Any], expected: str
) -> None:
    assert "".join(map(str, await said(client, events(*chunks)))) == expected


async def test_comments_between_events_are_skipped(client: httpx.AsyncClient) -> None:
    body = b": PROCESSING\n\n" + events(chunk({"content": "Four."})) + b": PROCESSING\n\n" + events(STOP)
    assert await said(client, body) == ["Four."]


async def test_an_answer_that_is_no_stream_is_read(client: httpx.AsyncClient) -> None:
    whole = {
        "object": "chat.completion",
        "choices": [{"message": {"role": "assistant", "content": "Four."}, "finish_reason": "stop"}],
    }
    assert await said(client, json.dumps(whole).encode(), "application/json; charset=utf-8") == ["Four."]


async def test_a_call_in_the_older_form_is_read(client: httpx.AsyncClient) -> None:
    pieces = [{"name": "weather", "arguments": ""}, {"arguments": '{"city": '}, {"arguments": '"Bern"}'}]
    body = events(*(chunk({"function_call": piece}) for piece in pieces), chunk({}, "function_call"))
    (call,) = await said(client, body)
    assert isinstance(call, ToolCall)
    assert (call.name, call.arguments) == ("weather", '{"city": "Bern"}')


async def test_a_body_that_ends_within_a_call_is_an_error(client: httpx.AsyncClient) -> None:
    piece = {"index": 0, "id": "a", "function": {"name": "weather", "arguments": '{"city": '}}
    with pytest.raises(ProviderError, match="ended its answer within a tool call"):
        await said(client, events(chunk({"content": "Let me see."}), chunk({"tool_calls": [piece]})))
    piece["function"] = {"name": "weather", "arguments": "{}"}
    answer = await said(client, events(chunk({"tool_calls": [piece]})))
    assert [call.name for call in answer if isinstance(call, ToolCall)] == ["weather"]


@pytest.mark.parametrize(
    ("body", "quote", "reason"),
    [
        # Groq, by an event of its own name
        (
            b"event: error\n" + events({"error": {"message": "Over capacity.", "type": "e", "status_code": 503}}),
            "Over capacity.",
            "503-server-overloaded-error",
        ),
        # Groq, beside no choices
        (events({"choices": [], "x_groq": {"id": "r", "error": "Over capacity."}}), "Over capacity.", "llm-failed"),
        # OpenRouter: the status of the vendor behind it, and an end
        (
            events({**chunk({"content": ""}, "error"), "error": {"code": 429, "message": "Slower."}}),
            "Slower.",
            "429-exceeded-quota",
        ),
        # after the end of an answer without a word
        (events(STOP, {"error": {"code": 500, "message": "Broken."}}), "Broken.", "500-server-error"),
        # vLLM
        (
            events({"object": "error", "message": "Too long.", "code": 400}),
            "Too long.",
            "400-bad-request-validation-failed",
        ),
        # Ollama
        (events({"error": "the model is gone"}), "the model is gone", "llm-failed"),
        # FastAPI
        (events({"detail": "No."}), "No.", "llm-failed"),
    ],
)
async def test_an_error_in_a_stream_is_told_in_its_words(
    client: httpx.AsyncClient, body: bytes, quote: str, reason: str
) -> None:
    with pytest.raises(ProviderError) as caught:
        await said(client, body)
    assert caught.value.quote == quote
    assert caught.value.ended_reason == f"pipeline-error-custom-llm-{reason}"


@pytest.mark.parametrize(("code", "reason"), [(1004, "401-unauthorized"), (1008, "429-exceeded-quota")])
async def test_an_error_with_status_200_has_the_status_that_its_code_means(
    client: httpx.AsyncClient, code: int, reason: str
) -> None:
    body = json.dumps({"base_resp": {"status_code": code, "status_msg": "not today"}, "choices": None}).encode()
    with pytest.raises(ProviderError) as caught:
        await said(client, body, "application/json", statuses_by_code={1004: 401, 1008: 402})
    assert caught.value.quote == "not today"
    assert caught.value.ended_reason == f"pipeline-error-custom-llm-{reason}"


async def test_an_empty_answer_is_no_error(client: httpx.AsyncClient) -> None:
    assert await said(client, events(STOP, b"[DONE]")) == []


async def test_what_a_server_wants_back_comes_back_with_its_calls(client: httpx.AsyncClient) -> None:
    call = {"index": 0, "id": "a", "function": {"name": "weather", "arguments": "{}"}}
    signed = {**call, "extra_content": {"google": {"thought_signature": "sig"}}}
    details = [
        {"type": "reasoning.text", "index": 0, "text": "I "},
        {"type": "reasoning.text", "index": 0, "text": "think"},
    ]
    body = events(
        chunk({"reasoning_content": "I "}),
        chunk({"reasoning_content": "think", "reasoning_details": details[:1]}),
        chunk({"reasoning_details": details[1:]}),
        chunk({"tool_calls": [signed]}),
        chunk({}, "tool_calls"),
    )
    fields = ("reasoning_content", "reasoning_details")
    async with Server(body) as server:
        (called,) = [piece async for piece in stream_chat(client, server.chat(returned_fields=fields), USER)]
        assert isinstance(called, ToolCall)
        messages = (*USER, ChatMessage("assistant", "", (called,)), ChatMessage("tool", "12", (), "a"))
        for provider in ("custom-llm", "another"):
            async for _ in stream_chat(client, server.chat(provider=provider), messages):
                pass
        back, elsewhere = (await server.exchange(1)).body["messages"][1], (await server.exchange(2)).body["messages"][1]
    assert back["reasoning_content"] == "I think"
    assert back["reasoning_details"] == [{"type": "reasoning.text", "index": 0, "text": "I think"}]
    assert back["tool_calls"][0]["extra_content"] == {"google": {"thought_signature": "sig"}}
    assert set(elsewhere) == {"role", "content", "tool_calls"}, "another vendor's model gets nothing of it"
    assert set(elsewhere["tool_calls"][0]) == {"id", "type", "function"}


async def test_a_server_that_wants_turns_gets_them(client: httpx.AsyncClient) -> None:
    messages = [
        ChatMessage("system", "Be brief."),
        ChatMessage("system", "Be kind."),
        ChatMessage("assistant", "Hello."),
        ChatMessage("user", "It is"),
        ChatMessage("user", "cold."),
        ChatMessage("assistant", "", (ToolCall("a", "f", "{}"),)),
        ChatMessage("tool", "12", (), "a"),
        ChatMessage("system", "Say goodbye."),
    ]
    async with Server(events(chunk({"content": "Bye."}), STOP)) as server:
        chat = server.chat(alternating=True)
        async for _ in stream_chat(client, chat, messages):
            pass
        sent = (await server.exchange()).body["messages"]
    assert [message["role"] for message in sent] == ["system", "user", "assistant", "user"]
    assert sent[0]["content"] == "Be brief.\n\nBe kind."
    assert sent[3]["content"] == "It is\n\ncold.\n\n12\n\n<system>Say goodbye.</system>"


async def test_secrets_of_the_url_and_the_headers_are_not_quoted(client: httpx.AsyncClient) -> None:
    key, path_key, header = "query-key-0123", "path-key-0123456789abcdef", "header-key-0123"
    body = events({"error": {"message": f"No {key}, {path_key}, {header}."}})
    async with Server(body) as server:
        url = endpoint(
            f"{server.origin}/{path_key}/chat/completions?key={key}",
            {"Authorization": f"Bearer {header}"},
            ended_reason="x",
        )
        with pytest.raises(ProviderError) as caught:
            async for _ in stream_chat(client, server.chat(endpoint=url), USER):
                pass
    assert caught.value.quote == "No ***, ***, ***."


async def test_a_status_is_told_though_the_body_of_its_error_hangs(
    client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(model_server, "_ERROR_BODY_S", 0.2)

    async def answer(exchange: Exchange) -> None:
        await exchange.stream.send(b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 100\r\n\r\n{")
        await anyio.sleep_forever()

    async with HttpPeer(answer) as peer:
        url = endpoint(f"{peer.origin}/v1/chat/completions", {}, ended_reason="x")
        server = ChatServer(provider="custom-llm", endpoint=url, body={}, key_setting="the key")
        with pytest.raises(ProviderError, match="answered 401; check the key"), anyio.fail_after(5):
            async for _ in stream_chat(client, server, USER):
                pass
