"""The whole policy, from the detector to the decision, on the benchmark's scenes and a simulated clock.

Every clip is judged by a network that has heard neither it nor its speaker. What the models made of a sound is kept,
so that another set of weights or thresholds is tried in a fraction of the time.
"""

import csv
import gc
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from bench.interruption.conditions import Condition
from bench.interruption.figures import summary
from bench.interruption.recordings import steady_speech
from bench.interruption.scenes import Scene, scenes

from bargein.audio import pcm
from bargein.audio.echo import echo_share
from bargein.audio.pcm import Float32Array
from bargein.call.context import Providers
from bargein.ports import InterruptionScore, OverlappingSpeech
from bargein.providers.embedded.interruption_classifier import (
    INTERRUPTION,
    QUIET_MS,
    add_acoustic_features,
    encode_voice,
)
from bargein.providers.embedded.network import Network
from bargein.providers.embedded.stt import MoonshineTranscriber
from bargein.providers.embedded.vad import SileroDetector
from bargein.wire.base import JsonObject
from training.interruption_classifier.corpus import fold_of
from training.interruption_classifier.scene_player import Played, ScenePlayer
from training.interruption_classifier.stage import (
    StageDetector,
    StageJudge,
    StageModel,
    StageTranscriber,
    StageVoice,
    digest,
    run_on_stage,
)

_ECHO_MS = 28_000

_LEAST_INJECT_MS, _SPREAD_MS = 2_000, 3_000
"""On a simulated clock nothing is gained by waiting longer for the moment at which a scene's clip begins."""


@dataclass(slots=True)
class Kept:
    """What models made of sounds, by the sounds' digests.

    Attributes:
        words: the transcriber's words.
        sounds: what the judge's encoder made of a voice.
        echoes: how sure it was that a voice was our own.
    """

    words: dict[str, str] = field(default_factory=dict)
    sounds: dict[str, Float32Array] = field(default_factory=dict)
    echoes: dict[str, float] = field(default_factory=dict)

    @classmethod
    def load(cls, folder: Path) -> "Kept":
        """What `save` wrote, or nothing."""
        texts, arrays = folder / "kept.json", folder / "kept.npz"
        if not texts.exists() or not arrays.exists():
            return cls()
        told = json.loads(texts.read_text(encoding="utf-8"))
        with np.load(arrays) as found:
            names, values = found["names"], found["values"]
        return cls(told["words"], dict(zip(names.tolist(), values.astype(np.float32), strict=True)), told["echoes"])

    def save(self, folder: Path) -> None:
        """Write it."""
        told = {"words": self.words, "echoes": self.echoes}
        (folder / "kept.json").write_text(json.dumps(told), encoding="utf-8")
        values = np.stack(list(self.sounds.values())) if self.sounds else np.zeros((0, 1))
        np.savez(folder / "kept.npz", names=np.array(list(self.sounds)), values=values.astype(np.float16))


class Evaluation:
    """Plays scenes to the policy.

    Args:
        data: the collection.
        networks: the judge of each part of the split.
        kept: what is known already; grows.
    """

    def __init__(self, data: Path, networks: Sequence[Network], kept: Kept) -> None:
        self._data = data
        self._networks = networks
        self._kept = kept
        self._transcriber = MoonshineTranscriber()
        self._detector = SileroDetector().load()
        self._voice = StageVoice(steady_speech(data))
        self._speakers = _speakers(data)

    def play(
        self,
        chosen: Sequence[Scene],
        *,
        plan: JsonObject | None = None,
        response: Float32Array | None = None,
        cancels_echo: bool = False,
        told: Callable[[int, Played], None] = lambda _number, _played: None,
    ) -> list[Played]:
        """Play scenes one after the other.

        Args:
            chosen: which.
            plan: a `stopSpeakingPlan`; None leaves it to the evidence.
            response: of the room that echoes come through.
            cancels_echo: whether the server takes its own voice out of what it hears.
            told: is told of each, with its number.
        """
        assistant: JsonObject = {
            "firstMessage": self._voice.text,
            "firstMessageInterruptionsEnabled": True,
            **({} if plan is None else {"stopSpeakingPlan": plan}),
        }
        player = ScenePlayer(self._data, assistant, np.ones(1, np.float32) if response is None else response)
        played: list[Played] = []

        async def play() -> None:
            for number, scene in enumerate(chosen):
                providers = replace(self._providers(scene), cancels_echo=cancels_echo)
                played.append(await player.play(scene, providers, number))
                told(number, played[-1])
                if number % 100 == 0:
                    gc.collect()

        run_on_stage(play)
        return played

    def _providers(self, scene: Scene) -> Providers:
        network = self._networks[fold_of(self._speakers.get(scene.clip, scene.clip)) % len(self._networks)]
        return Providers(
            detector=StageDetector(self._detector),
            transcriber=StageTranscriber(self._transcriber, self._kept.words),
            model=StageModel(self._voice.text),
            voice=self._voice,
            interruption_classifier=StageJudge(lambda overlap: self._verdict(network, overlap)),
        )

    def _verdict(self, network: Network, overlap: OverlappingSpeech) -> InterruptionScore:
        caller, name = pcm.to_float(overlap.caller), digest(overlap.caller)
        if name not in self._kept.sounds:
            self._kept.sounds[name] = encode_voice(self._transcriber.model, caller)
        pair = name + digest(overlap.assistant)
        if pair not in self._kept.echoes:
            self._kept.echoes[pair] = echo_share(caller[QUIET_MS * 16 :], pcm.to_float(overlap.assistant))
        row = add_acoustic_features(self._kept.sounds[name], caller, overlap.voice, overlap.age_ms)
        return InterruptionScore(
            float(network.probabilities(row[np.newaxis])[0, INTERRUPTION]), self._kept.echoes[pair]
        )


def chosen_scenes(data: Path, parts: Sequence[str], share: float, *, telephone: bool = False) -> list[Scene]:
    """The benchmark's scenes, each played once, and not long after the assistant begins."""
    found = scenes(data, parts, share, 1, telephone=telephone)
    return [replace(scene, inject_ms=_LEAST_INJECT_MS + scene.inject_ms % _SPREAD_MS) for scene in found]


def echo_scenes(echo_db: float, minutes: float, *, telephone: bool = False) -> list[Scene]:
    """Half-minutes in which nobody speaks but the assistant, who hears itself at this level, after different delays."""
    delays = (20, 60, 120, 200, 300)
    return [
        Scene(
            part="echo",
            kind=f"echo {echo_db:g} dB",
            clip="",
            onset_ms=0,
            offset_ms=_ECHO_MS,
            inject_ms=number,
            condition=Condition(echo_db=echo_db, delay_ms=delays[number % len(delays)], telephone=telephone),
        )
        for number in range(round(minutes * 60_000 / _ECHO_MS))
    ]


def figures(played: Sequence[Played]) -> JsonObject:
    """As the black-box benchmark has them; and how soon what was stopped wrongly went on."""
    told = summary([one.outcome for one in played])
    back = [
        one.back_ms for one in played if one.back_ms is not None and one.outcome.scene.part not in ("command", "word")
    ]
    told["back_p50_ms"] = round(float(np.median(back))) if back else None
    told["back_p95_ms"] = round(float(np.percentile(back, 95))) if back else None
    return told


def _speakers(data: Path) -> dict[str, str]:
    with (data / "MANIFEST.tsv").open(encoding="utf-8") as file:
        return {row["path"]: row["speaker"] or row["path"] for row in csv.DictReader(file, delimiter="\t")}
