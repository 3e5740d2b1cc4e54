"""The transcriber of provider `google`, which asks for each utterance, against its fake."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import httpx
import numpy as np
import pytest

from bargein.ports import ProviderError
from bargein.providers.google.stt import GoogleTranscriber
from bargein.providers.registry import TRANSCRIBERS
from bargein.testing.vendors.google_stt import FakeGemini
from bargein.testing.vendors.speech_peer import SpeechScript
from bargein.wire.base import JsonObject
from tests.call.clips import commands
from tests.call.harness import calling as in_a_call
from tests.call.stage import staged
from tests.providers.conformance.transcribers import Caller, Vendor, resources_for

pytestmark = pytest.mark.anyio

TEXT = "I would like to book a table."
GOOGLE = Vendor(fake=FakeGemini, config={"provider": "google"}, table="google", variable="GEMINI_API_KEY")


def make(
    url: str, client: httpx.AsyncClient, config: JsonObject | None = None, key: str = "test-key"
) -> GoogleTranscriber:
    part = TRANSCRIBERS["google"]
    given = part.config.from_json({**GOOGLE.config, **(config or {})})
    made = part.create(given, resources_for(GOOGLE, url, key=key, client=client))
    assert isinstance(made, GoogleTranscriber)
    return made


@asynccontextmanager
async def calling(fake: FakeGemini, config: JsonObject | None = None, **options: Any) -> AsyncIterator[Caller]:
    async with httpx.AsyncClient() as client:
        caller = Caller(make(fake.url, client, config, **options))
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(caller.stream.run)
            yield caller
            tasks.cancel_scope.cancel()


def scripted(*utterances: str, **script: Any) -> FakeGemini:
    return FakeGemini(SpeechScript(utterances=utterances, **script))


async def test_each_utterance_is_one_request_and_one_final() -> None:
    async with scripted(TEXT, "Grüße, 東京!") as fake, calling(fake) as caller:
        for number in range(2):
            caller.feed(2000)
            caller.say(900)
            caller.fall_silent()
            await caller.final(number)
    assert caller.finals == [TEXT, "Grüße, 東京!"]
    assert len(caller.told) == 2
    for audio in fake.audio:
        # the voice with a little before it, and not the silence of seconds before
        assert 900 <= len(audio) / 32 <= 2000


async def test_a_voice_without_words_has_an_empty_final() -> None:
    async with scripted() as fake, calling(fake) as caller:
        caller.say(500)
        caller.fall_silent()
        assert (await caller.final()).text == ""


async def test_the_audio_begins_before_the_voice() -> None:
    async with scripted(TEXT) as fake, calling(fake) as caller:
        caller.feed(1000)
        caller.feed(200, np.full(3200, 1000, np.int16))  # the detector has not noticed it yet
        caller.stream.voice_started(200)
        caller.feed(400, np.full(6400, 2000, np.int16))
        caller.fall_silent()
        await caller.final()
    samples = np.frombuffer(fake.audio[0], "<i2")
    assert (samples == 1000).sum() == 3200
    assert (samples == 2000).sum() == 6400


@pytest.mark.parametrize(
    ("config", "path", "language"),
    [
        ({}, "/v1beta/models/gemini-2.5-flash:generateContent", None),
        (
            {"model": "gemini-2.0-flash", "language": "German"},
            "/v1beta/models/gemini-2.0-flash:generateContent",
            "German",
        ),
        ({"language": "Multilingual"}, "/v1beta/models/gemini-2.5-flash:generateContent", None),
    ],
)
async def test_the_model_and_the_language_reach_the_wire(config: JsonObject, path: str, language: str | None) -> None:
    async with scripted(TEXT) as fake, calling(fake, config) as caller:
        caller.say(500)
        caller.fall_silent()
        await caller.final()
    exchange = fake.peer.exchanges[0]
    instructions = exchange.body["systemInstruction"]["parts"][0]["text"]
    assert exchange.path == path
    assert ("The language is" in instructions) == (language is not None)
    assert language is None or language in instructions


async def ends_with(fake: FakeGemini, key: str = "test-key") -> ProviderError:
    async def speak() -> None:
        async with calling(fake, key=key) as caller:
            caller.say(500)
            caller.fall_silent()
            await anyio.sleep_forever()

    with pytest.raises(BaseExceptionGroup) as caught, anyio.fail_after(15):
        await speak()
    (error,) = caught.value.exceptions
    assert isinstance(error, ProviderError)
    assert error.ended_reason == "pipeline-error-google-transcriber-failed"
    assert key not in str(error)
    return error


async def test_errors_are_quoted() -> None:
    async with scripted(TEXT) as fake:
        error = await ends_with(fake, key="wrong-key")
    assert "answered 400" in str(error)
    assert "API key not valid" in error.quote
    async with scripted(TEXT, refuse={0: 403}) as fake:
        assert "GEMINI_API_KEY" in (await ends_with(fake)).setting
    async with scripted(TEXT, refuse={0: 429}, retry_after_s=20) as fake:
        assert "20 s" in str(await ends_with(fake))
    async with scripted(TEXT, refuse={0: 500}) as fake:
        assert "answered 500" in str(await ends_with(fake))
    async with scripted(TEXT, raw=("no json",)) as fake:
        assert "something else than JSON" in str(await ends_with(fake))


async def test_a_model_that_does_not_answer_ends_the_call(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bargein.providers.google.stt._TIMEOUT_S", 0.3)
    async with scripted(TEXT, hang=True) as fake:
        assert "has not answered within 0.3 s" in str(await ends_with(fake))


async def test_the_model_of_a_call_is_asked_with_the_words(tmp_path: Path) -> None:
    async with (
        scripted(TEXT) as fake,
        staged(tmp_path, google_base_url=fake.url, google_api_key=fake.key) as stage,
        in_a_call(stage.url, stage.assistant(transcriber=GOOGLE.config)) as caller,
    ):
        await caller.say(commands(1)[0].samples)
        asked = await stage.llm.exchange(0)
    assert asked.body["messages"][-1] == {"role": "user", "content": TEXT}
