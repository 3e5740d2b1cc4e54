"""What is made of the caller's sound: voice, words, and whether it takes the floor."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from bargein.ports.sound import Pcm16


class TranscriptCallback(Protocol):
    """Takes what the caller said in the running utterance."""

    def __call__(
        self,
        text: str,
        final: bool,  # noqa: FBT001  # given by position
        /,
        confidence: float | None = None,
        *,
        whole: bool = False,
    ) -> None:
        """Hear a partial, which replaces the partial before it, or a final, which closes the utterance.

        A final's text may be empty: there were no words. `confidence`, from 0 to 1, is how sure the transcriber is of
        a final, where it can tell. A partial is `whole` if it was made after `voice_paused` and holds all that was
        said: nothing has been heard since.
        """


class TranscriberStream(Protocol):
    """The transcription of one call.

    Every method but `run` is called on the event loop's thread and returns at once.
    """

    def feed(self, customer: Pcm16, assistant: Pcm16) -> None:
        """Take the next stretch of both sides, equally long, at 16 kHz."""
        ...

    def voice_started(self, lead_ms: int) -> None:
        """The caller began to speak `lead_ms` before the end of what was fed."""
        ...

    def voice_paused(self) -> None:
        """The caller is silent for a moment: whoever can tells all the words so far, in a partial that is `whole`."""
        ...

    def voice_resumed(self) -> None:
        """The caller goes on after such a moment: the utterance is still the same."""
        ...

    def voice_stopped(self) -> None:
        """The caller fell silent: a final is wanted."""
        ...

    async def run(self) -> None:
        """Work until cancelled.

        Raises:
            ProviderError: the transcriber cannot go on.
        """
        ...


class Transcriber(Protocol):
    """Speech to text."""

    def open(self, hear: TranscriptCallback) -> TranscriberStream:
        """Begin a call. `hear` is called on the event loop's thread, from `run`."""
        ...


class DetectorStream(Protocol):
    """Voice detection in one call."""

    def push(self, window: npt.NDArray[np.float32], end_ms: float) -> None:
        """Take one window of samples in [-1, 1]; returns at once, the answer comes through `hear`, in order."""
        ...

    def close(self) -> None:
        """Forget the stream; answers still under way are dropped."""
        ...


class VoiceDetector(Protocol):
    """Voice activity detection: one for the process, shared by all calls."""

    def open(self, rate_hz: int, hear: Callable[[float, float], None]) -> DetectorStream:
        """Begin a call at 8000 or 16000 Hz (windows of 256 or 512 samples: 32 ms).

        `hear(probability, end_ms)` gets each window's voice probability with the `end_ms` it was pushed with, on the
        event loop's thread.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class OverlappingSpeech:
    """A voice that cuts in while the assistant speaks, as far as it has been heard.

    Attributes:
        onset_ms: where the detector heard it begin; names it.
        age_ms: how much of it has been heard since.
        caller: the caller's side at 16 kHz, from 360 ms before the onset on; silence before the call began.
        assistant: what was played meanwhile, and some time before; it ends with `caller`.
        voice: the detector's probabilities since the onset.
    """

    onset_ms: int
    age_ms: int
    caller: Pcm16
    assistant: Pcm16
    voice: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class InterruptionScore:
    """What a voice that cuts in is.

    Attributes:
        interruption: the probability that the caller takes the turn, from 0 to 1; else it is a backchannel or a noise.
        echo: how sure it is that it is the assistant's own voice come back, from 0 to 1.
    """

    interruption: float
    echo: float


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnPause:
    """A pause of the caller's, which may be the end of the turn.

    Attributes:
        said: the words of the turn.
        caller: the caller's side at 16 kHz: up to eight seconds before the pause, and a tenth of a second of it.
        runs: where the voice of the turn began and fell silent, run by run, in the call's milliseconds; the last one
            ends where the pause begins.
    """

    said: str
    caller: Pcm16
    runs: tuple[tuple[int, int], ...]


class EndOfTurnDetector(Protocol):
    """Tells the end of a turn from a pause in it: one for the process, shared by all calls."""

    async def predict(self, pause: TurnPause) -> float:
        """The probability that the turn is over.

        Raises:
            ProviderError: it cannot tell.
        """
        ...


class InterruptionClassifier(Protocol):
    """Tells voices that take the floor from those that do not: one for the process, shared by all calls."""

    async def classify(self, overlap: OverlappingSpeech) -> InterruptionScore:
        """Judge what has been heard of a voice.

        Raises:
            ProviderError: it cannot.
        """
        ...
