"""Text to speech."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Protocol

from bargein.ports.audio import Pcm16


@dataclass(frozen=True, slots=True)
class SpokenWord:
    """The timing of one word within the audio of one `Voice.speak`.

    Attributes:
        char_end: the offset in the text after the word and its punctuation.
        start_ms: where it begins, in milliseconds from the first sample.
        end_ms: where it ends.
    """

    char_end: int
    start_ms: int
    end_ms: int


@dataclass(frozen=True, slots=True)
class SpeechChunk:
    """A chunk of speech.

    Attributes:
        pcm: the samples; may be empty if the chunk only has timings.
        rate_hz: the sample rate; the same for all chunks of one `speak`.
        words: the timings that are known with this chunk; empty for a voice without timings.
    """

    pcm: Pcm16
    rate_hz: int
    words: tuple[SpokenWord, ...] = ()


class Voice(Protocol):
    """Text to speech.

    Attributes:
        marks: the marks in a text that the voice carries out itself: `break` (`<break time="1s"/>`) and `spell`
            (`<spell>AB1</spell>`). The call carries out the others: a pause in the audio, and single letters.
    """

    marks: frozenset[str] = frozenset()

    def speak(self, text: str) -> AsyncIterator[SpeechChunk]:
        """Synthesize `text` (about a sentence), and yield audio as it is made. Closing the iterator cancels it.

        Raises:
            ProviderError: the voice failed, also after some chunks.
        """
        ...

    async def run(self) -> None:
        """Keep the connections that the voice needs ready during a call, until cancelled.

        Returns at once if there are none. A connection that cannot be opened is no error here: it is opened when it is
        needed, and fails then.
        """
