"""The custom voice against a real server on loopback."""

import json
from collections.abc import AsyncIterator
from contextlib import aclosing

import anyio
import httpx
import numpy as np
import pytest

from bargein.clock import LoopClock
from bargein.http_client import new_client
from bargein.ports import ProviderError, SpeechChunk, SpokenWord
from bargein.providers.custom.tts import CustomVoice, CustomVoiceConfig
from bargein.testing import WORD_MS, FakeVoice, VoiceScript, speech
from bargein.testing.http_peer import Exchange, HttpPeer

pytestmark = pytest.mark.anyio

TEXT = "Hello there, how are you?"
RATE_HZ = 16_000
FAILED = "pipeline-error-custom-voice-failed"


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    async with new_client() as client:
        yield client


def custom(fake: FakeVoice, client: httpx.AsyncClient, **settings: object) -> CustomVoice:
    config = CustomVoiceConfig(**{"url": fake.url, "sample_rate_hz": RATE_HZ, **settings})  # type: ignore[arg-type]
    return CustomVoice(config, client, LoopClock())


async def listen(voice: CustomVoice, chunks: list[SpeechChunk], text: str = TEXT) -> None:
    async for chunk in voice.speak(text):
        chunks.append(chunk)  # noqa: PERF401 - what came before an error counts


def pcm(chunks: list[SpeechChunk]) -> bytes:
    assert all(chunk.pcm.dtype == np.int16 and chunk.rate_hz == RATE_HZ for chunk in chunks)
    return b"".join(chunk.pcm.tobytes() for chunk in chunks)


def remember_responses(client: httpx.AsyncClient) -> list[httpx.Response]:
    """Keep all responses, so that none is closed by garbage collection alone."""
    responses: list[httpx.Response] = []

    async def remember(response: httpx.Response) -> None:
        responses.append(response)

    client.event_hooks = {"response": [remember]}
    return responses


async def test_the_request_is_vapis(client: httpx.AsyncClient) -> None:
    before_ms = LoopClock().epoch_ms()
    context = {"call": {"id": "c1"}, "assistant": {"name": "A"}, "type": "mine", "text": "mine"}
    async with FakeVoice() as fake:
        voice = custom(fake, client, secret="s3", headers={"X-Key": "k"}, voice_id="v", context=context)
        await listen(voice, [])
        exchange = await fake.exchange()
    message = exchange.body["message"]
    assert before_ms <= message.pop("timestamp") <= LoopClock().epoch_ms()
    assert exchange.body == {
        "message": {
            "type": "voice-request",
            "text": TEXT,
            "sampleRate": RATE_HZ,
            "voiceId": "v",
            "call": {"id": "c1"},
            "assistant": {"name": "A"},
        }
    }
    assert (exchange.headers["x-vapi-secret"], exchange.headers["x-key"]) == ("s3", "k")
    assert exchange.headers["content-type"] == "application/json"


@pytest.mark.parametrize("piece_bytes", [None, 1, 3, 639, 641])
@pytest.mark.parametrize("content_type", [None, "", "audio/pcm", "Audio/L16; rate=16000"])
async def test_raw_samples_may_be_cut_anywhere(
    client: httpx.AsyncClient, piece_bytes: int | None, content_type: str | None
) -> None:
    script = VoiceScript(piece_bytes=piece_bytes, content_type=content_type, content=None, stop_after_ms=40)
    chunks: list[SpeechChunk] = []
    async with FakeVoice(script) as fake:
        await listen(custom(fake, client), chunks)
    assert pcm(chunks) == speech(40, RATE_HZ)


async def test_half_a_sample_at_the_end_is_dropped(client: httpx.AsyncClient) -> None:
    chunks: list[SpeechChunk] = []
    async with FakeVoice(VoiceScript(content=b"\x01\x02\x03")) as fake:
        await listen(custom(fake, client), chunks)
    assert pcm(chunks) == b"\x01\x02"


async def test_audio_is_played_as_it_arrives(client: httpx.AsyncClient) -> None:
    responses = remember_responses(client)
    async with FakeVoice(VoiceScript(stop_after_ms=200, ending="hang")) as fake:
        async with aclosing(custom(fake, client).speak(TEXT)) as chunks:
            with anyio.fail_after(2):
                assert (await anext(chunks)).pcm.size > 0
        assert [response.is_closed for response in responses] == [True]
        with anyio.fail_after(2):
            await (await fake.exchange()).gone.wait()


@pytest.mark.parametrize("body", ["ndjson", "sse"])
async def test_json_frames_have_word_timings(client: httpx.AsyncClient, body: str) -> None:
    chunks: list[SpeechChunk] = []
    async with FakeVoice(VoiceScript(body=body)) as fake:  # type: ignore[arg-type]
        await listen(custom(fake, client), chunks)
    assert pcm(chunks) == speech(WORD_MS, RATE_HZ) * 5
    words = [word for chunk in chunks for word in chunk.words]
    assert [TEXT[: word.char_end] for word in words] == [
        "Hello",
        "Hello there,",
        "Hello there, how",
        "Hello there, how are",
        "Hello there, how are you?",
    ]
    assert [(word.start_ms, word.end_ms) for word in words] == [(i * 300, i * 300 + 300) for i in range(5)]


