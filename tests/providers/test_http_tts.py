"""The end of a voice's answer over HTTP: what goes wrong behind the last frame is no error of the speech."""

import base64
from collections.abc import AsyncIterator

import httpx
import pytest

from bargein.ports import ProviderError
from bargein.providers.smallest_ai.tts import SmallestAiVoice
from bargein.providers.voice_errors import VoiceErrors

pytestmark = pytest.mark.anyio

AUDIO = b'data: {"audio": "%s"}\n\n' % base64.b64encode(bytes(640))
DONE = b'data: {"done": true}\n\n'


async def heard(*pieces: bytes, breaks: bool) -> int:
    """Return the samples of an answer in these pieces, which may break off after them."""

    async def body() -> AsyncIterator[bytes]:
        for piece in pieces:
            yield piece
        if breaks:
            raise httpx.ReadError("gone")

    async with httpx.AsyncClient(
        transport=httpx.MockTransport(lambda _: httpx.Response(200, content=body()))
    ) as client:
        voice = SmallestAiVoice(
            client,
            VoiceErrors(name="the voice", failed="pipeline-error-smallest-ai-voice-failed"),
            url="https://voice.example",
            headers={},
            body=lambda text: {"text": text},
            rate_hz=16_000,
        )
        return sum([chunk.pcm.size async for chunk in voice.speak("Hello.")])


async def test_an_answer_that_breaks_off_after_its_last_frame_is_complete() -> None:
    assert await heard(AUDIO, DONE, breaks=True) == 320


async def test_what_follows_the_last_frame_is_not_read_as_speech() -> None:
    assert await heard(AUDIO, DONE, b"<html>\n", breaks=False) == 320


async def test_one_that_breaks_off_before_it_has_failed() -> None:
    with pytest.raises(ProviderError):
        await heard(AUDIO, breaks=True)
