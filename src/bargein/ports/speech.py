"""Text to speech."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Protocol

from bargein.ports.sound import Pcm16


@dataclass(frozen=True, slots=True)
class SpokenWord:
    """When one word sounds, within the audio of one `Voice.speak`.

    Attributes:
        char_end: offset in the spoken text just after the word (and the punctuation that clings to it).
        start_ms: where it begins, from the first sample of this `speak`.
        end_ms: where it ends.
    """

    char_end: int
    start_ms: int
    end_ms: int


@dataclass(frozen=True, slots=True)
class SpeechChunk:
    """A piece of speech, in order.

    Attributes:
        pcm: the samples; may be empty when only timings come.
        rate_hz: their rate; the same for all chunks of one `speak`.
        words: timings that became known with this chunk; empty for a voice without timings.
    """

    pcm: Pcm16
    rate_hz: int
    words: tuple[SpokenWord, ...] = ()


class Voice(Protocol):
    """Text to speech."""

    def speak(self, text: str) -> AsyncIterator[SpeechChunk]:
        """Say `text` (a sentence or so), yielding audio as it is made. Closing the iterator stops the work.

        Raises:
            ProviderError: the voice failed, also after some chunks.
        """
        ...
