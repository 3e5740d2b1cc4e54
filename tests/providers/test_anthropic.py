"""Claude: what its requests hold, its thinking, and Amazon Bedrock."""

import json
import struct
import zlib
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from bargein.http_client import new_client
from bargein.ports import ChatMessage, Model, ProviderError, ToolCall
from bargein.providers.anthropic.aws_keys import Role, RoleKeys
from bargein.providers.anthropic.bedrock import bedrock_model_id
from bargein.providers.anthropic.event_stream import StreamMessage, stream_messages
from bargein.providers.anthropic.events import MessageReader
from bargein.providers.anthropic.messages import MessagesOptions, request_body
from bargein.providers.anthropic.sigv4 import AwsKeys, sign
from bargein.providers.http import StreamError, endpoint
from bargein.providers.model_server import ModelServer, Progress
from bargein.providers.registry import MODELS
from bargein.testing.vendors.anthropic_llm import AnthropicLlm, conversation_problem
from bargein.testing.vendors.scripted_llm import ModelScript, signature_of
from tests.providers.conformance.models import CASES

pytestmark = pytest.mark.anyio

USER = ChatMessage("user", "Hello")
TOOL = {"type": "function", "function": {"name": "weather"}}
THINKING = {"type": "enabled", "budgetTokens": 2000}


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    async with new_client() as client:
        yield client


def anthropic(fake: AnthropicLlm, client: httpx.AsyncClient, **config: Any) -> Model:
    (case,) = (case for case in CASES if case.provider == "anthropic")
    return case.create(fake, client, **config)


def body_of(*messages: ChatMessage, tools: Sequence[dict[str, Any]] = (), **options: Any) -> dict[str, Any]:
    body = request_body(MessagesOptions(**{"model": "claude-haiku-4-5", **options}), messages, tools)
    assert conversation_problem(body) is None
    return body


def text_of(turn: dict[str, Any]) -> list[str]:
    return [block.get("text") or block["type"] for block in turn["content"]]


def test_instructions_and_the_conversations_end_are_marked_for_the_cache() -> None:
    body = body_of(ChatMessage("system", "Be brief."), ChatMessage("system", "Be kind."), USER)
    cache = {"type": "ephemeral"}
    assert body["system"] == [{"type": "text", "text": "Be brief.\n\nBe kind.", "cache_control": cache}]
    assert body["messages"] == [
        {"role": "user", "content": [{"type": "text", "text": "Hello", "cache_control": cache}]}
    ]


def test_neighbours_of_one_role_are_one_message() -> None:
    body = body_of(
        ChatMessage("assistant", "Hello."), ChatMessage("assistant", "How are you? "), USER, ChatMessage("user", "Bye"),
        ChatMessage("system", "Say goodbye."),
    )  # fmt: skip
    assert [turn["role"] for turn in body["messages"]] == ["user", "assistant", "user"]
    assert text_of(body["messages"][1]) == ["Hello.", "How are you?"]
    assert text_of(body["messages"][2]) == ["Hello", "Bye", "<system>Say goodbye.</system>"]


def test_a_result_that_is_not_there_is_said_to_be_missing() -> None:
    calls = (ToolCall("a", "weather", "{}"), ToolCall("b", "weather", "{}"))
    body = body_of(
        USER, ChatMessage("assistant", "", calls), ChatMessage("tool", "12", (), "b"), ChatMessage("user", "?")
    )
    results = {
        block["tool_use_id"]: block for block in body["messages"][2]["content"] if block["type"] == "tool_result"
    }
    assert results["b"]["content"] == "12"
    assert results["a"]["content"] == "There is no result."
    body_of(USER, ChatMessage("assistant", "", calls), ChatMessage("assistant", "Well."), USER)
    body_of(USER, ChatMessage("assistant", "", calls))


def test_a_tool_without_parameters_has_an_empty_schema() -> None:
    (tool,) = body_of(USER, tools=[TOOL])["tools"]
    assert tool == {"name": "weather", "input_schema": {"type": "object", "properties": {}}}


def test_a_temperature_is_sent_only_if_it_was_set_and_stays_below_one() -> None:
    assert "temperature" not in body_of(USER)
    assert body_of(USER, temperature=0.3)["temperature"] == 0.3
    assert body_of(USER, temperature=1.6)["temperature"] == 1.0
    assert "temperature" not in body_of(USER, temperature=0.3, thinking_tokens=1024)


def test_thinking_has_its_budget_beside_the_reply() -> None:
    body = body_of(USER, max_tokens=300, thinking_tokens=2000)
    assert body["thinking"] == {"type": "enabled", "budget_tokens": 2000}
    assert body["max_tokens"] == 2300
    assert body_of(USER, model="claude-opus-5", thinking_tokens=2000)["thinking"] == {"type": "adaptive"}


