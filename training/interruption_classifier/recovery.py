"""The recovery after false interruptions, measured on a simulated clock: how soon, and where in the text it resumes.

`python -m training.interruption_classifier.recovery --data DIR` plays coughs, noises, backchannels and true
interruptions to calls whose classifier takes every voice for an interruption, so that each one stops the assistant.
What happens after the stop is then decided by the rest of the server.
"""

import argparse
import json
import logging
from collections.abc import AsyncGenerator, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import anyio
import numpy as np
import structlog
from bench.interruption.conditions import RATE_HZ
from bench.interruption.recordings import read, steady_speech
from bench.interruption.scenes import Scene, scenes
from bench.speech import HELP, SPEECH
from typing_extensions import override

from bargein.audio import pcm
from bargein.audio.pcm import Float32Array
from bargein.call.context import Providers
from bargein.call.record import journal
from bargein.call.record.replay import replay
from bargein.ports import ChatMessage, InterruptionScore, Model, SpeechChunk, SpokenWord, Voice
from bargein.providers.embedded.stt import MoonshineTranscriber
from bargein.providers.embedded.vad import SileroDetector
from bargein.turns.commands import Decide, Play, Remember, StartReply
from bargein.turns.phrases import word_spans
from bargein.wire.base import JsonObject
from training.interruption_classifier.scene_player import Played, ScenePlayer
from training.interruption_classifier.stage import (
    WORD_MS,
    StageClassifier,
    StageDetector,
    StageTranscriber,
    run_on_stage,
)

CLAUSE_WORDS, SENTENCE_WORDS = 4, 12
"""The assistant's text has a comma after every fourth word and a full stop after every twelfth."""

_WITHIN_MS = 600
_WATCHED_MS = 3_000
_HEARD_MS, _IN_FLIGHT_MS = 20, 60
_EARLIEST_MS, _SPREAD_MS = 2_000, 4_000
_SURE = 0.97
_TOKEN_S = 0.02
_FRAME = RATE_HZ // 50
_AUDIBLE_BELOW_PEAK_DB = 35.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Recovery:
    """The course of a call after the caller's first stop of the assistant. Times are those of the call.

    Attributes:
        cut_ms: when the assistant was stopped; None: it was not.
        resumed: how often the engine decided that a stop was a false interruption.
        text: text that was spoken again by itself; None: none was.
        asked_again: whether the model was asked for another answer in place of the rest.
        heard: text that had been heard before the stop.
        play_ms: when the next reply began to sound; None: it did not.
    """

    cut_ms: int | None = None
    resumed: int = 0
    text: str | None = None
    asked_again: bool = False
    heard: str = ""
    play_ms: int | None = None

    @property
    def repeated_words(self) -> int | None:
        """Number of words that were heard twice (negative: left out); None: nothing was resumed."""
        if not self.text:
            return None
        return _number(self.heard.split()[-1]) + 1 - _number(self.text.split()[0]) if self.heard else 0

    @property
    def joins_at_clause(self) -> bool:
        """True if the resumed text begins a clause."""
        return bool(self.text) and _number(self.text.split()[0]) % CLAUSE_WORDS == 0


def _number(word: str) -> int:
    return int(word.strip(",.")[1:])


def recovery_of(lines: Iterable[str]) -> Recovery:
    """Return what a call's journal says about the first stop and what followed."""
    head, events = journal.read(f"{line}\n" for line in lines)
    found, texts = Recovery(), dict[str, str | None]()
    for moment in replay(head, events):
        for command in moment.commands:
            match command:
                case StartReply(turn_id, text):
                    texts[turn_id] = text
                case Decide("stopped") if found.cut_ms is None:
                    found = replace(found, cut_ms=moment.at_ms)
                case Decide("resumed"):
                    found = replace(found, resumed=found.resumed + 1)
                case Remember("assistant", text, interrupted=True) if not found.heard:
                    found = replace(found, heard=text)
                case Play(turn_id) if found.cut_ms is not None and found.play_ms is None:
                    text, again = texts[turn_id], bool(found.resumed)
                    found = replace(
                        found, play_ms=moment.at_ms, text=text if again else None, asked_again=again and text is None
                    )
                case _:
                    pass
    return found


