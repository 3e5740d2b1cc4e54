"""The models inside the package, one of each for the process: voice detection, transcription, voice, scripted model."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import anyio

from bargein.clock import Clock
from bargein.ports import ProviderError, Transcriber
from bargein.providers.embedded.end_of_turn import EmbeddedEndOfTurnDetector
from bargein.providers.embedded.interruption_classifier import EmbeddedInterruptionClassifier
from bargein.providers.embedded.llm import DemoModel
from bargein.providers.embedded.smart_turn import SmartTurnDetector
from bargein.providers.embedded.stt import MoonshineTranscriber
from bargein.providers.embedded.tts import HibariVoice
from bargein.providers.embedded.vad import SileroDetector
from bargein.providers.embedded.whisper import Whisper, codes_of
from bargein.providers.embedded.whisper_model import is_installed
from bargein.settings import TurnModel


class Check(NamedTuple):
    """The result of loading one model.

    Attributes:
        name: the model and its purpose.
        ok: True if it was loaded.
        detail: the time that loading took, or the error and how to fix it.
    """

    name: str
    ok: bool
    detail: str


class Embedded:
    """The embedded models, shared by all calls; nothing is loaded before it is used or warmed up.

    Args:
        clock: the one clock.
        turn_model: the model that detects the end of a turn (`BARGEIN_TURN_MODEL`).

    Attributes:
        detector: the voice activity detector.
        transcriber: the transcriber of English.
        whisper: the model of other languages, which an extra contains.
        voice: the voice.
        model: the scripted model.
        interruption_classifier: the interruption classifier.
        end_of_turn_detector: the end-of-turn detector.
    """

    def __init__(self, clock: Clock, turn_model: TurnModel = "embedded") -> None:
        self._clock = clock
        self.detector = SileroDetector()
        self.transcriber = MoonshineTranscriber()
        self.whisper = Whisper()
        self.voice = HibariVoice()
        self.model = DemoModel()
        self.interruption_classifier = EmbeddedInterruptionClassifier(self.transcriber.model)
        self.end_of_turn_detector = (
            SmartTurnDetector() if turn_model == "smart-turn" else EmbeddedEndOfTurnDetector(self.transcriber.model)
        )

    def transcriber_of(self, tags: Sequence[str]) -> Transcriber:
        """Return the transcriber of the languages that tags name ("es-MX", "multi"); without tags, of English.

        Where the extra is not installed, `multi` is English.
        """
        codes = codes_of(tags)
        if codes is None or (not codes and not is_installed()):
            return self.transcriber
        return self.whisper.transcriber(codes)

    async def warm_up(self) -> None:
        """Load everything, off the event loop; takes a second or two.

        Raises:
            ProviderError: a model is missing or broken; the others are loaded when they are used.
        """
        await anyio.to_thread.run_sync(self.detector.load)
        await self.transcriber.warm_up()
        await self.voice.warm_up()
        await anyio.to_thread.run_sync(self.interruption_classifier.load)
        await anyio.to_thread.run_sync(self.end_of_turn_detector.load)

    def check(self) -> list[Check]:
        """Load each model and return what works; blocks, for the command line."""
        checks = [
            self._check("voice detection (Silero)", self.detector.load),
            self._check("transcription (Moonshine tiny, English)", self.transcriber.model.load),
            self._check("voice (hibari, English)", self.voice.load),
            self._check("interruption classifier", self.interruption_classifier.load),
            self._check("end-of-turn detector", self.end_of_turn_detector.load),
        ]
        if is_installed():
            checks.insert(2, self._check("transcription (Whisper base, other languages)", self.whisper.model.load))
        return checks

    def close(self) -> None:
        """Stop the threads; calls that still use the models fail."""
        self.detector.close()
        self.transcriber.close()
        self.whisper.close()
        self.voice.close()

    def _check(self, name: str, load: Callable[[], object]) -> Check:
        began_ms = self._clock.monotonic_ms()
        try:
            load()
        except ProviderError as error:
            return Check(name, ok=False, detail=str(error))
        return Check(name, ok=True, detail=f"loaded in {self._clock.monotonic_ms() - began_ms:.0f} ms")