async def test_thinking_comes_back_with_the_results_of_its_tools(client: httpx.AsyncClient) -> None:
    script = ModelScript(thoughts=("I ", "think."), tokens=("Let me see.",), calls=[("weather", "{}")])
    async with AnthropicLlm(script) as fake:
        model = anthropic(fake, client, thinking=THINKING)
        said = [piece async for piece in model.reply([USER], [TOOL])]
        (call,) = (piece for piece in said if isinstance(piece, ToolCall))
        assert [piece for piece in said if isinstance(piece, str)] == ["Let me see."]
        fake.script = ModelScript()
        for kept in (call, ToolCall(call.id, call.name, call.arguments)):
            talked = [USER, ChatMessage("assistant", "Let me see.", (kept,)), ChatMessage("tool", "12", (), call.id)]
            async for _ in model.reply(talked, [TOOL]):
                pass
        bodies = [(await fake.exchange(number)).body for number in (1, 2)]
    thought = {"type": "thinking", "thinking": "I think.", "signature": signature_of("I think.")}
    assert bodies[0]["messages"][1]["content"][0] == thought
    assert bodies[0]["thinking"]["budget_tokens"] == 2000
    assert "thinking" not in bodies[1], "without its thinking before a call, Claude may not think"
    assert bodies[1]["messages"][1]["content"][0]["type"] == "text"


async def test_a_ping_shows_progress_only_while_claude_thinks() -> None:
    server = ModelServer(provider="anthropic", endpoint=endpoint("http://h/", {}, ended_reason="x"))
    ping = b'{"type": "ping"}'

    def started(kind: str) -> bytes:
        return json.dumps({"type": "content_block_start", "index": 0, "content_block": {"type": kind}}).encode()

    reader = MessageReader(server)
    assert reader.push(ping) is None
    reader.push(started("thinking"))
    assert reader.push(ping) is Progress.THOUGHT
    reader.push(started("text"))
    assert reader.push(ping) is None


@pytest.mark.parametrize(
    ("model", "region", "expected"),
    [
        ("claude-3-opus-20240229", "us-west-2", "anthropic.claude-3-opus-20240229-v1:0"),
        ("claude-3-5-sonnet-20241022", "us-east-1", "us.anthropic.claude-3-5-sonnet-20241022-v2:0"),
        ("claude-sonnet-4-20250514", "ap-northeast-1", "apac.anthropic.claude-sonnet-4-20250514-v1:0"),
        ("claude-sonnet-4-5-20250929", "ap-northeast-1", "jp.anthropic.claude-sonnet-4-5-20250929-v1:0"),
        ("claude-opus-4-6", "eu-west-1", "eu.anthropic.claude-opus-4-6-v1"),
        ("claude-sonnet-4-6", "eu-west-3", "eu.anthropic.claude-sonnet-4-6"),
        ("global.anthropic.claude-opus-5", "eu-west-1", "global.anthropic.claude-opus-5"),
    ],
)
def test_vapis_names_of_models_become_bedrocks_ids(model: str, region: str, expected: str) -> None:
    assert bedrock_model_id(model, region) == expected


EXAMPLE = AwsKeys("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY")
AT = datetime(2015, 8, 30, 12, 36, tzinfo=UTC)


@pytest.mark.parametrize(
    ("method", "url", "signature"),
    [
        # of AWS's published test suite: get-vanilla, get-vanilla-query-order-key-case, post-vanilla
        (
            "GET",
            "https://example.amazonaws.com/",
            "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31",
        ),
        (
            "GET",
            "https://example.amazonaws.com/?Param2=value2&Param1=value1",
            "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500",
        ),
        (
            "POST",
            "https://example.amazonaws.com/",
            "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b",
        ),
    ],
)
def test_signatures_are_those_of_awss_test_suite(method: str, url: str, signature: str) -> None:
    request = httpx.Request(method, url)
    request.headers.pop("content-length", None)
    sign(request, EXAMPLE, "us-east-1", "service", AT)
    assert request.headers["authorization"] == (
        "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, "
        f"SignedHeaders=host;x-amz-date, Signature={signature}"
    )


def test_temporary_keys_send_their_token_and_sign_it() -> None:
    request = httpx.Request("POST", "https://example.amazonaws.com/", json={"a": 1})
    sign(request, AwsKeys("a", "b", "token"), "us-east-1", "bedrock", AT)
    assert request.headers["x-amz-security-token"] == "token"
    assert "content-type;host;x-amz-date;x-amz-security-token" in request.headers["authorization"]


def framed(headers: bytes, payload: bytes) -> bytes:
    prelude = struct.pack(">II", 16 + len(headers) + len(payload), len(headers))
    message = prelude + struct.pack(">I", zlib.crc32(prelude)) + headers + payload
    return message + struct.pack(">I", zlib.crc32(message))


async def read(data: bytes, step: int) -> list[StreamMessage]:
    async def chunks() -> AsyncIterator[bytes]:
        for at in range(0, len(data), step):
            yield data[at : at + step]

    return [message async for message in stream_messages(chunks())]


OTHER_TYPES = (
    b"\x01a\x00\x01b\x02\x07\x01c\x03\x00\x01\x01d\x04\x00\x00\x00\x01\x01e\x08" + b"\x00" * 8 + b"\x01f\x06\x00\x02xy"
)


