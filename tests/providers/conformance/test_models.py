"""All models, each against a fake of its vendor: the same conversation, the same failures, the same words."""

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing
from typing import Any, cast

import anyio
import httpx
import pytest

from bargein.http_client import new_client
from bargein.ports import ChatMessage, Model, ProviderError, ToolCall
from bargein.providers import model_server
from bargein.providers.registry import MODELS
from bargein.testing.vendors.bedrock_llm import SECRET_ACCESS_KEY
from bargein.testing.vendors.scripted_llm import KEY, ModelScript
from bargein.wire import contract
from tests.providers.conformance.models import CASES, Case

pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("case", CASES, ids=lambda case: case.provider)]

GREETED = (
    ChatMessage("system", "Be brief."),
    ChatMessage("assistant", "Hello, how can I help?"),
    ChatMessage("user", "What is the weather in Bern?"),
)
WEATHER = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": "The weather of a city.",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}
REASONS = set(contract.definitions()["EndedReason"]["enum"])


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    async with new_client() as client:
        yield client


async def pieces_of(
    model: Model, messages: Sequence[ChatMessage] = GREETED, tools: Sequence[dict[str, Any]] = ()
) -> list[str | ToolCall]:
    with anyio.fail_after(10):
        return [piece async for piece in model.reply(messages, tools)]


async def listen(model: Model, heard: list[str]) -> None:
    async for piece in model.reply(GREETED):
        assert isinstance(piece, str)
        heard.append(piece)


async def failure_of(model: Model, heard: list[str] | None = None) -> ProviderError:
    with pytest.raises(ProviderError) as caught, anyio.fail_after(10):
        await listen(model, [] if heard is None else heard)
    error = caught.value
    assert error.ended_reason in REASONS
    assert KEY not in str(error)
    assert SECRET_ACCESS_KEY not in str(error)
    return error


def reason(case: Case, end: str) -> str:
    return f"pipeline-error-{case.provider}-{end}"


async def test_text_comes_in_its_pieces(case: Case, client: httpx.AsyncClient) -> None:
    async with case.fake(ModelScript(tokens=("One ", "two ", "thr\u00e9e \U0001f600", "."))) as fake:
        said = await pieces_of(case.create(fake, client, temperature=0.3, maxTokens=60))
        assert said == ["One ", "two ", "thr\u00e9e \U0001f600", "."]
        body = (await fake.exchange()).body
    text = str(body)
    assert "0.3" in text, "the temperature is sent"
    assert "Be brief." in text
    assert "What is the weather in Bern?" in text


async def test_a_conversation_without_a_word_of_the_caller_is_accepted(case: Case, client: httpx.AsyncClient) -> None:
    silent = (*GREETED[:2], ChatMessage("system", "Ask whether the caller is still there."))
    async with case.fake(ModelScript()) as fake:
        model = case.create(fake, client)
        assert "".join(map(str, await pieces_of(model, GREETED[:1]))) == "Hello there."
        assert "".join(map(str, await pieces_of(model, GREETED[:2]))) == "Hello there."
        assert "".join(map(str, await pieces_of(model, silent))) == "Hello there."
        assert "still there" in str((await fake.exchange(2)).body)


