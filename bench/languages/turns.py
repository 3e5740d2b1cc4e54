"""Ends of turns in a language: how soon a whole turn is answered, and whether a pause within one cuts it off."""

import json
from collections.abc import Callable, Iterable
from dataclasses import astuple
from pathlib import Path
from typing import NamedTuple

import anyio

from bargein.audio.pcm import Int16Array
from bargein.call.plan.compile import compile_plan
from bargein.providers.embedded.end_of_turn import EmbeddedEndOfTurnDetector
from bargein.providers.embedded.moonshine_model import MoonshineModel, Transcript
from bargein.wire.assistant import Assistant
from bench.endpointing.__main__ import detector_of
from bench.endpointing.corpus import LEAD_MS, Turn, heard
from bench.endpointing.listener import Kept, TurnListener
from bench.endpointing.scoring import answered_at
from bench.interruption.conditions import RATE_HZ
from bench.interruption.phrases import Language
from bench.languages.voices import Clip

_BEGUN_MARGIN_S = 0.4
"""Audio that ends at most this long after the first piece of a turn has the words of that piece."""


class Answers(NamedTuple):
    """The answers to turns.

    Attributes:
        turns: number of turns.
        cut: how many were answered before their end.
        late_ms: time from the end to the first sound, of the others that were answered.
    """

    turns: int
    cut: int
    late_ms: list[float]


class _KnownWords(Kept):
    """Words that are known in advance, in the place of a transcriber's."""

    clip: Clip

    def __init__(self) -> None:
        super().__init__(None)

    def of(self, kind: str, audio: Int16Array, make: Callable[[], str]) -> str:
        """Return the words that have been said by the end of some audio."""
        pause_s = self.clip.pause_s
        begun = pause_s is not None and audio.size / RATE_HZ < pause_s + _BEGUN_MARGIN_S
        return json.dumps(astuple(Transcript(self.clip.begun if begun else self.clip.text, -0.1)))


class Answerer:
    """Plays whole turns to the audio input of a call, and asks the engine when it would answer."""

    def __init__(self) -> None:
        self._detector = EmbeddedEndOfTurnDetector(MoonshineModel())
        self._words = _KnownWords()
        self._listener = TurnListener(self._words)

    def answers(self, language: Language, clips: Iterable[Clip]) -> Answers:
        """Return the answers to turns in a language."""
        plan = compile_plan(
            Assistant.from_json(
                {
                    "firstMessageMode": "assistant-waits-for-user",
                    "transcriber": {"provider": "deepgram", "language": language.tag},
                }
            )
        )
        times: list[float] = []
        for clip in clips:
            turn = _turn(clip, language)
            self._words.clip = clip
            events = anyio.run(self._listener.events, turn)
            detect = detector_of(turn, events, lambda _name, pause, _offset_ms: self._detector.detect(pause))
            times.append((answered_at(events, plan, turn.over_ms, detect) or turn.over_ms) - turn.end_ms)
        return Answers(len(times), sum(ms < 0 for ms in times), [ms for ms in times if ms >= 0])


def _turn(clip: Clip, language: Language) -> Turn:
    end_s = clip.samples.size / RATE_HZ
    return Turn(
        name=f"{language.tag} {clip.text}",
        part=language.tag,
        speaker=Path(clip.path).name,
        sound=heard(clip.samples, end_s),
        end_ms=LEAD_MS + round(end_s * 1000),
    )
