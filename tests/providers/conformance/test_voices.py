"""Every voice of a vendor against the vendor's fake on loopback."""

from collections.abc import AsyncIterator
from contextlib import aclosing

import anyio
import httpx
import numpy as np
import pytest

from bargein.http_client import new_client
from bargein.ports import ProviderError, SpeechChunk, Voice
from bargein.providers.registry import VOICES
from bargein.providers.voice_errors import VoiceLimits
from bargein.testing import WORD_MS, speech
from bargein.testing.vendors.voice_speech import VendorVoiceScript
from bargein.wire import contract
from tests.conftest import REPOSITORY
from tests.providers.conformance.voice_cases import CASES, VoiceCase

pytestmark = pytest.mark.anyio

TEXT = "Hello there, how are you?"
WORDS = ["Hello", "Hello there,", "Hello there, how", "Hello there, how are", "Hello there, how are you?"]

ENDED_REASONS = contract.definitions()["EndedReason"]["enum"]

each_voice = pytest.mark.parametrize("case", CASES, ids=lambda case: case.provider)


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    async with new_client() as client:
        yield client


async def listen(voice: Voice, chunks: list[SpeechChunk], text: str = TEXT) -> None:
    async with aclosing(voice.speak(text)) as speaking:  # type: ignore[type-var]
        async for chunk in speaking:
            chunks.append(chunk)  # noqa: PERF401 - what came before an error counts


def limited(voice: Voice, first_s: float = 0.3, chunk_s: float = 0.3) -> Voice:
    voice._limits = VoiceLimits(first_s, chunk_s)  # type: ignore[attr-defined]
    return voice


async def failure_of(
    case: VoiceCase, client: httpx.AsyncClient, script: VendorVoiceScript, key: str | None = None
) -> tuple[ProviderError, list[SpeechChunk]]:
    """Return the error of a voice whose fake answers as scripted, and what was heard before it."""
    chunks: list[SpeechChunk] = []
    async with case.fake(script) as fake:
        voice = limited(case.voice(fake, client) if key is None else case.voice(fake, client, key=key))
        with pytest.raises(ProviderError) as caught, anyio.fail_after(5):
            await listen(voice, chunks)
    assert caught.value.provider == case.provider
    assert str(caught.value).startswith(f"the voice {case.provider} ")
    assert caught.value.ended_reason in ENDED_REASONS
    return caught.value, chunks


def heard_ms(chunks: list[SpeechChunk]) -> float:
    return sum(chunk.pcm.size * 1000 / chunk.rate_hz for chunk in chunks)


def assert_made(case: VoiceCase, chunks: list[SpeechChunk], made: bytes) -> None:
    """Assert that what was heard is what was made; compressed audio is later by the codec's delay, and similar."""
    heard = b"".join(chunk.pcm.tobytes() for chunk in chunks)
    if not case.lossy:
        assert heard == made
        return
    before, after = (np.frombuffer(audio, "<i2").astype(np.float64) for audio in (made, heard))
    size = before.size + after.size
    crossed = np.fft.irfft(np.fft.rfft(after, size) * np.conj(np.fft.rfft(before, size)), size)
    assert crossed.max() / np.sqrt(np.sum(before**2) * np.sum(after**2)) > 0.95
    assert abs(after.size - before.size) < 0.15 * chunks[0].rate_hz


def assert_heard(case: VoiceCase, chunks: list[SpeechChunk], made_ms: float, *, whole: bool = True) -> None:
    """Assert how much was heard; of compressed audio that breaks off, the last of what was made may be missing."""
    heard = heard_ms(chunks)
    if not case.lossy:
        assert heard == made_ms
    elif whole:
        assert abs(heard - made_ms) < 150
    else:
        assert heard <= made_ms + 150


@each_voice
@pytest.mark.parametrize("rate_hz", [8000, 16_000, 24_000])
async def test_the_audio_is_what_the_vendor_made(case: VoiceCase, client: httpx.AsyncClient, rate_hz: int) -> None:
    chunks: list[SpeechChunk] = []
    async with case.fake(VendorVoiceScript()) as fake:
        await listen(case.voice(fake, client, rate_hz), chunks)
    (asked,) = fake.made.requests
    assert asked.text == TEXT
    assert {chunk.rate_hz for chunk in chunks} == {case.rates[rate_hz]} == {asked.rate_hz}
    assert_made(case, chunks, speech(WORD_MS, asked.rate_hz) * 5)


@each_voice
async def test_words_have_their_times(case: VoiceCase, client: httpx.AsyncClient) -> None:
    chunks: list[SpeechChunk] = []
    async with case.fake(VendorVoiceScript()) as fake:
        await listen(case.voice(fake, client), chunks)
    words = [word for chunk in chunks for word in chunk.words]
    if not case.timed:
        assert words == []
        return
    assert [TEXT[: word.char_end] for word in words] == WORDS
    for index, word in enumerate(words):
        assert abs(word.start_ms - index * WORD_MS) <= 100
        assert abs(word.end_ms - (index + 1) * WORD_MS) <= 100