@pytest.mark.parametrize(
    ("text", "frame", "heard"),
    [
        (
            "Pay $2 now, please",
            {
                "timing": {
                    "words": ["pay", " ", "two", "dollars", "now", "please"],
                    "wordsStartTimesMs": [0, 90, 100, 200, 300, 400],
                    "wordsEndTimesMs": [90, 100, 200, 300, 400, 500],
                }
            },
            [(3, 0, 90), (6, 100, 200), (11, 200, 300), (18, 300, 400), (18, 400, 500)],
        ),
        ("İki üç", {"words": [{"word": "üç", "startMs": 5.4, "endMs": 9.6}]}, [(6, 5, 10)]),
        (
            "5 of you were here, which makes all of us together more than five.",
            {"words": [{"word": "five", "startMs": 0, "endMs": 1}, {"word": "of", "startMs": 1, "endMs": 2}]},
            [(1, 0, 1), (4, 1, 2)],
        ),
        ("One.", {"words": [{"word": "One", "startMs": 9, "endMs": 3}]}, [(4, 9, 9)]),
        ("One.", {"words": ["One"], "wordsStartTimesMs": [1], "wordsEndTimesMs": []}, []),
        ("One.", {"words": [{"word": "One", "startMs": -1, "endMs": 3}]}, []),
        ("One.", {"timing": 3}, []),
        ("One.", {"words": [7]}, []),
        ("One.", {"words": "One"}, []),
    ],
)
async def test_words_are_found_in_the_text(
    client: httpx.AsyncClient, text: str, frame: dict[str, object], heard: list[tuple[int, int, int]]
) -> None:
    chunks: list[SpeechChunk] = []
    content = json.dumps({"audio": "AAAA", "sampleRate": RATE_HZ, **frame}).encode() + b"\n\n[DONE]\nafter"
    async with FakeVoice(VoiceScript(content=content, content_type="application/jsonl")) as fake:
        await listen(custom(fake, client), chunks, text)
    assert pcm(chunks) == b"\0\0\0"[:2]
    assert [word for chunk in chunks for word in chunk.words] == [SpokenWord(*word) for word in heard]


@pytest.mark.parametrize(
    "script",
    [
        VoiceScript(status=500),
        VoiceScript(status=204),
        VoiceScript(redirect_to="http://127.0.0.1:9/"),
        VoiceScript(content_type="text/html", content=b"<html>"),
        VoiceScript(content_type="application/json", content=b'{"error": "no"}'),
        VoiceScript(content_type="audio/mpeg"),
        VoiceScript(content=b""),
        VoiceScript(content=b"\x01"),
        VoiceScript(ending="die", stop_after_ms=20, content=b""),
        VoiceScript(ending="hang", content=b""),
        VoiceScript(first_ms=60_000),
        VoiceScript(content_type="application/x-ndjson", content=b"{}\n"),
        VoiceScript(content_type="application/x-ndjson", content=b"garbage\n", ending="hang"),
        VoiceScript(content_type="application/x-ndjson", content=b"[]\n", ending="hang"),
        VoiceScript(content_type="application/x-ndjson", content=b'{"audio": 1}\n', ending="hang"),
        VoiceScript(content_type="application/x-ndjson", content=b'{"audio": "?"}\n', ending="hang"),
        VoiceScript(content_type="application/x-ndjson", content=b'{"sampleRate": 8000}\n', ending="hang"),
        VoiceScript(content_type="application/x-ndjson", content=b'{"type": "error"}\n', ending="hang"),
        VoiceScript(content_type="text/event-stream", content=b'{"audio": ""}\n', ending="hang"),
    ],
    ids=lambda script: f"{script.status} {script.content_type} {script.content} {script.ending} {script.first_ms}",
)
async def test_an_answer_without_audio_is_a_failure(client: httpx.AsyncClient, script: VoiceScript) -> None:
    async with FakeVoice(script) as fake:
        with pytest.raises(ProviderError) as caught, anyio.fail_after(5):
            await listen(custom(fake, client, timeout_s=0.2, secret="s3"), [])
    assert caught.value.ended_reason == FAILED
    assert "s3" not in str(caught.value)


async def test_no_audio_for_no_words_is_no_failure(client: httpx.AsyncClient) -> None:
    chunks: list[SpeechChunk] = []
    async with FakeVoice(VoiceScript(content=b"")) as fake:
        await listen(custom(fake, client), chunks, "…")
    assert chunks == []


@pytest.mark.parametrize("ending", ["die", "hang"])
async def test_a_voice_that_breaks_off_fails_after_its_audio(client: httpx.AsyncClient, ending: str) -> None:
    chunks: list[SpeechChunk] = []
    async with FakeVoice(VoiceScript(stop_after_ms=200, ending=ending)) as fake:  # type: ignore[arg-type]
        with pytest.raises(ProviderError) as caught, anyio.fail_after(5):
            await listen(custom(fake, client, chunk_timeout_s=0.2), chunks)
    assert caught.value.ended_reason == FAILED
    assert len(pcm(chunks)) >= len(speech(200, RATE_HZ))


