"""Analysis of the caller's audio: voice activity, transcripts, interruptions and ends of turns."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from bargein.ports.audio import Pcm16


class TranscriptCallback(Protocol):
    """A callback for transcripts of the current utterance."""

    def __call__(
        self,
        text: str,
        final: bool,  # noqa: FBT001  # given by position
        /,
        confidence: float | None = None,
        *,
        complete: bool = False,
        end_of_turn: float | None = None,
    ) -> None:
        """Receive a partial, which replaces the partial before it, or a final, which closes the utterance.

        Args:
            text: the words; empty in a final if there were none.
            final: whether it is a final.
            confidence: in the words, from 0 to 1; None: the transcriber does not report it.
            complete: whether a partial was made after `voice_paused` and has all words so far.
            end_of_turn: the transcriber's own probability that the turn is over, from 0 to 1; None: it reports none. It
                is evidence for the end-of-turn detector and decides nothing.
        """


class TranscriberStream(Protocol):
    """The transcription of one call.

    Every method but `run` is called on the event loop's thread and returns at once.
    """

    def feed(self, customer: Pcm16, assistant: Pcm16) -> None:
        """Add the next audio of both sides, equally long, at 16 kHz."""
        ...

    def expect(self, question: str) -> None:
        """Receive the assistant's last words as the caller heard them: what is said next may answer them.

        A transcriber that cannot use them ignores it.
        """

    def voice_started(self, lead_ms: int) -> None:
        """Begin an utterance: the caller's voice began `lead_ms` before the end of the audio that was fed."""
        ...

    def voice_paused(self) -> None:
        """Request all words so far, in a partial that is `complete`: the caller is silent for a moment.

        A transcriber that cannot do so ignores it.
        """
        ...

    def voice_resumed(self) -> None:
        """Continue the utterance after a pause."""
        ...

    def voice_stopped(self) -> None:
        """Request a final: the caller fell silent."""
        ...

    async def run(self) -> None:
        """Transcribe until cancelled.

        Raises:
            ProviderError: the transcriber cannot go on.
        """
        ...


class Transcriber(Protocol):
    """Speech to text.

    Attributes:
        lag_ms: how much later than usual its words may come after the end of a voice.
    """

    lag_ms: int = 0

    def open(self, on_transcript: TranscriptCallback) -> TranscriberStream:
        """Open the transcription of a call. `on_transcript` is called on the event loop's thread, from `run`."""
        ...


class DetectorStream(Protocol):
    """The voice activity detection of one call."""

    def push(self, window: npt.NDArray[np.float32], end_ms: float) -> None:
        """Add one window of samples in [-1, 1]; returns at once. The results come to `on_probability`, in order."""
        ...

    def close(self) -> None:
        """Close the stream; results that are still under way are dropped."""
        ...


class VoiceDetector(Protocol):
    """Voice activity detection; one instance is shared by all calls of the process."""

    def open(self, rate_hz: int, on_probability: Callable[[float, float], None]) -> DetectorStream:
        """Open the detection of a call.

        Args:
            rate_hz: 8000 or 16000, for windows of 256 or 512 samples (32 ms).
            on_probability: receives each window's voice probability, and the `end_ms` that it was pushed with, on the
                event loop's thread.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class OverlappingSpeech:
    """A voice that began while the assistant speaks, up to now.

    Attributes:
        onset_ms: the onset by the detector, in milliseconds of the call; it identifies the voice.
        age_ms: how long the voice has lasted, from its beginning, which may be before the detector's onset.
        caller: the caller's audio at 16 kHz, from 328 ms before the beginning; silence before the call began.
        assistant: the assistant's audio, from some time before that; it ends together with `caller`.
        voice: the detector's probabilities since the beginning, one for each window.
    """

    onset_ms: int
    age_ms: int
    caller: Pcm16
    assistant: Pcm16
    voice: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class InterruptionScore:
    """The score of a voice over the assistant.

    Attributes:
        interruption: the probability that the caller takes the turn, from 0 to 1; else it is a backchannel or a noise.
        echo: the share of the assistant's own voice that came back as echo, from 0 to 1.
    """

    interruption: float
    echo: float


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnPause:
    """A pause of the caller, which may be the end of the turn.

    Attributes:
        said: the words of the turn.
        confidence: the transcriber's least confidence in an utterance of the turn, from 0 to 1; None: it is not known.
        caller: the caller's audio at 16 kHz: up to eight seconds before the pause, and a tenth of a second of it.
        runs: the onset and offset of each run of voice in the turn, in milliseconds of the call; the last one ends
            where the pause begins.
        language: the language of the words, as `bargein.turns.languages.key_of_tags` gives it.
        asked: the assistant's last text, as it was heard; empty: none yet.
        transcriber: the transcriber's own probability that the turn is over, told since the caller fell silent; None:
            it told none.
    """

    said: str
    caller: Pcm16
    runs: tuple[tuple[int, int], ...]
    confidence: float | None = None
    language: str = "en"
    asked: str = ""
    transcriber: float | None = None


class EndOfTurnDetector(Protocol):
    """End-of-turn detection at pauses; one instance is shared by all calls of the process."""

    async def predict(self, pause: TurnPause) -> float:
        """Return the probability that the turn is over.

        Raises:
            ProviderError: the detector failed.
        """
        ...


class InterruptionClassifier(Protocol):
    """Classification of voices over the assistant; one instance is shared by all calls of the process."""

    async def classify(self, overlap: OverlappingSpeech) -> InterruptionScore:
        """Return the score of a voice, as far as it has been heard.

        Raises:
            ProviderError: the classifier failed.
        """
        ...


class Denoiser(Protocol):
    """Removes noise from one caller's audio, in front of the transcriber; the operator's own (`BARGEIN_DENOISER`)."""

    def process(self, pcm: Pcm16, rate_hz: int) -> Pcm16:
        """Return the next samples without noise, as many as come in; called on the event loop, 31 times a second.

        A denoiser that needs more audio first returns what it has from before, and silence at the beginning.

        Args:
            pcm: the samples that follow those of the last call, of any number.
            rate_hz: their rate, the same in the whole call.
        """
        ...
