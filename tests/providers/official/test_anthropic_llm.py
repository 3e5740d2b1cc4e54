"""Anthropic's own client against our fake of the Messages API."""

import anthropic
import pytest

from bargein.testing.vendors.anthropic_llm import AnthropicLlm
from bargein.testing.vendors.scripted_llm import KEY, ModelScript, signature_of

pytestmark = pytest.mark.anyio


def client_of(fake: AnthropicLlm, key: str = KEY) -> anthropic.AsyncAnthropic:
    return anthropic.AsyncAnthropic(api_key=key, base_url=fake.url, max_retries=0)


async def ask(client: anthropic.AsyncAnthropic) -> anthropic.types.Message:
    async with client.messages.stream(
        model="claude-haiku-4-5", max_tokens=2000, messages=[{"role": "user", "content": "Hello"}]
    ) as stream:
        return await stream.get_final_message()


async def test_it_reads_text_thinking_and_calls() -> None:
    script = ModelScript(thoughts=("I ", "think."), tokens=("Let me ", "see."), calls=[("weather", '{"city": "Bern"}')])
    async with AnthropicLlm(script) as fake, client_of(fake) as client:
        message = await ask(client)
    thinking, text, call = message.content
    assert isinstance(thinking, anthropic.types.ThinkingBlock)
    assert (thinking.thinking, thinking.signature) == ("I think.", signature_of("I think."))
    assert isinstance(text, anthropic.types.TextBlock)
    assert text.text == "Let me see."
    assert isinstance(call, anthropic.types.ToolUseBlock)
    assert (call.name, call.input) == ("weather", {"city": "Bern"})
    assert message.stop_reason == "tool_use"


async def test_it_knows_the_errors() -> None:
    async with AnthropicLlm(ModelScript(status=529, message="Overloaded")) as fake:
        async with client_of(fake) as client:
            with pytest.raises(anthropic.APIStatusError, match="Overloaded") as caught:
                await ask(client)
            assert caught.value.status_code == 529
        async with client_of(fake, "wrong") as client:
            with pytest.raises(anthropic.AuthenticationError):
                await ask(client)


async def test_it_knows_an_error_within_a_stream() -> None:
    script = ModelScript(ending="error", status=529, message="Overloaded")
    async with AnthropicLlm(script) as fake, client_of(fake) as client:
        with pytest.raises(anthropic.APIStatusError, match="Overloaded"):
            await ask(client)
