"""The models inside the package: voice detection, transcription, a voice, a scripted model; one of each a process."""

from collections.abc import Callable
from typing import Literal, NamedTuple

import anyio

from bargein.clock import Clock
from bargein.ports import ProviderError
from bargein.providers.embedded.end_of_turn import EmbeddedEndOfTurnDetector
from bargein.providers.embedded.interruption_classifier import EmbeddedInterruptionClassifier
from bargein.providers.embedded.llm import DemoModel
from bargein.providers.embedded.smart_turn import SmartTurnDetector
from bargein.providers.embedded.stt import MoonshineTranscriber
from bargein.providers.embedded.tts import HibariVoice
from bargein.providers.embedded.vad import SileroDetector

TurnModel = Literal["embedded", "smart-turn"]
"""Which model judges pauses (`BARGEIN_TURN_MODEL`)."""


class Check(NamedTuple):
    """Whether a part works.

    Attributes:
        name: what it is.
        ok: whether it works.
        detail: how long it took to load, or what is wrong and how to mend it.
    """

    name: str
    ok: bool
    detail: str


class Embedded:
    """Holds the embedded providers, shared by all calls; nothing is loaded before it is used or warmed up.

    Args:
        clock: the one clock.
        turn_model: which model judges pauses.

    Attributes:
        detector: hears voices.
        transcriber: understands words.
        voice: speaks.
        model: answers.
        interruption_classifier: tells voices that take the floor from those that do not.
        turn_judge: tells the end of a turn from a pause in it.
    """

    def __init__(self, clock: Clock, turn_model: TurnModel = "embedded") -> None:
        self._clock = clock
        self.detector = SileroDetector()
        self.transcriber = MoonshineTranscriber()
        self.voice = HibariVoice()
        self.model = DemoModel()
        self.interruption_classifier = EmbeddedInterruptionClassifier(self.transcriber.model)
        self.end_of_turn_detector = (
            SmartTurnDetector() if turn_model == "smart-turn" else EmbeddedEndOfTurnDetector(self.transcriber.model)
        )

    async def warm_up(self) -> None:
        """Load everything, off the event loop; takes a second or two.

        Raises:
            ProviderError: something is missing or broken; the rest may still be loaded later, by its use.
        """
        await anyio.to_thread.run_sync(self.detector.load)
        await self.transcriber.warm_up()
        await self.voice.warm_up()
        await anyio.to_thread.run_sync(self.interruption_classifier.load)
        await anyio.to_thread.run_sync(self.end_of_turn_detector.load)

    def check(self) -> list[Check]:
        """Load everything, and tell what works; blocks, for a command line."""
        return [
            self._check("voice detection (Silero)", self.detector.load),
            self._check("transcription (Moonshine tiny, English)", self.transcriber.model.load),
            self._check("voice (hibari, English)", self.voice.load),
            self._check("interruptions (floor judge)", self.interruption_classifier.load),
            self._check("turn ends (judge of pauses)", self.end_of_turn_detector.load),
        ]

    def close(self) -> None:
        """Stop the threads; calls that still use them fail."""
        self.detector.close()
        self.transcriber.close()
        self.voice.close()

    def _check(self, name: str, load: Callable[[], object]) -> Check:
        began_ms = self._clock.monotonic_ms()
        try:
            load()
        except ProviderError as error:
            return Check(name, ok=False, detail=str(error))
        return Check(name, ok=True, detail=f"loaded in {self._clock.monotonic_ms() - began_ms:.0f} ms")
