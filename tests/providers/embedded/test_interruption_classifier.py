"""The interruption classifier on recordings of people, and its errors."""

from pathlib import Path

import numpy as np
import pytest
from training.interruption_classifier.circumstances import Circumstances
from training.interruption_classifier.corpus import Clip, read
from training.interruption_classifier.voices import runs

from bargein.call.hearing.overlap import AGES_MS, LEAD_MS
from bargein.ports import OverlappingSpeech, ProviderError
from bargein.providers.embedded import interruption_classifier
from bargein.providers.embedded.interruption_classifier import INTERRUPTION, EmbeddedInterruptionClassifier
from bargein.providers.embedded.moonshine_model import MoonshineModel
from bargein.providers.embedded.vad import SileroDetector
from bargein.turns.interruption.evidence import threshold
from tests.speech import SPEECH, manifest


@pytest.mark.anyio
async def test_a_voice_gets_a_score_and_the_assistants_echo_is_recognised() -> None:
    classifier = EmbeddedInterruptionClassifier(MoonshineModel())
    numbers = np.random.default_rng(1)
    noise = (numbers.normal(0, 1, 16_000) * 3000).astype(np.int16)
    size = (LEAD_MS + 352) * 16
    heard = OverlappingSpeech(
        onset_ms=0, age_ms=352, caller=noise[:size], assistant=np.zeros(16_000, np.int16), voice=(0.6,) * 11
    )
    score = await classifier.classify(heard)
    assert 0 <= score.interruption <= 1
    assert score.echo == 0
    own = OverlappingSpeech(
        onset_ms=0, age_ms=352, caller=noise[2000 : 2000 + size] // 4, assistant=noise[:15_000], voice=(0.6,) * 11
    )
    assert (await classifier.classify(own)).echo > 0.5


def test_it_gets_as_much_audio_from_before_the_onset_as_it_uses() -> None:
    assert interruption_classifier.QUIET_MS + interruption_classifier.LEAD_MS == LEAD_MS


@pytest.mark.anyio
async def test_a_voice_at_the_beginning_of_a_call_or_in_digital_silence_gets_a_score() -> None:
    age_ms = 160
    silence = np.zeros((LEAD_MS + age_ms) * 16, dtype=np.int16)
    heard = OverlappingSpeech(onset_ms=0, age_ms=age_ms, caller=silence, assistant=silence, voice=(0.6,) * 5)
    score = await EmbeddedInterruptionClassifier(MoonshineModel()).classify(heard)
    assert 0 <= score.interruption <= 1


@pytest.mark.anyio
async def test_missing_weights_are_a_provider_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(interruption_classifier, "WEIGHTS", tmp_path / "gone.npz")
    with pytest.raises(ProviderError, match="install bargein again"):
        EmbeddedInterruptionClassifier(MoonshineModel()).load()


def test_commands_are_interruptions_and_backchannels_and_noise_are_not() -> None:
    classifier, model, silero = (
        EmbeddedInterruptionClassifier(MoonshineModel()),
        MoonshineModel(),
        SileroDetector().load(),
    )
    network = classifier.load()
    circumstances = Circumstances(SPEECH, seed=11)

    def stopped(kind: str) -> float:
        found: list[bool] = []
        for row in [row for row in manifest() if row["class"].startswith(kind)]:
            clip = Clip(kind, 0, "", read(SPEECH / row["path"])[: 5 * 16_000])
            for take in range(3):
                for run in runs(silero, model, circumstances.heard(clip, take), 1):
                    sure = network.probabilities(run.rows)[:, INTERRUPTION]
                    found.append(any(p >= threshold(age) for p, age in zip(sure, AGES_MS, strict=True)))
        assert len(found) >= 10
        return sum(found) / len(found)

    # Of 36 commands, 15 words, 27 backchannels, and the 10 times that a noise is a voice.
    assert stopped("interrupt.command") >= 0.95
    assert stopped("interrupt.word") >= 0.9
    assert stopped("backchannel.") <= 0.06
    assert stopped("noise.") <= 0.1
