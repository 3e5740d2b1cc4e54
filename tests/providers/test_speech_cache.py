"""The cache of speech: said again, a text costs nothing; what was cut or failed is not kept; no secret is shared."""

import time
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any

import anyio
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bargein.ports import ProviderError, SpeechChunk, SpokenWord, Voice
from bargein.providers.speech_cache import CachedVoice, SpeechCache, size_of

pytestmark = pytest.mark.anyio

VOICE = {"provider": "11labs", "voiceId": "rachel", "speed": 1.1}
ACCOUNT = {"provider": "11labs", "apiKey": "secret"}


@dataclass
class Slow(Voice):
    """A voice whose first audio takes 200 ms, and which may fail after it."""

    fails: bool = False
    texts: list[str] = field(default_factory=list)

    async def speak(self, text: str) -> AsyncIterator[SpeechChunk]:
        self.texts.append(text)
        await anyio.sleep(0.2)
        buffer = np.arange(1600, dtype=np.int16)
        yield SpeechChunk(buffer, 16_000, (SpokenWord(3, 0, 100),))
        buffer[:] = 0
        if self.fails:
            raise ProviderError("it broke off", ended_reason="any")
        yield SpeechChunk(np.arange(1600, dtype=np.int16), 16_000, (SpokenWord(len(text), 100, 200),))

    async def run(self) -> None: ...


def cached(voice: Any, cache: SpeechCache, config: dict[str, Any] | None = None, **account: Any) -> CachedVoice:
    return CachedVoice(voice, cache, cache.identity(config or VOICE, ACCOUNT | account, 16_000))


async def spoken(voice: Any, text: str = "Hi there.") -> list[tuple[list[int], int, tuple[SpokenWord, ...]]]:
    return [(chunk.pcm.tolist(), chunk.rate_hz, chunk.words) async for chunk in voice.speak(text)]


async def test_a_text_that_is_said_again_comes_from_memory_within_5_ms() -> None:
    voice = Slow()
    cache = SpeechCache()
    first = await spoken(cached(voice, cache))
    took_ms: list[float] = []
    for _ in range(20):
        began = time.perf_counter()
        async with aclosing(cached(voice, cache).speak("Hi there.")) as chunks:
            await anext(chunks)
        took_ms.append((time.perf_counter() - began) * 1000)
    assert sorted(took_ms)[10] < 5
    assert await spoken(cached(voice, cache)) == first, "the same audio and word times, whatever became of the buffer"
    assert voice.texts == ["Hi there."]


@pytest.mark.parametrize(
    "other",
    [
        {"config": VOICE | {"speed": 1.2}},
        {"config": VOICE | {"provider": "cartesia"}},
        {"apiKey": "another"},
        {"text": "Hi there!"},
    ],
    ids=str,
)
async def test_another_voice_account_or_text_is_another_speech(other: dict[str, Any]) -> None:
    voice, cache = Slow(), SpeechCache()
    await spoken(cached(voice, cache))
    await spoken(
        cached(voice, cache, other.get("config"), apiKey=other.get("apiKey", "secret")), other.get("text", "Hi there.")
    )
    assert len(voice.texts) == 2


async def test_fields_that_do_not_change_the_sound_share_it() -> None:
    voice, cache = Slow(), SpeechCache()
    await spoken(cached(voice, cache))
    beside = {"cachingEnabled": True, "chunkPlan": {"minCharacters": 3}, "fallbackPlan": {"voices": []}}
    await spoken(cached(voice, cache, VOICE | beside))
    assert len(voice.texts) == 1
    assert cache.identity(VOICE, ACCOUNT, 8_000) != cache.identity(VOICE, ACCOUNT, 16_000)


async def test_what_fails_or_is_cut_is_not_kept() -> None:
    cache = SpeechCache()
    broken = Slow(fails=True)
    for _ in range(2):
        with pytest.raises(ProviderError):
            await spoken(cached(broken, cache))
    assert (len(broken.texts), cache.used_bytes) == (2, 0)
    whole = Slow()
    async with aclosing(cached(whole, cache).speak("Hi there.")) as chunks:
        await anext(chunks)
    assert cache.used_bytes == 0
    await spoken(cached(whole, cache))
    assert len(whole.texts) == 2


def test_a_key_tells_nothing_of_the_account_and_is_another_in_each_process() -> None:
    one, two = SpeechCache(), SpeechCache()
    assert b"secret" not in one.identity(VOICE, ACCOUNT, 16_000)
    assert one.identity(VOICE, ACCOUNT, 16_000) == one.identity(dict(reversed(VOICE.items())), ACCOUNT, 16_000)
    assert one.identity(VOICE, ACCOUNT, 16_000) != two.identity(VOICE, ACCOUNT, 16_000)


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 3000)), max_size=40))
def test_memory_is_bounded_and_the_least_recently_used_makes_room(given: list[tuple[int, int]]) -> None:
    cache, kept = SpeechCache(10_000), dict[int, int]()
    for text, samples in given:
        chunk = SpeechChunk(np.zeros(samples, dtype=np.int16), 16_000)
        found = cache.find(bytes([text]))
        assert (found is not None) == (text in kept)
        if found is not None:
            kept[text] = kept.pop(text)
            continue
        cache.keep(bytes([text]), (chunk,))
        kept[text] = size_of(chunk)
        while sum(kept.values()) > 10_000:
            del kept[next(iter(kept))]
        assert cache.used_bytes == sum(kept.values()) <= 10_000


async def test_speech_that_would_fill_the_cache_is_not_kept() -> None:
    class Endless(Voice):
        async def speak(self, text: str) -> AsyncIterator[SpeechChunk]:
            del text
            for _ in range(10):
                yield SpeechChunk(np.zeros(1_000_000, dtype=np.int16), 16_000)

        async def run(self) -> None: ...

    cache = SpeechCache()
    await spoken(cached(Endless(), cache))
    assert cache.used_bytes == 0
