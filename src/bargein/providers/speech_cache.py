"""Speech that was synthesized before (Vapi's `voice.cachingEnabled`): in memory, for all calls of a process."""

import hashlib
import json
import os
from collections import OrderedDict
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any, cast

from typing_extensions import override

from bargein.ports import SpeechChunk, Voice
from bargein.wire.base import JsonObject

MOST_BYTES = 64 * 1024 * 1024
"""Most memory of the audio: 33 minutes at 16 kHz."""

_MOST_OF_ONE_BYTES = MOST_BYTES // 16
_CHUNK_BYTES, _WORD_BYTES = 200, 120
"""Bytes that a chunk and a word take beside the samples."""

_BESIDE_THE_SOUND = ("cachingEnabled", "chunkPlan", "fallbackPlan")
"""Fields of a voice that say nothing about how a text sounds."""


class SpeechCache:
    """The cache of one process: the least recently used speech makes room.

    Args:
        most_bytes: most memory for audio and word times.

    Attributes:
        used_bytes: what is in use.
    """

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        self._most_bytes = most_bytes
        self._speech: OrderedDict[bytes, tuple[tuple[SpeechChunk, ...], int]] = OrderedDict()
        self._salt = os.urandom(16)
        self.used_bytes = 0

    def identity(self, voice: JsonObject, account: JsonObject, rate_hz: int) -> bytes:
        """Return the identity of a voice: what it speaks is the same for the same identity.

        Args:
            voice: the assistant's `voice`.
            account: the owner's credential for its provider, with its secrets; they cannot be found from the result.
            rate_hz: the sample rate that the voice is asked for.
        """
        sound = {name: value for name, value in voice.items() if name not in _BESIDE_THE_SOUND}
        text = json.dumps([sound, account, rate_hz], sort_keys=True, default=str)
        return hashlib.blake2b(text.encode(errors="surrogatepass"), key=self._salt).digest()

    def key(self, identity: bytes, text: str) -> bytes:
        """Return the key of a text of a voice."""
        return hashlib.blake2b(text.encode(errors="surrogatepass"), key=identity, digest_size=32).digest()

    def find(self, key: bytes) -> tuple[SpeechChunk, ...] | None:
        """Return the speech with a key; None: there is none."""
        found = self._speech.get(key)
        if found is None:
            return None
        self._speech.move_to_end(key)
        return found[0]

    def keep(self, key: bytes, chunks: tuple[SpeechChunk, ...]) -> None:
        """Keep the whole speech of a text; one that would take a large part of the cache is not kept."""
        size = sum(size_of(chunk) for chunk in chunks)
        if size > min(_MOST_OF_ONE_BYTES, self._most_bytes):
            return
        if (before := self._speech.pop(key, None)) is not None:
            self.used_bytes -= before[1]
        self._speech[key] = (chunks, size)
        self.used_bytes += size
        while self.used_bytes > self._most_bytes:
            _, (_, freed) = self._speech.popitem(last=False)
            self.used_bytes -= freed


def size_of(chunk: SpeechChunk) -> int:
    """Return the memory of a chunk of speech in bytes."""
    return chunk.pcm.nbytes + _CHUNK_BYTES + _WORD_BYTES * len(chunk.words)


class CachedVoice(Voice):
    """A voice whose texts are synthesized once: said again, they come from the cache.

    Only complete speech is kept: none of a voice that failed, or that was cut.

    Args:
        voice: the voice.
        cache: the cache.
        identity: the voice's identity (`SpeechCache.identity`).
    """

    def __init__(self, voice: Voice, cache: SpeechCache, identity: bytes) -> None:
        self.marks = voice.marks
        self._voice = voice
        self._cache = cache
        self._identity = identity

    @override
    async def speak(self, text: str) -> AsyncGenerator[SpeechChunk, None]:
        key = self._cache.key(self._identity, text)
        found = self._cache.find(key)
        if found is not None:
            for chunk in found:
                yield chunk
            return
        kept: list[SpeechChunk] = []
        size = 0
        async with aclosing(cast("Any", self._voice.speak(text))) as chunks:
            chunk: SpeechChunk
            async for chunk in chunks:
                size += size_of(chunk)
                if size <= _MOST_OF_ONE_BYTES:
                    kept.append(_copy(chunk))
                else:
                    kept.clear()
                yield chunk
        if kept and size <= _MOST_OF_ONE_BYTES and any(chunk.pcm.size for chunk in kept):
            self._cache.keep(key, tuple(kept))

    @override
    async def run(self) -> None:
        await self._voice.run()


def _copy(chunk: SpeechChunk) -> SpeechChunk:
    """Return a chunk whose samples nobody can change: they may be a view of a buffer that is used again."""
    pcm = chunk.pcm.copy()
    pcm.flags.writeable = False
    return SpeechChunk(pcm, chunk.rate_hz, chunk.words)
