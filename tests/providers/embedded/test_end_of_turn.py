"""The end-of-turn detector on real voices, and the features of smart-turn."""

from pathlib import Path

import numpy as np
import pytest
from bench.endpointing.corpus import turns
from bench.endpointing.listener import Kept, TurnListener, paused

from bargein.ports import ProviderError, TurnPause
from bargein.providers.embedded import end_of_turn, smart_turn
from bargein.providers.embedded.end_of_turn import ENCODER_FEATURES, EmbeddedEndOfTurnDetector, features, measures
from bargein.providers.embedded.moonshine_model import MoonshineModel
from bargein.providers.embedded.smart_turn import SmartTurnDetector, spectrogram
from bargein.turns.commands import JudgePause
from bargein.turns.events import VoiceStopped
from tests.speech import SPEECH


@pytest.fixture(scope="module")
def model() -> MoonshineModel:
    return MoonshineModel()


def pause(said: str = "I would like a table.", seconds: float = 2.0) -> TurnPause:
    noise = np.random.default_rng(1).normal(0, 3000, round(seconds * 16_000)).astype(np.int16)
    return TurnPause(said=said, caller=noise, runs=((1000, 2500), (3000, 4000)))


@pytest.mark.anyio
async def test_a_pause_gets_a_probability(model: MoonshineModel) -> None:
    detector = EmbeddedEndOfTurnDetector(model)
    assert 0 < await detector.predict(pause()) < 1
    assert await detector.predict(pause()) == await detector.predict(pause(seconds=2.0))


@pytest.mark.parametrize("seconds", [0.1, 0.4, 8.0])
def test_audio_of_any_length_can_be_used(model: MoonshineModel, seconds: float) -> None:
    row = features(model, pause(seconds=seconds))
    assert row.shape == features(model, pause()).shape
    assert np.isfinite(row).all()
    silent = TurnPause(said="", caller=np.zeros(16_000, np.int16), runs=())
    assert np.isfinite(features(model, silent)).all()


def test_a_falling_and_a_rising_pitch_differ() -> None:
    def heard(from_hz: float, to_hz: float) -> list[float]:
        tone = np.concatenate((np.full(16_000, 150.0), np.linspace(from_hz, to_hz, 6_000)))
        wave = np.sign(np.sin(2 * np.pi * np.cumsum(tone) / 16_000)).astype(np.float32) * 0.1
        return measures(wave, pause())

    falls, rises = heard(150, 90), heard(150, 240)
    moved = [n for n, (a, b) in enumerate(zip(falls, rises, strict=True)) if abs(a - b) > 0.2]
    assert moved, "something of it is measured"
    assert all(falls[n] < rises[n] for n in moved)


@pytest.mark.anyio
async def test_missing_weights_are_a_provider_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(end_of_turn, "WEIGHTS", tmp_path / "gone.npz")
    with pytest.raises(ProviderError, match="install bargein again"):
        EmbeddedEndOfTurnDetector(MoonshineModel()).load()


@pytest.mark.anyio
async def test_the_end_of_a_number_is_more_probable_than_a_pause_in_it(model: MoonshineModel) -> None:
    """Check that weights and features fit each other, with a few of the recordings that the weights were fitted to."""
    detector, listener = EmbeddedEndOfTurnDetector(model), TurnListener(Kept(None))
    ends, pauses = [], []
    for turn in [t for t in turns(SPEECH) if t.part == "digits"]:
        events = await listener.events(turn)
        stops = [e.offset_ms for e in events if isinstance(e, VoiceStopped)]
        for offset_ms in stops:
            asked = JudgePause(1, "one two three", offset_ms, 0)
            (ends if offset_ms == stops[-1] else pauses).append(detector.detect(paused(turn, events, asked)))
    assert np.mean(ends) > np.mean(pauses) + 0.3
    assert model.encode(np.zeros(16_000, np.float32)).shape[1] == ENCODER_FEATURES


def test_smart_turn_gets_mel_bands() -> None:
    seconds = np.arange(16_000) / 16_000
    low, high = (spectrogram(np.sin(2 * np.pi * hz * seconds).astype(np.float32)) for hz in (300, 3000))
    assert low.shape == high.shape == (80, 800)
    assert low.dtype == np.float32
    assert low[:, 750].argmax() < 20 < high[:, 750].argmax() < 70
    assert low[:, 400].max() == low.min(), "short audio stands at the end, behind silence"
    assert np.isclose(low.max() - low.min(), 2.0)
    quiet = spectrogram((np.sin(2 * np.pi * 300 * seconds) * 0.01).astype(np.float32))
    assert np.allclose(low, quiet, atol=1e-2)
    longer = np.concatenate((np.ones(50_000), np.sin(np.arange(128_000) / 7))).astype(np.float32)
    assert np.array_equal(spectrogram(longer), spectrogram(longer[-128_000:]))


@pytest.mark.anyio
async def test_smart_turn_returns_the_probability_of_the_model(monkeypatch: pytest.MonkeyPatch) -> None:
    """The model itself is an extra of the package, too heavy for every test run."""

    class Model:
        def __init__(self, path: Path, *, ended_reason: str) -> None:
            assert path == Path("found.onnx")

        def run(self, feeds: dict[str, np.ndarray]) -> list[np.ndarray]:
            assert feeds["input_features"].shape == (1, 80, 800)
            return [np.array([[0.25]], np.float32)]

    monkeypatch.setattr(smart_turn, "Session", Model)
    monkeypatch.setattr(smart_turn, "package_file", lambda *_, **__: Path("found.onnx"))
    assert await SmartTurnDetector().predict(pause()) == 0.25


def test_without_smart_turn_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(ProviderError, match=r"pipecat-ai==1\.14\.0"):
        SmartTurnDetector().load()