async def test_a_server_that_is_not_there_is_a_failure(client: httpx.AsyncClient) -> None:
    async with FakeVoice() as fake:
        voice = custom(fake, client)
    with pytest.raises(ProviderError, match="could not be reached"):
        await listen(voice, [])


async def test_no_audio_is_read_ahead(client: httpx.AsyncClient) -> None:
    script = VoiceScript(extra_ms=20 * 60 * 1000, piece_bytes=64_000)  # 38 MB of audio
    async with FakeVoice(script) as fake:
        async with aclosing(custom(fake, client).speak(TEXT)) as chunks:
            first = await anext(chunks)
            exchange = await fake.exchange()
            sent: list[int] = []
            with anyio.fail_after(5):
                while (
                    len(sent) < 20 or sent[-1] != sent[-20]
                ):  # until the server gets no more into the sockets' buffers
                    await anyio.wait_all_tasks_blocked()
                    sent.append(exchange.sent_bytes)
            assert not exchange.done.is_set()
            assert sent[-1] < 16_000_000
        assert first.pcm.size * 2 <= 1_000_000
        with anyio.fail_after(2):
            await exchange.gone.wait()


@pytest.mark.timed
async def test_cancelling_closes_the_connection_at_once(client: httpx.AsyncClient) -> None:
    clock = LoopClock()
    async with FakeVoice(VoiceScript(pace="realtime", extra_ms=60_000)) as fake:
        first = anyio.Event()

        async def follow() -> None:
            async with aclosing(custom(fake, client).speak(TEXT)) as chunks:
                async for _ in chunks:
                    first.set()

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(follow)
            await first.wait()
            cancelled_ms = clock.monotonic_ms()
            tasks.cancel_scope.cancel()
        with anyio.fail_after(2):
            await (await fake.exchange()).gone.wait()
        assert clock.monotonic_ms() - cancelled_ms < 500


async def test_a_voice_that_goes_on_after_the_hangup_is_not_heard(client: httpx.AsyncClient) -> None:
    async with FakeVoice(VoiceScript(pace="realtime", deaf=True)) as fake:
        async with aclosing(custom(fake, client).speak("One two")) as chunks:
            await anext(chunks)
        exchange = await fake.exchange()
        with anyio.fail_after(3):
            await exchange.done.wait()
        assert exchange.gone.is_set()
        assert exchange.sent_bytes == len(speech(600, RATE_HZ))
        await listen(custom(fake, client), [])


async def test_the_connection_serves_the_next_sentence(client: httpx.AsyncClient) -> None:
    async with FakeVoice() as fake:
        for _ in range(3):
            await listen(custom(fake, client), [])
        assert fake.connections == 1


def test_secrets_are_not_shown() -> None:
    config = CustomVoiceConfig(url="http://h", sample_rate_hz=8000, secret="sk-1", headers={"X": "sk-2"})
    assert "sk-" not in repr(config)


async def test_a_voice_slower_than_real_time_is_given_up(client: httpx.AsyncClient) -> None:
    chunks: list[SpeechChunk] = []
    async with FakeVoice(VoiceScript(piece_bytes=2, interval_ms=20)) as fake:
        with pytest.raises(ProviderError, match=r"is 0.3 s slower than its sound plays") as caught, anyio.fail_after(2):
            await listen(custom(fake, client, chunk_timeout_s=0.3), chunks)
    assert caught.value.ended_reason == FAILED
    assert chunks, "what came was played"


@pytest.mark.parametrize("script", [VoiceScript(pace="realtime"), VoiceScript(piece_bytes=3200, interval_ms=90)])
async def test_a_voice_in_real_time_is_not_late(client: httpx.AsyncClient, script: VoiceScript) -> None:
    chunks: list[SpeechChunk] = []
    async with FakeVoice(script) as fake:
        await listen(custom(fake, client, chunk_timeout_s=0.5), chunks)
    assert len(pcm(chunks)) == 5 * WORD_MS * RATE_HZ // 1000 * 2


async def test_frames_without_audio_do_not_postpone_the_limit_of_the_first_audio(client: httpx.AsyncClient) -> None:
    async def answer(exchange: Exchange) -> None:
        await exchange.start("application/x-ndjson")
        while True:
            await exchange.send(b'{"timing": {"words": [{"word": "Hello", "startMs": 0, "endMs": 1}]}}\n')
            await anyio.sleep(0.02)

    async with HttpPeer(answer) as peer:
        config = CustomVoiceConfig(url=peer.origin, sample_rate_hz=RATE_HZ, timeout_s=0.3)
        with pytest.raises(ProviderError, match=r"sent no audio for 0.3 s"), anyio.fail_after(2):
            await listen(CustomVoice(config, client, LoopClock()), [])
