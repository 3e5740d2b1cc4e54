"""Models over HTTP, against a real server on loopback."""

import json
from collections.abc import AsyncIterator
from contextlib import aclosing

import anyio
import httpx
import pytest

from bargein.clock import LoopClock
from bargein.http_client import new_client
from bargein.ports import ChatMessage, Model, ProviderError
from bargein.providers import model_server
from bargein.providers.chat import completions_url
from bargein.providers.custom.llm import CustomLlm, CustomLlmConfig
from bargein.providers.openai.llm import OpenAiConfig, OpenAiModel
from bargein.testing import FakeLlm, LlmScript

pytestmark = pytest.mark.anyio

MESSAGES = (ChatMessage("system", "Be brief."), ChatMessage("user", "Hello \u2028 there"))
CONTEXT = {
    "metadata": {"tier": "gold", "stream": False, "messages": "mine"},
    "call": {"id": "c1"},
    "customer": {"number": "+1"},
    "phoneNumber": None,
}


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    async with new_client() as client:
        yield client


async def listen(model: Model, heard: list[str]) -> None:
    async for piece in model.reply(MESSAGES):
        assert isinstance(piece, str)
        heard.append(piece)


async def said(model: Model) -> list[str]:
    heard: list[str] = []
    await listen(model, heard)
    return heard


def custom(llm: FakeLlm, client: httpx.AsyncClient, **settings: object) -> CustomLlm:
    return CustomLlm(CustomLlmConfig(**{"url": llm.url, "model": "m", **settings}), client)  # type: ignore[arg-type]


def openai(llm: FakeLlm, client: httpx.AsyncClient, **settings: object) -> OpenAiModel:
    return OpenAiModel(OpenAiConfig(**{"base_url": llm.url, "model": "m", **settings}), client)  # type: ignore[arg-type]


def remember_responses(client: httpx.AsyncClient) -> list[httpx.Response]:
    """Keep all responses, so that none is closed by garbage collection alone."""
    responses: list[httpx.Response] = []

    async def remember(response: httpx.Response) -> None:
        responses.append(response)

    client.event_hooks = {"response": [remember]}
    return responses


@pytest.mark.parametrize("ending", ["done", "finish", "bare-done"])
async def test_an_answer_is_yielded_in_its_pieces(client: httpx.AsyncClient, ending: str) -> None:
    tokens = ("One ", "two\u2028", " ", "three.")
    async with FakeLlm(LlmScript(tokens=tokens, ending=ending, interval_ms=1)) as llm:  # type: ignore[arg-type]
        assert await said(custom(llm, client)) == list(tokens)


async def test_the_request_is_vapis(client: httpx.AsyncClient) -> None:
    async with FakeLlm() as llm:
        await said(custom(llm, client, headers={"X-Key": "k"}, api_key="sk-1", context=CONTEXT))
        exchange = await llm.exchange()
    assert exchange.path == "/v1/chat/completions"
    assert exchange.headers["x-key"] == "k"
    assert exchange.headers["authorization"] == "Bearer sk-1"
    assert exchange.body == {
        "model": "m",
        "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hello \u2028 there"}],
        "temperature": 0.5,
        "max_tokens": 250,
        "stream": True,
        "metadata": CONTEXT["metadata"],
        "call": {"id": "c1"},
        "customer": {"number": "+1"},
    }


async def test_metadata_may_be_spread_out_or_left_out(client: httpx.AsyncClient) -> None:
    async with FakeLlm() as llm:
        await said(custom(llm, client, metadata_send_mode="destructured", context=CONTEXT))
        await said(custom(llm, client, metadata_send_mode="off", context=CONTEXT))
        spread, off = (await llm.exchange(0)).body, (await llm.exchange(1)).body
    assert spread["tier"] == "gold"
    assert spread["stream"] is True
    assert len(spread["messages"]) == 2
    assert spread["call"] == {"id": "c1"}
    assert "metadata" not in spread
    assert set(off) == {"model", "messages", "temperature", "max_tokens", "stream"}


