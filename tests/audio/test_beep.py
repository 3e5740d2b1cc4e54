"""A voicemail's beep is distinguished from other sounds of a telephone line."""

import numpy as np
import pytest

from bargein.audio.beep import BeepDetector
from bargein.testing import speech


def tone(ms: int, *frequencies: float, rate: int = 16_000, level: float = 6000) -> np.ndarray:
    t = np.arange(rate * ms // 1000) / rate
    return (sum(np.sin(2 * np.pi * hz * t) for hz in frequencies) * level / len(frequencies)).astype(np.int16)


def silence(ms: int, rate: int = 16_000) -> np.ndarray:
    return np.zeros(rate * ms // 1000, np.int16)


def beeps(rate: int, *pieces: np.ndarray, chunk: int = 333) -> int:
    detector, whole = BeepDetector(rate), np.concatenate(pieces)
    return sum(detector.push(whole[n : n + chunk]) for n in range(0, whole.size, chunk))


@pytest.mark.parametrize("rate", [8_000, 16_000])
@pytest.mark.parametrize("hz", [440, 850, 1000, 1400, 2000])
@pytest.mark.parametrize("ms", [220, 500, 1500])
def test_a_beep_is_heard_once_it_is_over(rate: int, hz: float, ms: int) -> None:
    assert beeps(rate, silence(300, rate), tone(ms, hz, rate=rate)) == 0, "it still sounds"
    assert beeps(rate, silence(300, rate), tone(ms, hz, rate=rate), silence(200, rate)) == 1


@pytest.mark.parametrize(
    "other",
    [
        silence(1000),
        tone(100, 1000),
        tone(3000, 440),
        tone(400, 697, 1209),
        tone(2000, 440, 480, 950),
        tone(400, 200),
        tone(400, 3000),
        tone(400, 1000, level=100),
        np.random.default_rng(1).normal(0, 3000, 16_000).astype(np.int16),
        np.frombuffer(speech(3000, 16_000), "<i2"),
        np.concatenate([tone(100, 800), tone(100, 1200), tone(100, 1600)]),
    ],
)
def test_other_sounds_are_no_beep(other: np.ndarray) -> None:
    assert beeps(16_000, other, silence(300)) == 0


def test_a_beep_after_speech_in_a_noisy_line() -> None:
    noise = np.random.default_rng(2).normal(0, 150, 16_000 * 3).astype(np.int16)
    greeting = np.frombuffer(speech(2000, 16_000), "<i2")
    line = np.concatenate([greeting, tone(400, 1000), silence(600)]) + noise[: greeting.size + 16_000]
    assert beeps(16_000, line.astype(np.int16)) == 1
