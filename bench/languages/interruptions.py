"""Interruptions and backchannels in a language, played to whole calls on the simulated clock."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import anyio
import numpy as np
import soundfile
from training.interruption_classifier.scene_player import Played, ScenePlayer
from training.interruption_classifier.stage import (
    StageClassifier,
    StageDetector,
    StageModel,
    StageVoice,
    run_on_stage,
)
from typing_extensions import override

from bargein.call.context import Providers
from bargein.ports import Pcm16, Transcriber, TranscriberStream, TranscriptCallback
from bargein.providers.embedded.interruption_classifier import EmbeddedInterruptionClassifier
from bargein.providers.embedded.moonshine_model import MoonshineModel
from bargein.providers.embedded.vad import SileroDetector
from bench.interruption.conditions import CLEAN, RATE_HZ
from bench.interruption.phrases import Language
from bench.interruption.playback import false_stop, hit
from bench.interruption.recordings import steady_speech
from bench.interruption.scenes import Scene
from bench.languages.voices import Clip, spoken

WORDS_AFTER_S = 0.4
"""From the end of a voice to its words, where they are known: as long as a transcriber on the network takes."""

_INJECT_MS = 2_500


class Yields(NamedTuple):
    """Count the clips of a kind, and those that stopped the assistant.

    Attributes:
        scenes: number of clips.
        stopped: how many of them stopped the assistant.
        stop_ms: time from the onset to silence of those.
    """

    scenes: int
    stopped: int
    stop_ms: list[float]


class _Words(TranscriberStream):
    """A transcriber that knows the words in advance and says them after the voice, or never.

    Args:
        text: the words; empty: none come.
        on_transcript: receives them.
    """

    def __init__(self, text: str, on_transcript: TranscriptCallback) -> None:
        self._text = text
        self._on_transcript = on_transcript
        self._stopped = anyio.Event()

    @override
    def feed(self, customer: Pcm16, assistant: Pcm16) -> None: ...

    @override
    def voice_started(self, lead_ms: int) -> None: ...

    @override
    def voice_paused(self) -> None: ...

    @override
    def voice_resumed(self) -> None: ...

    @override
    def voice_stopped(self) -> None:
        self._stopped.set()

    @override
    async def run(self) -> None:
        while True:
            await self._stopped.wait()
            self._stopped = anyio.Event()
            await anyio.sleep(WORDS_AFTER_S)
            self._on_transcript(self._text, True)  # noqa: FBT003 - given by position
            self._text = ""


class _Transcriber(Transcriber):
    def __init__(self, text: str) -> None:
        self._text = text

    @override
    def open(self, on_transcript: TranscriptCallback) -> _Words:
        return _Words(self._text, on_transcript)


class Interrupter:
    """Plays clips to an assistant that speaks.

    Args:
        data: a collection of recordings, for the assistant's voice.
        folder: where the clips are.
    """

    def __init__(self, data: Path, folder: Path) -> None:
        self._folder = folder
        self._detector = SileroDetector().load()
        self._classifier = EmbeddedInterruptionClassifier(MoonshineModel())
        self._voice = StageVoice(steady_speech(data))

    def play(self, language: Language, texts: tuple[str, ...], part: str, *, words: bool) -> Yields:
        """Play texts in a language.

        Args:
            language: the language.
            texts: the texts.
            part: `command`, `word` or `listening`, as in the benchmark.
            words: whether their words come, after the voice.
        """
        assistant: dict[str, Any] = {
            "firstMessage": self._voice.text,
            "firstMessageInterruptionsEnabled": True,
            "transcriber": {"provider": "deepgram", "language": language.tag},
        }
        clips = list(spoken(language, texts, self._folder))
        trimmed = [self._trimmed(clip) for clip in clips]
        player = ScenePlayer(self._folder, assistant, np.ones(1, np.float32))
        played: list[Played] = []

        async def play() -> None:
            for number, (clip, path) in enumerate(zip(clips, trimmed, strict=True)):
                scene = _scene(clip, path, part, language)
                played.append(await player.play(scene, self._providers(clip.text if words else ""), number))

        run_on_stage(play)
        return _yields(played)

    def _trimmed(self, clip: Clip) -> str:
        """Write the clip without silence at both ends, and return the name of its file."""
        name = f"trimmed-{clip.path.name}"
        if not (self._folder / name).exists():
            soundfile.write(self._folder / name, clip.samples, RATE_HZ)
        return name

    def _providers(self, words: str) -> Providers:
        return Providers(
            detector=StageDetector(self._detector),
            transcriber=_Transcriber(words),
            model=StageModel(self._voice.text),
            voice=self._voice,
            interruption_classifier=StageClassifier(self._classifier.score),
        )


def _scene(clip: Clip, path: str, part: str, language: Language) -> Scene:
    return Scene(
        part=part,
        kind=f"languages.{part}",
        clip=path,
        onset_ms=0,
        offset_ms=clip.samples.size * 1000 / RATE_HZ,
        inject_ms=_INJECT_MS,
        condition=CLEAN,
        text=clip.text,
        language=language.tag,
    )


def _yields(played: Sequence[Played]) -> Yields:
    outcomes = [one.outcome for one in played]
    stopped = [one for one in outcomes if (hit(one) if one.scene.is_true else false_stop(one))]
    return Yields(len(outcomes), len(stopped), [one.stop_ms for one in stopped if one.stop_ms is not None])