@pytest.mark.parametrize("step", [1, 7, 1000])
async def test_messages_are_read_however_they_are_split(step: int) -> None:
    named = OTHER_TYPES + b"\x05:name\x07\x00\x05value"
    data = framed(named, b"one") + framed(b"", b"") + framed(b"", b"three")
    assert await read(data, step) == [
        StreamMessage({":name": "value"}, b"one"), StreamMessage({}, b""), StreamMessage({}, b"three")
    ]  # fmt: skip


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: data[:-1],
        lambda data: data[:-5] + b"x" + data[-4:],
        lambda data: b"\x00\x00\x00\x01" + data[4:],
        lambda data: b"<html>no</html>",
        lambda data: framed(b"\x05:name\x63", b""),
        lambda data: framed(b"\x7f", b""),
        lambda data: struct.pack(">II", 2**31, 0) + struct.pack(">I", zlib.crc32(struct.pack(">II", 2**31, 0))),
    ],
)
async def test_damaged_messages_are_refused(damage: Any) -> None:
    with pytest.raises(StreamError):
        await read(damage(framed(b"", b"payload")), 5)


@pytest.mark.parametrize(
    ("credential", "expected"),
    [
        ({}, "set AWS_ACCESS_KEY_ID"),
        ({"authenticationPlan": {"type": "aws-sts", "roleArn": "arn"}}, "names a role, which needs keys of yours"),
        (
            {"authenticationPlan": {"type": "aws-iam", "awsAccessKeyId": "a", "awsSecretAccessKey": "b"}},
            "set AWS_REGION",
        ),
        (
            {
                "authenticationPlan": {"type": "aws-iam", "awsAccessKeyId": "a", "awsSecretAccessKey": "b"},
                "region": "evil.example/",
            },
            "set AWS_REGION",
        ),
    ],
)
async def test_bedrock_without_its_account_says_what_to_set(
    client: httpx.AsyncClient, credential: dict[str, Any], expected: str
) -> None:
    from types import SimpleNamespace

    from bargein.settings import Settings

    part = MODELS["anthropic-bedrock"]
    resources: Any = SimpleNamespace(
        settings=Settings(), credentials={"anthropic-bedrock": credential}, client=client, clock=None
    )
    with pytest.raises(ProviderError, match=expected):
        part.create(part.config.from_json({"provider": "anthropic-bedrock", "model": "claude-opus-4-6"}), resources)


ROLE = Role(
    arn="arn:aws:iam::1:role/r",
    external_id="external-id",
    region="eu-west-1",
    own=EXAMPLE,
    provider="anthropic-bedrock",
)
KEYS = """<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult><Credentials>
<AccessKeyId>ASIAIOSFODNN7EXAMPLE</AccessKeyId><SecretAccessKey>wJalrXUtnFEMI/K7MDENG/secret</SecretAccessKey>
<SessionToken>AQoDYXdzEPT//////////wEXAMPLE==</SessionToken><Expiration>2015-08-30T13:36:00Z</Expiration>
</Credentials></AssumeRoleResult></AssumeRoleResponse>"""
REFUSED = "<ErrorResponse><Error><Code>AccessDenied</Code><Message>Not you &amp; external-id</Message></Error>"


class _Clock:
    def __init__(self) -> None:
        self.now_ms = int(AT.timestamp() * 1000)

    def epoch_ms(self) -> int:
        return self.now_ms


async def test_the_keys_of_a_role_are_asked_for_once_and_renewed_in_time() -> None:
    asked: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return httpx.Response(200, text=KEYS)

    clock: Any = _Clock()
    async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as client:
        source = RoleKeys(ROLE, client, clock)
        keys = [await source.keys() for _ in range(2)]
        clock.now_ms += 58 * 60_000
        await source.keys()
        assert len(asked) == 1
        clock.now_ms += 90_000
        await source.keys()
        assert len(asked) == 2
    assert keys[0] == AwsKeys("ASIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/secret", "AQoDYXdzEPT//////////wEXAMPLE==")
    assert str(asked[0].url) == "https://sts.eu-west-1.amazonaws.com/"
    assert (
        asked[0]
        .headers["authorization"]
        .startswith("AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/eu-west-1/sts/aws4_request, ")
    )
    assert b"ExternalId=external-id" in asked[0].content


@pytest.mark.parametrize(
    ("status", "text", "problem", "quote"),
    [
        (403, REFUSED, "refused to let the role be assumed (403)", "Not you & ***"),
        (200, "<html/>", "answered without keys", ""),
    ],
)
async def test_a_role_that_cannot_be_assumed_says_why(status: int, text: str, problem: str, quote: str) -> None:
    transport = httpx.MockTransport(lambda _: httpx.Response(status, text=text))
    clock: Any = _Clock()
    async with httpx.AsyncClient(transport=transport) as client:
        with pytest.raises(ProviderError) as caught:
            await RoleKeys(ROLE, client, clock).keys()
    assert problem in str(caught.value)
    assert caught.value.quote == quote
    assert "roleArn" in caught.value.setting
