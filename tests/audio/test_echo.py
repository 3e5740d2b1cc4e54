"""An echo is distinguished from another voice; both are made of noise here."""

import numpy as np
import pytest

from bargein.audio.echo import LONGEST_DELAY_MS, RATE_HZ, echo_share

SECOND = RATE_HZ
LONGEST = LONGEST_DELAY_MS * RATE_HZ // 1000
HEARD = SECOND // 2


def babble(seed: int, samples: int) -> np.ndarray:
    """Make noise whose loudness and colour change about four times a second, as in speech."""
    numbers = np.random.default_rng(seed)
    pieces = []
    for _ in range(samples // 2000 + 1):
        spectrum = np.fft.rfft(numbers.normal(0, 1, 2000))
        hz = np.fft.rfftfreq(2000, 1 / RATE_HZ)
        centre, width = numbers.uniform(300, 3000), numbers.uniform(150, 600)
        pieces.append(np.fft.irfft(spectrum * np.exp(-(((hz - centre) / width) ** 2))) * numbers.uniform(0.2, 1))
    sound = np.concatenate(pieces)[:samples]
    return (0.1 * sound / np.abs(sound).max()).astype(np.float32)


def room(seed: int = 5) -> np.ndarray:
    """Return an impulse response that decays in a fifth of a second."""
    numbers = np.random.default_rng(seed)
    tail = numbers.normal(0, 1, RATE_HZ // 5) * np.exp(-np.arange(RATE_HZ // 5) / 600)
    tail[0] = 6
    return tail / np.sqrt(np.square(tail).sum())


@pytest.mark.parametrize("delay_ms", [20, 120, 300])
@pytest.mark.parametrize("seed", range(4))
def test_an_echo_through_a_room_is_recognised(seed: int, delay_ms: int) -> None:
    played = babble(seed, 3 * SECOND)
    echo = np.convolve(played, room())[: played.size] * 0.1
    delay = delay_ms * RATE_HZ // 1000
    end = 2 * SECOND
    heard = echo[end - delay - HEARD : end - delay] + np.random.default_rng(seed).normal(0, 1e-4, HEARD)
    assert echo_share(heard.astype(np.float32), played[:end]) >= 0.5


@pytest.mark.parametrize("seed", range(6))
def test_another_voice_is_no_echo(seed: int) -> None:
    assert echo_share(babble(100 + seed, HEARD), babble(seed, 2 * SECOND)) < 0.5


def test_without_played_audio_there_is_no_echo() -> None:
    heard = babble(1, HEARD)
    assert echo_share(heard, np.zeros(2 * SECOND, dtype=np.float32)) == 0
    assert echo_share(heard, babble(1, HEARD - 1)) == 0, "too little was played to compare with"
    assert echo_share(heard[:100], babble(1, SECOND)) == 0, "too little was heard"


def test_silence_is_no_echo() -> None:
    assert echo_share(np.zeros(HEARD, dtype=np.float32), babble(1, HEARD + LONGEST)) == 0