async def test_a_tool_is_called_and_its_result_is_understood(case: Case, client: httpx.AsyncClient) -> None:
    if not case.tools:
        async with case.fake(ModelScript()) as fake:
            await pieces_of(case.create(fake, client), tools=[WEATHER])
            assert "tools" not in (await fake.exchange()).body
        return
    calls = [("weather", '{"city": "Bern"}'), ("weather", '{"city": "Basel"}')]
    async with case.fake(ModelScript(tokens=("Let me ", "see."), thoughts=("Hm.",), calls=calls)) as fake:
        model = case.create(fake, client)
        said = await pieces_of(model, tools=[WEATHER])
        called = [piece for piece in said if isinstance(piece, ToolCall)]
        assert said[:2] == ["Let me ", "see."]
        assert [(call.name, call.arguments) for call in called] == calls
        assert len({call.id for call in called}) == 2
        answered = [
            ChatMessage("assistant", "Let me see.", tuple(called)),
            ChatMessage("tool", '{"degrees": 12}', (), called[0].id),
            ChatMessage("tool", "It is warm.", (), called[1].id),
        ]
        fake.script = ModelScript(tokens=("Twelve.",))
        assert await pieces_of(model, [*GREETED, *answered], [WEATHER]) == ["Twelve."]
        bodies = [str((await fake.exchange(number)).body) for number in (0, 1)]
    assert "The weather of a city." in bodies[0]
    assert "Basel" in bodies[1]
    assert "It is warm." in bodies[1]


async def test_a_conversation_that_another_vendors_model_began_is_accepted(
    case: Case, client: httpx.AsyncClient
) -> None:
    calls = (ToolCall("functions.weather:0", "weather", "broken", '{"another": {"signature": "s"}}'),)
    talked = [
        *GREETED,
        ChatMessage("assistant", "", calls),
        ChatMessage("tool", "It is warm.", (), calls[0].id),
        ChatMessage("tool", "Of a call that is gone.", (), "gone"),
        ChatMessage("assistant", "It is warm. "),
        ChatMessage("assistant", "", (ToolCall("c2", "weather", "{}"),)),
        ChatMessage("user", "And now?"),
    ]
    async with case.fake(ModelScript()) as fake:
        assert "".join(map(str, await pieces_of(case.create(fake, client), talked, [WEATHER]))) == "Hello there."


@pytest.mark.parametrize("thoughts", [("I think.",), ("I ", "think ", "<b>", "twice. ")])
async def test_thoughts_are_not_spoken(case: Case, client: httpx.AsyncClient, thoughts: tuple[str, ...]) -> None:
    async with case.fake(ModelScript(thoughts=thoughts, tokens=("An ", "answer."))) as fake:
        assert "".join(map(str, await pieces_of(case.create(fake, client)))) == "An answer."


