"""A caller's audio for the vendors' own clients of transcribers: a voice and the silence after it."""

from collections.abc import Iterator

from bargein.testing import speech
from bargein.testing.vendors.speech_peer import SpeechScript

TEXT = "I would like to book a table."
SCRIPT = SpeechScript(utterances=(TEXT,), word_ms=100)
KEY = "test-key"


def pieces(rate_hz: int = 16_000) -> Iterator[bytes]:
    """Yield 900 ms of a voice and 300 ms of silence, in pieces of 100 ms."""
    audio = speech(900, rate_hz) + bytes(300 * 2 * rate_hz // 1000)
    size = rate_hz // 10 * 2
    for start in range(0, len(audio), size):
        yield audio[start : start + size]