async def test_without_a_key_there_is_no_authorization_whatever_the_environment_says(
    client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-environment")
    async with FakeLlm() as llm:
        await said(custom(llm, client))
        await said(openai(llm, client))
        for number in (0, 1):
            assert "sk-environment" not in json.dumps((await llm.exchange(number)).headers)
            assert "authorization" not in (await llm.exchange(number)).headers


async def test_openai_sends_the_token_limit_by_the_name_that_each_server_knows() -> None:
    bodies: list[dict[str, object]] = []

    def answer(request: httpx.Request) -> httpx.Response:
        bodies.append(
            {"host": request.url.host, "key": request.headers["authorization"], **json.loads(request.content)}
        )
        return httpx.Response(200, content=b"data: [DONE]\n\n")

    async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as client:
        for base_url, model in ((None, "gpt-4o"), (None, "gpt-5-mini"), ("http://127.0.0.1:1/v1", "gpt-5-mini")):
            await said(OpenAiModel(OpenAiConfig(model=model, api_key="sk", base_url=base_url), client))
    limits = [{k: b[k] for k in ("max_tokens", "max_completion_tokens", "temperature") if k in b} for b in bodies]
    assert limits == [
        {"max_completion_tokens": 250, "temperature": 0.5},
        {"max_completion_tokens": 250},
        {"max_tokens": 250, "temperature": 0.5},
    ]
    assert (bodies[0]["host"], bodies[0]["key"]) == ("api.openai.com", "Bearer sk")


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (400, "400-bad-request-validation-failed"),
        (401, "401-unauthorized"),
        (403, "403-model-access-denied"),
        (404, "llm-failed"),
        (429, "429-exceeded-quota"),
        (500, "500-server-error"),
        (502, "llm-failed"),
        (503, "503-server-overloaded-error"),
    ],
)
async def test_a_status_ends_the_call_with_vapis_reason(client: httpx.AsyncClient, status: int, reason: str) -> None:
    async with FakeLlm(LlmScript(status=status)) as llm:
        for model, vendor in ((custom(llm, client), "custom-llm"), (openai(llm, client), "openai")):
            with pytest.raises(ProviderError, match=str(status)) as caught:
                await said(model)
            assert caught.value.ended_reason == f"pipeline-error-{vendor}-{reason}"
        assert len(llm.exchanges) == 2, "nothing is retried in a live call"


@pytest.mark.parametrize(
    ("status", "code", "reason"),
    [
        (401, "invalid_api_key", "401-incorrect-api-key"),
        (429, "rate_limit_exceeded", "429-rate-limit-reached"),
        (429, "insufficient_quota", "429-exceeded-quota"),
    ],
)
async def test_openais_error_codes_give_different_reasons(
    client: httpx.AsyncClient, status: int, code: str, reason: str
) -> None:
    async with FakeLlm(LlmScript(status=status, error_code=code)) as llm:
        with pytest.raises(ProviderError) as caught:
            await said(openai(llm, client))
    assert caught.value.ended_reason == f"pipeline-error-openai-{reason}"


@pytest.mark.parametrize(
    "script",
    [
        LlmScript(tokens=("One ",), ending="die"),
        LlmScript(tokens=("One ",), ending="hang"),
        LlmScript(tokens=("One ",), tail=b"<html>oops</html>\n", ending="hang"),
        LlmScript(tokens=("One ",), tail=b"data: {broken\n\n", ending="hang"),
        LlmScript(tokens=("One ",), tail=b'data: {"error": {"message": "no"}}\n\n', ending="hang"),
        LlmScript(tokens=("One ",), tail=b'data: {"choices": {}}\n\n', ending="hang"),
        LlmScript(tokens=("One ",), tail=b'data: {"choices": ["x"]}\n\n', ending="hang"),
        LlmScript(tokens=("One ",), tail=b'data: {"choices": [{"delta": {"content": 7}}]}\n\n', ending="hang"),
    ],
)
async def test_an_answer_that_breaks_off_fails_after_its_pieces(client: httpx.AsyncClient, script: LlmScript) -> None:
    heard: list[str] = []
    async with FakeLlm(script) as llm:
        with pytest.raises(ProviderError) as caught, anyio.fail_after(5):
            await listen(custom(llm, client, timeout_s=0.2), heard)
    assert heard == ["One "]
    assert caught.value.ended_reason == "pipeline-error-custom-llm-llm-failed"


async def test_a_text_that_ends_with_its_body_is_an_answer(client: httpx.AsyncClient) -> None:
    async with FakeLlm(LlmScript(tokens=("One ", "two."), ending="cut")) as llm:
        assert await said(custom(llm, client)) == ["One ", "two."]
        llm.script = LlmScript(tokens=(), ending="cut")
        with pytest.raises(ProviderError, match="ended its answer without a word"):
            await said(custom(llm, client))


async def test_a_chunk_without_choices_is_skipped(client: httpx.AsyncClient) -> None:
    async with FakeLlm(LlmScript(tokens=("One",), tail=b'data: {"choices": [], "usage": {}}\n\n')) as llm:
        assert await said(custom(llm, client)) == ["One"]


@pytest.mark.parametrize("filler", ["", None])
async def test_silence_is_measured_in_text_not_in_traffic(client: httpx.AsyncClient, filler: str | None) -> None:
    async with FakeLlm(LlmScript(tokens=(filler,), interval_ms=10, repeat=True)) as llm:  # type: ignore[arg-type]
        with pytest.raises(ProviderError, match=r"no text for 0\.2 s"), anyio.fail_after(5):
            await said(custom(llm, client, timeout_s=0.2))
        exchange = await llm.exchange()
        with anyio.fail_after(2):
            await exchange.gone.wait()