@each_voice
@pytest.mark.parametrize("piece_bytes", [33, 641])
async def test_audio_may_be_split_within_a_sample(case: VoiceCase, client: httpx.AsyncClient, piece_bytes: int) -> None:
    chunks: list[SpeechChunk] = []
    async with case.fake(VendorVoiceScript(piece_bytes=piece_bytes)) as fake:
        await listen(case.voice(fake, client, 8000), chunks, "Yes.")
    (asked,) = fake.made.requests
    assert_made(case, chunks, speech(WORD_MS, asked.rate_hz))


@each_voice
@pytest.mark.parametrize("running", [False, True], ids=["alone", "with run"])
async def test_a_cut_stops_the_vendor_within_a_word(
    case: VoiceCase, client: httpx.AsyncClient, *, running: bool
) -> None:
    delays_ms: list[float] = []
    for _ in range(3):
        async with case.fake(VendorVoiceScript(realtime=True)) as fake, anyio.create_task_group() as tasks:
            voice = case.voice(fake, client)
            if running:
                tasks.start_soon(voice.run)
                await anyio.sleep(0.1)
            chunks: list[SpeechChunk] = []
            async with aclosing(voice.speak(TEXT)) as speaking:  # type: ignore[type-var]
                async for chunk in speaking:
                    chunks.append(chunk)
                    if heard_ms(chunks) >= 400:
                        break
                cut_s, made_ms = anyio.current_time(), fake.made.ms
            with anyio.fail_after(2):
                await fake.made.cut.wait()
            await anyio.sleep(0.15)
            assert fake.made.ms - made_ms <= 100
            assert fake.made.last_s - cut_s <= 0.1
            delays_ms.append((fake.made.cut_s - cut_s) * 1000)
            tasks.cancel_scope.cancel()
    assert min(delays_ms) < 5, delays_ms


@each_voice
async def test_a_sentence_after_a_cut_has_no_audio_of_the_one_before(
    case: VoiceCase, client: httpx.AsyncClient
) -> None:
    async with case.fake(VendorVoiceScript(realtime=True)) as fake, anyio.create_task_group() as tasks:
        voice = case.voice(fake, client)
        tasks.start_soon(voice.run)
        await anyio.sleep(0.1)
        async with aclosing(voice.speak(TEXT)) as speaking:  # type: ignore[type-var]
            await anext(speaking)
        chunks: list[SpeechChunk] = []
        with anyio.fail_after(5):
            await listen(voice, chunks, "Of course.")
        tasks.cancel_scope.cancel()
    assert_heard(case, chunks, 2 * WORD_MS)
    ends = [word.char_end for chunk in chunks for word in chunk.words]
    assert ends == ([2, 10] if case.timed else [])


@each_voice
async def test_cancelling_the_reader_cuts_too(case: VoiceCase, client: httpx.AsyncClient) -> None:
    async with case.fake(VendorVoiceScript(realtime=True)) as fake:
        chunks: list[SpeechChunk] = []
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(listen, case.voice(fake, client), chunks)
            while not chunks:
                await anyio.sleep(0.01)
            tasks.cancel_scope.cancel()
        with anyio.fail_after(2):
            await fake.made.cut.wait()


@each_voice
async def test_a_slow_voice_is_heard_while_it_keeps_up(case: VoiceCase, client: httpx.AsyncClient) -> None:
    chunks: list[SpeechChunk] = []
    async with case.fake(VendorVoiceScript(interval_ms=100)) as fake:
        await listen(limited(case.voice(fake, client)), chunks)
    assert_heard(case, chunks, 5 * WORD_MS)


@each_voice
async def test_a_voice_slower_than_its_sound_fails(case: VoiceCase, client: httpx.AsyncClient) -> None:
    error, chunks = await failure_of(case, client, VendorVoiceScript(piece_bytes=32, interval_ms=30))
    if case.lossy:  # the first frames of the codec are late already
        assert "sent no audio for 0.3 s" in str(error)
    else:
        assert "slower than its sound plays" in str(error)
        assert chunks
    assert error.ended_reason == case.failed


@each_voice
async def test_no_audio_at_all_fails_in_time(case: VoiceCase, client: httpx.AsyncClient) -> None:
    error, chunks = await failure_of(case, client, VendorVoiceScript(trouble="hang"))
    assert "sent no audio for 0.3 s" in str(error)
    assert chunks == []


@each_voice
async def test_a_pause_within_the_audio_fails_in_time(case: VoiceCase, client: httpx.AsyncClient) -> None:
    error, chunks = await failure_of(case, client, VendorVoiceScript(trouble="hang-between"))
    assert "sent no audio for 0.3 s" in str(error)
    assert_heard(case, chunks, WORD_MS, whole=False)


