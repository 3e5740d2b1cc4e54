"""Google's own client against our fake of Gemini's API."""

import base64

import pytest
from google import genai
from google.genai import errors, types

from bargein.testing.vendors.google_llm import GoogleLlm
from bargein.testing.vendors.scripted_llm import KEY, ModelScript, signature_of

pytestmark = pytest.mark.anyio


def client_of(fake: GoogleLlm, key: str = KEY) -> genai.Client:
    return genai.Client(api_key=key, http_options=types.HttpOptions(base_url=fake.url))


async def parts_of(client: genai.Client) -> list[types.Part]:
    stream = await client.aio.models.generate_content_stream(model="gemini-3-flash", contents="Hello")
    found: list[types.Part] = []
    async for chunk in stream:
        for candidate in chunk.candidates or ():
            found += (candidate.content.parts or []) if candidate.content is not None else []
    return found


async def test_it_reads_text_thoughts_and_calls() -> None:
    script = ModelScript(thoughts=("I think.",), tokens=("Let me ", "see."), calls=[("weather", '{"city": "Bern"}')])
    async with GoogleLlm(script) as fake:
        parts = await parts_of(client_of(fake))
    assert "".join(part.text for part in parts if part.text and part.thought) == "I think."
    assert "".join(part.text for part in parts if part.text and not part.thought) == "Let me see."
    (call,) = (part for part in parts if part.function_call)
    assert call.function_call is not None
    assert (call.function_call.name, call.function_call.args) == ("weather", {"city": "Bern"})
    assert call.thought_signature == base64.b64decode(
        base64.b64encode(signature_of("weather" + '{"city": "Bern"}').encode())
    )


async def test_it_knows_the_errors() -> None:
    async with GoogleLlm(ModelScript(status=404, message="no such model")) as fake:
        with pytest.raises(errors.ClientError, match="no such model") as caught:
            await parts_of(client_of(fake))
        assert caught.value.code == 404
        assert caught.value.status == "NOT_FOUND"
        with pytest.raises(errors.ClientError) as caught:
            await parts_of(client_of(fake, "wrong"))
        assert caught.value.code == 401