async def test_a_slow_answer_may_take_longer_in_all_than_the_limit(client: httpx.AsyncClient) -> None:
    async with FakeLlm(LlmScript(tokens=("a",) * 8, interval_ms=50)) as llm:
        assert await said(custom(llm, client, timeout_s=0.3)) == ["a"] * 8


async def test_a_server_that_is_not_there_is_a_failure(client: httpx.AsyncClient) -> None:
    async with FakeLlm() as llm:
        model = custom(llm, client)
    with pytest.raises(ProviderError, match="could not be reached"):
        await said(model)


async def test_no_redirect_is_followed(client: httpx.AsyncClient) -> None:
    async with FakeLlm() as other, FakeLlm(LlmScript(redirect_to=other.url + "/chat/completions")) as llm:
        with pytest.raises(ProviderError, match="307"):
            await said(custom(llm, client, headers={"X-Key": "k"}))
        assert not other.exchanges


async def test_closing_the_answer_closes_the_connection(client: httpx.AsyncClient) -> None:
    responses = remember_responses(client)
    async with FakeLlm(LlmScript(interval_ms=5, repeat=True)) as llm:
        async with aclosing(custom(llm, client).reply(MESSAGES)) as pieces:
            assert await anext(pieces)
        assert [response.is_closed for response in responses] == [True]
        await gone_soon(llm)


async def test_cancelling_the_answer_closes_the_connection(client: httpx.AsyncClient) -> None:
    async with FakeLlm(LlmScript(interval_ms=20, repeat=True)) as llm:
        first = anyio.Event()

        async def follow() -> None:
            async with aclosing(custom(llm, client).reply(MESSAGES)) as pieces:
                async for _ in pieces:
                    first.set()

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(follow)
            await first.wait()
            tasks.cancel_scope.cancel()
        await gone_soon(llm)


@pytest.mark.timed
async def test_cancelling_before_the_first_token_closes_the_connection(client: httpx.AsyncClient) -> None:
    async with FakeLlm(LlmScript(tokens=(), ending="hang", first_token_ms=60_000)) as llm:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(said, custom(llm, client))
            await llm.exchange()
            tasks.cancel_scope.cancel()
        await gone_soon(llm)


async def gone_soon(llm: FakeLlm) -> None:
    clock = LoopClock()
    closed_ms = clock.monotonic_ms()
    with anyio.fail_after(2):
        await (await llm.exchange()).gone.wait()
    assert clock.monotonic_ms() - closed_ms < 500


@pytest.mark.parametrize("ending", ["done", "bare-done"])
async def test_the_connection_serves_the_next_answer(client: httpx.AsyncClient, ending: str) -> None:
    async with FakeLlm(LlmScript(ending=ending, interval_ms=1)) as llm:  # type: ignore[arg-type]
        for _ in range(3):
            await said(custom(llm, client))
        assert llm.connections == 1


async def test_a_finished_answer_does_not_wait_for_a_server_that_lingers(client: httpx.AsyncClient) -> None:
    finish = b'data: {"choices": [{"delta": {}, "finish_reason": "stop"}]}\n\n'
    async with FakeLlm(LlmScript(tokens=("One",), tail=finish, ending="hang")) as llm:
        with anyio.fail_after(3):
            assert await said(custom(llm, client)) == ["One"]


@pytest.mark.parametrize(
    ("given", "used"),
    [
        ("http://h/v1", "http://h/v1/chat/completions"),
        ("http://h/v1/", "http://h/v1/chat/completions"),
        ("http://h/v1/chat/completions", "http://h/v1/chat/completions"),
        ("http://h/v1?key=a/b", "http://h/v1/chat/completions?key=a/b"),
        ("http://h", "http://h/chat/completions"),
    ],
)
def test_the_url_of_the_completions(given: str, used: str) -> None:
    assert completions_url(given) == used


def test_secrets_are_not_shown() -> None:
    config = CustomLlmConfig(url="http://h", model="m", api_key="sk-1", headers={"X": "sk-2"}, context={"k": "sk-3"})
    assert "sk-" not in repr(config)
    assert "sk-" not in repr(OpenAiConfig(model="m", api_key="sk-4"))


async def test_an_answer_that_never_ends_is_given_up(
    client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(model_server, "_LONGEST_ANSWER_S", 0.5)
    heard: list[str] = []
    async with FakeLlm(LlmScript(tokens=("word ",), interval_ms=20, repeat=True)) as llm:
        with pytest.raises(ProviderError, match=r"has not ended its answer after 0\.5 s"), anyio.fail_after(3):
            await listen(custom(llm, client), heard)
    assert len(heard) > 5


async def test_a_pair_of_surrogates_split_over_two_pieces_is_one_character(client: httpx.AsyncClient) -> None:
    async with FakeLlm(LlmScript(tokens=("a\ud83d", "\ude00b", "\ud83d"), interval_ms=1)) as llm:
        assert "".join(await said(custom(llm, client))) == "a\U0001f600b\ufffd"
