"""The whole policy, from the detector to the decision, on the benchmark's scenes and a simulated clock.

Every clip is scored by a network that was trained without the clip and its speaker. The models' results are kept, so
that another set of weights or thresholds is measured in a fraction of the time.
"""

import csv
import gc
import json
from collections.abc import Callable, Sequence
from dataclasses import astuple, dataclass, field, replace
from pathlib import Path

import numpy as np
from bench.interruption.conditions import Condition
from bench.interruption.figures import summary
from bench.interruption.recordings import steady_speech
from bench.interruption.scenes import Scene, scenes

from bargein.audio import pcm
from bargein.audio.cancelling import EchoCancellation
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
from bargein.providers.embedded.moonshine_model import Transcript
from bargein.providers.embedded.network import Network
from bargein.providers.embedded.stt import MoonshineTranscriber
from bargein.providers.embedded.vad import SileroDetector
from bargein.wire.base import JsonObject
from training.interruption_classifier.corpus import fold_of
from training.interruption_classifier.scene_player import Played, ScenePlayer
from training.interruption_classifier.stage import (
    StageClassifier,
    StageDetector,
    StageModel,
    StageTranscriber,
    StageVoice,
    digest,
    run_on_stage,
)

_ECHO_MS = 28_000

_LEAST_INJECT_MS, _SPREAD_MS = 2_000, 3_000
"""Start of a scene's clip in the answer: early, because the assistant's speech before it is of no use here."""


@dataclass(slots=True)
class Kept:
    """Results of models, by the digests of their audio.

    Attributes:
        words: transcripts.
        sounds: features of the classifier's encoder.
        echoes: probability that a voice is the assistant's echo.
    """

    words: dict[str, Transcript] = field(default_factory=dict)
    sounds: dict[str, Float32Array] = field(default_factory=dict)
    echoes: dict[str, float] = field(default_factory=dict)

    @classmethod
    def load(cls, folder: Path) -> "Kept":
        """Load what `save` has written, or nothing."""
        texts, arrays = folder / "kept.json", folder / "kept.npz"
        if not texts.exists() or not arrays.exists():
            return cls()
        stored = json.loads(texts.read_text(encoding="utf-8"))
        with np.load(arrays) as found:
            names, values = found["names"], found["values"]
        if "transcripts" not in stored:  # of a version that kept the words alone
            return cls()
        words = {name: Transcript(*fields) for name, fields in stored["transcripts"].items()}
        return cls(words, dict(zip(names.tolist(), values.astype(np.float32), strict=True)), stored["echoes"])

    def save(self, folder: Path) -> None:
        """Write the results."""
        stored = {"transcripts": {name: astuple(one) for name, one in self.words.items()}, "echoes": self.echoes}
        (folder / "kept.json").write_text(json.dumps(stored), encoding="utf-8")
        values = np.stack(list(self.sounds.values())) if self.sounds else np.zeros((0, 1))
        np.savez(folder / "kept.npz", names=np.array(list(self.sounds)), values=values.astype(np.float16))


class Evaluation:
    """Plays scenes to the policy that decides about interruptions.

    Args:
        data: folder of the collection.
        networks: network of each fold.
        kept: results of earlier runs; new ones are added.
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
        echo_cancellation: EchoCancellation = "off",
        on_played: Callable[[int, Played], None] = lambda _number, _played: None,
    ) -> list[Played]:
        """Play scenes one after the other.

        Args:
            chosen: scenes to play.
            plan: a `stopSpeakingPlan`; None uses the default.
            response: impulse response of the room for echoes.
            echo_cancellation: whether the server cancels the assistant's echo.
            on_played: called with the number and the outcome of each scene.
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
                providers = replace(self._providers(scene), echo_cancellation=echo_cancellation)
                played.append(await player.play(scene, providers, number))
                on_played(number, played[-1])
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
            interruption_classifier=StageClassifier(lambda overlap: self._score(network, overlap)),
        )

    def _score(self, network: Network, overlap: OverlappingSpeech) -> InterruptionScore:
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
    """Return the benchmark's scenes, each once, and soon after the start of an answer."""
    found = scenes(data, parts, share, 1, telephone=telephone)
    return [replace(scene, inject_ms=_LEAST_INJECT_MS + scene.inject_ms % _SPREAD_MS) for scene in found]


def echo_scenes(echo_db: float, minutes: float, *, telephone: bool = False) -> list[Scene]:
    """Return half-minutes with nothing but the assistant's echo, at a level and with several delays."""
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
    """Return the figures of `bench.interruption`, and how soon the assistant continued after false interruptions."""
    result = summary([one.outcome for one in played])
    back = [
        one.back_ms for one in played if one.back_ms is not None and one.outcome.scene.part not in ("command", "word")
    ]
    result["back_p50_ms"] = round(float(np.median(back))) if back else None
    result["back_p95_ms"] = round(float(np.percentile(back, 95))) if back else None
    return result


def _speakers(data: Path) -> dict[str, str]:
    with (data / "MANIFEST.tsv").open(encoding="utf-8") as file:
        return {row["path"]: row["speaker"] or row["path"] for row in csv.DictReader(file, delimiter="\t")}