class _ClauseVoice(Voice):
    """A voice that speaks numbered words with commas and full stops, and takes its time for each piece.

    Args:
        recording: samples at 16 kHz.
        begins_after_s: time from the request to the first audio.
    """

    def __init__(self, recording: Float32Array, begins_after_s: float) -> None:
        self._recording = pcm.from_float(recording)
        self._slice = WORD_MS * RATE_HZ // 1000
        self._begins_after_s = begins_after_s
        self.text = " ".join(_word(number) for number in range(self._recording.size // self._slice))

    @override
    async def speak(self, text: str) -> AsyncGenerator[SpeechChunk, None]:
        spans = word_spans(text)
        numbers = [_number(text[begin:end]) for begin, end in spans]
        sound = [self._recording[number * self._slice : (number + 1) * self._slice] for number in numbers]
        words = tuple(SpokenWord(end, index * WORD_MS, (index + 1) * WORD_MS) for index, (_, end) in enumerate(spans))
        await anyio.sleep(self._begins_after_s)
        yield SpeechChunk(np.concatenate(sound), RATE_HZ, words)


def _word(number: int) -> str:
    last_of_clause = number % CLAUSE_WORDS == CLAUSE_WORDS - 1
    mark = "." if number % SENTENCE_WORDS == SENTENCE_WORDS - 1 else "," if last_of_clause else ""
    return f"w{number:03d}{mark}"


@dataclass(frozen=True, slots=True)
class _StreamingModel(Model):
    """A model that always gives the same answer, word by word."""

    text: str

    @override
    async def reply(
        self, messages: Sequence[ChatMessage], tools: Sequence[JsonObject] = ()
    ) -> AsyncGenerator[str, None]:
        await anyio.sleep(0.2)
        for word in self.text.split():
            await anyio.sleep(_TOKEN_S)
            yield f"{word} "


def sound_end_ms(samples: Float32Array) -> float:
    """Return where the sound of a clip ends: its last 20 ms within 35 dB of the loudest."""
    frames = samples[: samples.size // _FRAME * _FRAME].reshape(-1, _FRAME)
    levels = np.square(frames).mean(axis=1)
    return float((np.flatnonzero(levels > levels.max() * 10 ** (-_AUDIBLE_BELOW_PEAK_DB / 10))[-1] + 1) * 20)


def recovery_scenes(data: Path, parts: Sequence[str], share: float) -> list[tuple[str, Scene]]:
    """Return the benchmark's scenes at one level, each with its group; they are watched for three seconds more."""
    found: list[tuple[str, Scene]] = []
    for scene in scenes(data, parts, share, 1):
        if scene.part == "noise" and scene.condition.level_dbfs < -30:
            continue
        group = "true" if scene.is_true else "backchannel" if scene.part == "listening" else scene.kind
        watched = replace(
            scene,
            part="recovery",
            inject_ms=_EARLIEST_MS + scene.inject_ms % _SPREAD_MS,
            offset_ms=sound_end_ms(read(data / scene.clip)) + _WATCHED_MS,
        )
        found.append((group, watched))
    return found


def measure(
    data: Path, chosen: Sequence[tuple[str, Scene]], *, plan: JsonObject | None, voice_ms: float, verbose: bool
) -> list[tuple[str, Recovery, float | None]]:
    """Play scenes, one call each; return group, recovery, and time from the clip's silence to the next sound."""
    voice = _ClauseVoice(steady_speech(data), voice_ms / 1000)
    assistant: JsonObject = {
        "firstMessageMode": "assistant-speaks-first-with-model-generated-message",
        "firstMessageInterruptionsEnabled": True,
        **({} if plan is None else {"stopSpeakingPlan": plan}),
    }
    player = ScenePlayer(data, assistant, np.ones(1, np.float32))
    providers = Providers(
        detector=StageDetector(SileroDetector().load()),
        transcriber=StageTranscriber(MoonshineTranscriber()),
        model=_StreamingModel(voice.text),
        voice=voice,
        interruption_classifier=StageClassifier(lambda _: InterruptionScore(_SURE, 0.0)),
    )
    found: list[tuple[str, Recovery, float | None]] = []

    async def play() -> None:
        for number, (group, scene) in enumerate(chosen):
            played = await player.play(scene, providers, number)
            recovery = recovery_of(played.lines)
            back_ms = back_after(played, scene, recovery)
            found.append((group, recovery, back_ms))
            if verbose:
                print(group, scene.clip, back_ms, recovery, flush=True)

    run_on_stage(play)
    return found


def back_after(played: Played, scene: Scene, recovery: Recovery) -> float | None:
    """Return the time from the end of a clip's sound to the next speech of a stopped assistant; 0: it was earlier."""
    silent_ms = played.onset_ms - scene.onset_ms + scene.offset_ms - _WATCHED_MS
    if recovery.cut_ms is None:
        return None
    from_ms = max(silent_ms - _HEARD_MS, recovery.cut_ms + _IN_FLIGHT_MS)
    again_ms = next((at_ms for at_ms in played.sounds_ms if at_ms >= from_ms), None)
    return None if again_ms is None else max(0.0, again_ms - silent_ms)


def summary(found: Sequence[tuple[str, Recovery, float | None]]) -> JsonObject:
    """Return the figures of each group and of all false interruptions."""
    groups = sorted({group for group, _, _ in found})
    result: JsonObject = {group: _figures([row for row in found if row[0] == group]) for group in groups}
    result["all false"] = _figures([row for row in found if row[0] != "true"])
    return result


def _figures(rows: Sequence[tuple[str, Recovery, float | None]]) -> JsonObject:
    stops = [(recovery, back_ms) for _, recovery, back_ms in rows if recovery.cut_ms is not None]
    resumed = [(recovery, back_ms) for recovery, back_ms in stops if recovery.resumed and recovery.play_ms is not None]
    times = [back_ms for _, back_ms in resumed if back_ms is not None]
    repeated = [recovery.repeated_words for recovery, _ in resumed if recovery.repeated_words is not None]
    figures: JsonObject = {
        "clips": len(rows),
        "stops": len(stops),
        "resumed": len(resumed),
        "more than once": sum(recovery.resumed > 1 for recovery, _ in resumed),
        "model asked again": sum(recovery.asked_again for recovery, _ in resumed),
    }
    if times:
        figures["silence to sound p50 / p95 ms"] = [round(float(np.percentile(times, p))) for p in (50, 95)]
        figures[f"within {_WITHIN_MS} ms"] = round(float(np.mean([ms <= _WITHIN_MS for ms in times])), 3)
    if repeated:
        figures["words repeated, mean / most"] = [round(float(np.mean(repeated)), 2), max(repeated)]
        figures["words left out"] = sum(max(0, -words) for words in repeated)
        figures["join at a clause"] = round(float(np.mean([r.joins_at_clause for r, _ in resumed if r.text])), 3)
    return figures


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(prog="python -m training.interruption_classifier.recovery", description=__doc__)
    parser.add_argument("--data", type=Path, default=SPEECH, help=HELP)
    parser.add_argument("--parts", nargs="*", default=["command", "word", "listening", "noise"], help="parts to play")
    parser.add_argument("--share", type=float, default=1.0, help="share of the clips")
    parser.add_argument("--plan", type=json.loads, help="a stopSpeakingPlan in JSON; the default policy without it")
    parser.add_argument("--voice-ms", type=float, default=150, help="time of the voice until its first audio")
    parser.add_argument("--verbose", action="store_true", help="print every scene")
    given = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    chosen = recovery_scenes(given.data, given.parts, given.share)
    found = measure(given.data, chosen, plan=given.plan, voice_ms=given.voice_ms, verbose=given.verbose)
    print(json.dumps(summary(found), indent=1))


if __name__ == "__main__":
    main()
