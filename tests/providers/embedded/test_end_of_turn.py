"""The end-of-turn detector on real voices, and the features of smart-turn."""

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from bench.endpointing.corpus import LEAD_MS, Turn, heard, last_sound_s, turns
from bench.endpointing.listener import Kept, TurnListener, paused
from training.interruption_classifier.corpus import read

from bargein.ports import ProviderError, TurnPause
from bargein.providers.embedded import end_of_turn, smart_turn
from bargein.providers.embedded.end_of_turn import ENCODER_FEATURES, EmbeddedEndOfTurnDetector, features, measures
from bargein.providers.embedded.moonshine_model import MoonshineModel
from bargein.providers.embedded.smart_turn import SmartTurnDetector, spectrogram
from bargein.turns.commands import JudgePause
from bargein.turns.endpointing.end_of_turn import pause_ms
from bargein.turns.events import VoiceStopped
from bargein.turns.plan import Plan
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


async def spoken_words() -> list[TurnPause]:
    """Return the pauses after the recordings of one word, with the words "Yes."."""
    listener, found = TurnListener(Kept(None)), []
    with (SPEECH / "MANIFEST.tsv").open(encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file, delimiter="\t") if row["class"].endswith(".word")]
    for row in rows:
        samples = read(SPEECH / row["path"])
        end_s = last_sound_s(samples)
        turn = Turn(row["path"], "word", row["speaker"], heard(samples, end_s, 1000), LEAD_MS + round(1000 * end_s))
        events = await listener.events(turn)
        stops = [event.offset_ms for event in events if isinstance(event, VoiceStopped)]
        if stops:
            found.append(paused(turn, events, JudgePause(1, "Yes.", stops[-1], 0)))
    assert len(found) >= 4
    return found


@pytest.mark.anyio
async def test_a_short_answer_is_answered_at_once_and_a_beginning_is_waited_for(model: MoonshineModel) -> None:
    """The voices are those of the recordings; the words are given, so that nothing depends on the transcriber."""
    detector = EmbeddedEndOfTurnDetector(model)

    def wait_ms(pause: TurnPause, said: str, asked: str, confidence: float | None = None) -> int:
        about = replace(pause, said=said, asked=asked, confidence=confidence)
        return pause_ms(detector.detect(about), Plan(adaptive_endpointing=True))

    pauses = await spoken_words()
    for said, asked in (
        ("Yes.", "Is that correct?"),
        ("No.", "Would you like to go ahead?"),
        ("Friday.", "What day would suit you?"),
        ("Four.", "How many people will be coming?"),
        ("Stop.", ""),
    ):
        waits = [wait_ms(pause, said, asked, 0.9) for pause in pauses]
        assert np.median(waits) <= 450, (said, waits)
        assert max(waits) < 1500, (said, waits)
    for said, asked in (
        ("My number is", "How can I help you?"),
        ("I'd like to", "What can I do for you?"),
        ("five five five", "What is your phone number?"),
        ("Okay.", "What is your phone number?"),
    ):
        waits = [wait_ms(pause, said, asked, 0.4) for pause in pauses]
        assert min(waits) >= 1500, (said, waits)


@pytest.mark.anyio
async def test_words_that_may_be_misheard_are_waited_for(model: MoonshineModel) -> None:
    detector = EmbeddedEndOfTurnDetector(model)
    for pause in await spoken_words():
        for said in ("What a bad night.", "Yeah. Wow.", "A cheddar block."):
            sure, unknown, unsure = (
                detector.detect(replace(pause, said=said, asked="", confidence=confidence))
                for confidence in (0.9, None, 0.5)
            )
            assert sure == unknown
            assert unsure < 0.8 * sure, said


@pytest.mark.parametrize("broken", ["WORDS_WEIGHTS", "CALIBRATION"])
def test_a_missing_file_is_a_provider_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, broken: str) -> None:
    monkeypatch.setattr(end_of_turn, broken, tmp_path / "gone.npz")
    with pytest.raises(ProviderError, match="install bargein again"):
        EmbeddedEndOfTurnDetector(MoonshineModel()).load()


def test_a_calibration_of_other_groups_is_a_provider_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    np.savez(tmp_path / "old.npz", coefficients=np.zeros((2, 4)))
    monkeypatch.setattr(end_of_turn, "CALIBRATION", tmp_path / "old.npz")
    with pytest.raises(ProviderError, match="install bargein again"):
        EmbeddedEndOfTurnDetector(MoonshineModel()).load()


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