@each_voice
async def test_a_refused_key_says_what_to_change(case: VoiceCase, client: httpx.AsyncClient) -> None:
    error, _ = await failure_of(case, client, VendorVoiceScript(says="no such key: wrong-key-42"), key="wrong-key-42")
    assert "answered 401" in str(error)
    assert error.setting.startswith(f"the credential {case.provider}, or ")
    assert error.quote == "no such key: ***"
    assert error.ended_reason == case.reasons.get(401, case.failed)


@each_voice
async def test_too_many_requests_says_how_long_to_wait(case: VoiceCase, client: httpx.AsyncClient) -> None:
    error, _ = await failure_of(case, client, VendorVoiceScript(status=429, retry_after="7"))
    assert "answered 429 (Retry-After: 7)" in str(error)
    assert error.quote == "as scripted"
    assert error.ended_reason == case.reasons.get(429, case.failed)


@each_voice
async def test_an_error_of_the_vendor_is_told(case: VoiceCase, client: httpx.AsyncClient) -> None:
    error, _ = await failure_of(case, client, VendorVoiceScript(status=500))
    assert "answered 500" in str(error)
    assert error.quote == "as scripted"
    assert error.ended_reason == case.reasons.get(500, case.failed)


@each_voice
async def test_a_frame_that_is_no_json_fails(case: VoiceCase, client: httpx.AsyncClient) -> None:
    if not case.framed:
        assert not case.timed, "its answer is raw audio, in which no frame can be broken"
        return
    error, chunks = await failure_of(case, client, VendorVoiceScript(trouble="broken"))
    assert "unreadable" in str(error)
    assert heard_ms(chunks) == WORD_MS


@each_voice
async def test_an_error_within_the_audio_is_told(case: VoiceCase, client: httpx.AsyncClient) -> None:
    if not case.framed:
        assert not case.timed, "its answer is raw audio, which has no frame for an error"
        return
    error, chunks = await failure_of(case, client, VendorVoiceScript(trouble="error", says="out of voices"))
    assert "reports an error" in str(error)
    assert "out of voices" in error.quote
    assert heard_ms(chunks) == WORD_MS


@each_voice
async def test_a_connection_that_breaks_fails(case: VoiceCase, client: httpx.AsyncClient) -> None:
    error, chunks = await failure_of(case, client, VendorVoiceScript(trouble="die"))
    assert "broke off" in str(error)
    assert heard_ms(chunks) >= (0 if case.lossy else WORD_MS)
    assert heard_ms(chunks) < WORD_MS + (150 if case.lossy else 1)


@each_voice
async def test_a_server_that_is_not_there_fails(case: VoiceCase, client: httpx.AsyncClient) -> None:
    async with case.fake(VendorVoiceScript()) as fake:
        voice = case.voice(fake, client)
    with pytest.raises(ProviderError, match="could not be reached"), anyio.fail_after(5):
        await listen(voice, [])


@each_voice
async def test_twice_the_audio_is_passed_on(case: VoiceCase, client: httpx.AsyncClient) -> None:
    chunks: list[SpeechChunk] = []
    async with case.fake(VendorVoiceScript(trouble="double")) as fake:
        await listen(case.voice(fake, client), chunks)
    assert_heard(case, chunks, 10 * WORD_MS)
    assert len([word for chunk in chunks for word in chunk.words]) == (5 if case.timed else 0)


@each_voice
async def test_an_empty_answer_fails(case: VoiceCase, client: httpx.AsyncClient) -> None:
    error, _ = await failure_of(case, client, VendorVoiceScript(trouble="empty"))
    assert "answered without any audio" in str(error)
    assert error.ended_reason == case.failed


@each_voice
async def test_no_words_need_no_audio(case: VoiceCase, client: httpx.AsyncClient) -> None:
    chunks: list[SpeechChunk] = []
    async with case.fake(VendorVoiceScript(trouble="empty")) as fake:
        await listen(case.voice(fake, client), chunks, "…")
    assert heard_ms(chunks) == 0


@each_voice
async def test_one_connection_serves_the_sentences_of_a_call(case: VoiceCase, client: httpx.AsyncClient) -> None:
    async with case.fake(VendorVoiceScript()) as fake, anyio.create_task_group() as tasks:
        voice = case.voice(fake, client)
        tasks.start_soon(voice.run)
        await anyio.sleep(0.1)
        for _ in range(3):
            chunks: list[SpeechChunk] = []
            await listen(voice, chunks)
            assert_heard(case, chunks, 5 * WORD_MS)
        tasks.cancel_scope.cancel()
    connections = len(fake.handshakes) if case.socket else fake.connections
    assert connections == 1


def test_every_voice_of_a_vendor_is_here() -> None:
    tested = {case.provider for case in CASES}
    assert tested == set(VOICES) - {"vapi", "custom-voice"}


def test_no_key_is_in_a_url() -> None:
    """Keys belong into headers: a URL is logged by proxies."""
    found = list((REPOSITORY / "src/bargein/providers").glob("*/tts.py"))
    assert len(found) > 2
    assert [path for path in found if '"api_key":' in path.read_text(encoding="utf-8")] == []
