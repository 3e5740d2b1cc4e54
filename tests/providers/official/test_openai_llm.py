"""OpenAI's own client against our fake of chat completions."""

import openai
import pytest

from bargein.testing.vendors.chat_llm import VENDORS, ChatLlm
from bargein.testing.vendors.scripted_llm import KEY, ModelScript

pytestmark = pytest.mark.anyio

CALLS = [("weather", '{"city": "Bern"}'), ("time", "{}")]


def client_of(fake: ChatLlm, key: str = KEY) -> openai.AsyncOpenAI:
    return openai.AsyncOpenAI(api_key=key, base_url=fake.url, max_retries=0)


@pytest.mark.parametrize("provider", ["openai", "groq", "deep-seek", "openrouter", "xai", "minimax"])
async def test_it_reads_text_and_calls(provider: str) -> None:
    script = ModelScript(tokens=("Let me ", "see."), calls=CALLS)
    texts: list[str] = []
    arguments: dict[int, str] = {}
    names: list[str] = []
    async with ChatLlm(VENDORS[provider], script) as fake, client_of(fake) as client:
        stream = await client.chat.completions.create(
            model="m", messages=[{"role": "user", "content": "Hello"}], stream=True
        )
        reason = None
        async for chunk in stream:
            choice = chunk.choices[0]
            texts.append(choice.delta.content or "")
            for call in choice.delta.tool_calls or ():
                assert call.function is not None
                names += [call.function.name] if call.function.name else []
                arguments[call.index] = arguments.get(call.index, "") + (call.function.arguments or "")
            reason = choice.finish_reason or reason
    assert "".join(texts) == "Let me see."
    assert list(zip(names, arguments.values(), strict=True)) == CALLS
    assert reason == "tool_calls"


async def test_it_knows_the_errors() -> None:
    async with ChatLlm(VENDORS["openai"], ModelScript(status=429, message="Slower.")) as fake:
        async with client_of(fake) as client:
            with pytest.raises(openai.RateLimitError, match=r"Slower\.") as caught:
                await client.chat.completions.create(model="m", messages=[], stream=True)
            assert caught.value.code == "rate_limit_exceeded"
        async with client_of(fake, "wrong") as client:
            with pytest.raises(openai.AuthenticationError):
                await client.chat.completions.create(model="m", messages=[], stream=True)


async def test_it_knows_an_error_within_a_stream() -> None:
    script = ModelScript(ending="error", status=503, message="we are full")
    async with ChatLlm(VENDORS["openai"], script) as fake, client_of(fake) as client:
        stream = await client.chat.completions.create(model="m", messages=[], stream=True)
        with pytest.raises(openai.APIError, match="we are full"):
            async for _ in stream:
                pass