async def test_thoughts_do_not_time_out_but_do_not_last(
    case: Case, client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(model_server, "_LONGEST_THOUGHT_S", 2.0)
    slow = ModelScript(thoughts=("Hm. ",) * 12, interval_ms=100, tokens=("Well.",))
    async with case.fake(slow) as fake:
        model = hastened(case.create(fake, client), 1.0)
        assert "".join(map(str, await pieces_of(model))) == "Well."
        fake.script = ModelScript(thoughts=("Hm. ",) * 100, interval_ms=100)
        error = await failure_of(model)
        assert "thought for too long" in str(error)
        assert "model.maxTokens" in error.setting
        with anyio.fail_after(2):
            await (await fake.exchange(1)).gone.wait()


def hastened(model: Model, timeout_s: float) -> Model:
    """Shorten the time limit of a model, which no assistant can set but that of `custom-llm`."""
    found = cast("Any", model)
    servers = found._servers if hasattr(found, "_servers") else (found._server,)
    for server in servers:
        object.__setattr__(server, "timeout_s", timeout_s)
    return model


async def test_a_slow_first_token_is_waited_for(case: Case, client: httpx.AsyncClient) -> None:
    async with case.fake(ModelScript(first_token_ms=300)) as fake:
        assert "".join(map(str, await pieces_of(case.create(fake, client)))) == "Hello there."


async def test_a_server_that_hangs_is_given_up(case: Case, client: httpx.AsyncClient) -> None:
    heard: list[str] = []
    async with case.fake(ModelScript(ending="hang")) as fake:
        error = await failure_of(hastened(case.create(fake, client), 0.3), heard)
        assert "sent no text for 0.3 s" in str(error)
        with anyio.fail_after(2):
            await (await fake.exchange()).gone.wait()
    assert "".join(heard) == "Hello there."
    assert error.ended_reason == reason(case, "llm-failed")


async def test_after_a_cut_no_token_is_made(case: Case, client: httpx.AsyncClient) -> None:
    async with case.fake(ModelScript(tokens=("word ",), repeat=True, interval_ms=5)) as fake:
        reply = cast("AsyncGenerator[str | ToolCall]", case.create(fake, client).reply(GREETED))
        async with aclosing(reply) as pieces:
            for _ in range(3):
                await anext(pieces)
        with anyio.fail_after(2):
            await (await fake.exchange()).gone.wait()
        produced = fake.produced_tokens
        await anyio.sleep(0.1)
        assert fake.produced_tokens == produced


async def test_a_wrong_key_is_told_with_what_to_change(case: Case, client: httpx.AsyncClient) -> None:
    async with case.fake(ModelScript()) as fake:
        error = await failure_of(case.create(fake, client, key="another-key-0123456789"))
    assert str(case.wrong_key_status) in str(error)
    assert "credential" in error.setting
    assert case.provider in str(error)
    ends = {401: ("401-unauthorized", "401-incorrect-api-key"), 403: ("403-model-access-denied",)}
    assert error.ended_reason in {reason(case, end) for end in ends[case.wrong_key_status]}
    assert error.quote == "the key or the path is wrong"


@pytest.mark.parametrize(
    ("status", "end", "setting"),
    [
        (400, "400-bad-request-validation-failed", ""),
        (403, "403-model-access-denied", "credential"),
        (404, "llm-failed", "model.model"),
        (429, "429-exceeded-quota", "limits"),
        (500, "500-server-error", ""),
        (502, "llm-failed", ""),
        (503, "503-server-overloaded-error", ""),
        (529, "503-server-overloaded-error", ""),
    ],
)
async def test_an_error_is_told_in_the_vendors_words(
    case: Case, client: httpx.AsyncClient, status: int, end: str, setting: str
) -> None:
    said = f"Something is wrong with {case.secret}."
    async with case.fake(ModelScript(status=status, message=said, retry_after_s=7)) as fake:
        error = await failure_of(case.create(fake, client))
        assert len(fake.exchanges) == 1, "nothing is retried in a live call"
    assert str(status) in str(error)
    assert error.provider == case.provider
    assert error.quote.startswith("Something is wrong with ")
    assert setting in error.setting
    assert bool(error.setting) == bool(setting)
    assert ("wait 7 s" in str(error)) == (status in {429, 503, 529})
    ends = {end, "429-rate-limit-reached"} if case.provider == "openai" and status == 429 else {end}
    assert error.ended_reason in {reason(case, one) for one in ends}


async def test_a_model_that_is_not_there_is_told(case: Case, client: httpx.AsyncClient) -> None:
    said = "model 'llama9' not found, try pulling it first"
    async with case.fake(ModelScript(status=404, message=said)) as fake:
        error = await failure_of(case.create(fake, client))
    assert f'it says: "{said}"' in str(error)
    assert "model.model" in error.setting


async def test_an_error_within_the_answer_is_told(case: Case, client: httpx.AsyncClient) -> None:
    heard: list[str] = []
    async with case.fake(ModelScript(ending="error", status=503, message="we are full")) as fake:
        error = await failure_of(case.create(fake, client), heard)
    assert "".join(heard) == "Hello there."
    assert "reported an error" in str(error)
    assert error.quote == "we are full"


async def test_an_error_instead_of_an_answer_is_told(case: Case, client: httpx.AsyncClient) -> None:
    async with case.fake(ModelScript(tokens=(), ending="error", status=429, message="too many tokens")) as fake:
        error = await failure_of(case.create(fake, client))
    assert error.quote == "too many tokens"


async def test_broken_json_is_an_error(case: Case, client: httpx.AsyncClient) -> None:
    async with case.fake(ModelScript(ending="broken")) as fake:
        error = await failure_of(case.create(fake, client))
    assert "sent an unreadable answer" in str(error)
    assert error.ended_reason == reason(case, "llm-failed")


async def test_a_connection_that_breaks_is_an_error(case: Case, client: httpx.AsyncClient) -> None:
    heard: list[str] = []
    async with case.fake(ModelScript(ending="die")) as fake:
        error = await failure_of(case.create(fake, client), heard)
    assert "".join(heard) == "Hello there."
    assert "broke off" in str(error)


async def test_a_body_that_ends_before_its_answer(case: Case, client: httpx.AsyncClient) -> None:
    async with case.fake(ModelScript(ending="cut")) as fake:
        model = case.create(fake, client)
        if case.needs_end:
            assert "ended its answer" in str(await failure_of(model))
        else:
            assert "".join(map(str, await pieces_of(model))) == "Hello there."
        fake.script = ModelScript(tokens=(), ending="cut")
        assert "ended its answer" in str(await failure_of(model))


async def test_thoughts_alone_are_an_error_that_says_what_to_raise(case: Case, client: httpx.AsyncClient) -> None:
    async with case.fake(ModelScript(thoughts=("I ", "think."), tokens=(), ending="length")) as fake:
        error = await failure_of(case.create(fake, client))
    assert "used up its limit of tokens with thinking" in str(error)
    assert "model.maxTokens" in error.setting
    assert error.ended_reason == reason(case, "llm-failed")


async def test_a_text_that_the_limit_cuts_is_spoken(case: Case, client: httpx.AsyncClient) -> None:
    async with case.fake(ModelScript(ending="length")) as fake:
        assert "".join(map(str, await pieces_of(case.create(fake, client)))) == "Hello there."


async def test_a_withheld_answer_is_told(case: Case, client: httpx.AsyncClient) -> None:
    async with case.fake(ModelScript(tokens=(), ending="blocked")) as fake:
        error = await failure_of(case.create(fake, client))
    assert "filter" in str(error) or "refus" in str(error)


async def test_a_connection_is_ready_before_the_first_reply_and_after_a_cut(
    case: Case, client: httpx.AsyncClient
) -> None:
    async with case.fake(ModelScript(tokens=("word ",), repeat=True, interval_ms=5)) as fake:
        model = case.create(fake, client)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(model.run)
            if not case.warms and case.provider == "custom-llm":
                return
            with anyio.fail_after(5):
                while fake.probes < case.warms:
                    await anyio.sleep(0.01)
            await anyio.sleep(0.05)
            assert fake.connections == case.warms
            reply = cast("AsyncGenerator[str | ToolCall]", model.reply(GREETED))
            async with aclosing(reply) as pieces:
                await anext(pieces)
            assert fake.connections == 1
            with anyio.fail_after(5):
                while fake.probes < 2 * case.warms:
                    await anyio.sleep(0.01)
            await anyio.sleep(0.05)
            assert fake.connections == 1 + case.warms
            fake.script = ModelScript()
            assert "".join(map(str, await pieces_of(model))) == "Hello there."
            assert fake.connections == 2
            tasks.cancel_scope.cancel()


async def test_the_connection_serves_the_next_reply(case: Case, client: httpx.AsyncClient) -> None:
    async with case.fake(ModelScript()) as fake:
        for _ in range(3):
            await pieces_of(case.create(fake, client))
        assert fake.connections == 1


async def test_a_server_that_is_not_there_is_an_error(case: Case, client: httpx.AsyncClient) -> None:
    async with case.fake(ModelScript()) as fake:
        model = case.create(fake, client)
    error = await failure_of(model)
    assert "could not be reached" in str(error)
    assert error.setting


def test_every_model_with_a_server_is_in_the_suite(case: Case) -> None:
    assert case.provider in MODELS
    assert {one.provider for one in CASES} == set(MODELS) - {"vapi"}
