"""Background sounds: their level, their seam, their limits, and the noise of an office."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bargein.audio.ambience import LEVEL_DBFS, LONGEST_S, PEAK_DBFS, BackgroundLoop, loop_of, office
from bargein.audio.pcm import level_dbfs

RATE_HZ = 8_000


def tone(seconds: float, hz: float = 440.0) -> np.ndarray:
    time_s = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    return (0.5 * np.sin(2 * np.pi * hz * time_s)).astype(np.float32)


def whole(loop: BackgroundLoop, seconds: float) -> np.ndarray:
    cursor = loop.cursor()
    return np.concatenate([cursor.take(RATE_HZ // 50).copy() for _ in range(round(seconds * 50))])


def test_a_sound_has_the_level_of_a_background_and_is_repeated() -> None:
    loop = loop_of(tone(3.0), RATE_HZ)
    sound = whole(loop, 10.0)
    assert abs(level_dbfs(sound) - LEVEL_DBFS) < 1.0
    length = round(2.5 * RATE_HZ)  # half a second of it is faded into its beginning
    assert np.array_equal(sound[:length], sound[length : 2 * length])
    assert np.abs(np.diff(sound.astype(np.int32))).max() <= np.abs(np.diff(sound[:RATE_HZ].astype(np.int32))).max() * 2


def test_a_peak_is_limited_and_a_long_sound_is_cut() -> None:
    sound = np.zeros(70 * RATE_HZ, np.float32)
    sound[RATE_HZ :: RATE_HZ // 2] = 1.0
    loop = loop_of(sound, RATE_HZ)
    assert loop.peak <= 10 ** (PEAK_DBFS / 20) * 32768
    first = whole(loop, LONGEST_S - 0.5)
    assert np.array_equal(whole(loop, 2 * (LONGEST_S - 0.5))[first.size :], first)


@pytest.mark.parametrize(
    ("sound", "why"),
    [
        (tone(1.4), "shorter"),
        (np.zeros(0, np.float32), "shorter"),
        (np.zeros(2 * RATE_HZ, np.float32), "silent"),
        (np.full(2 * RATE_HZ, np.nan, np.float32), "silent"),
    ],
)
def test_a_sound_that_cannot_be_repeated_is_refused(sound: np.ndarray, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        loop_of(sound, RATE_HZ)


@given(st.lists(st.integers(1, RATE_HZ), min_size=1, max_size=20), st.integers(-32768, 32767))
def test_a_voice_with_it_is_their_sum_and_never_wraps_around(sizes: list[int], voice: int) -> None:
    loop = loop_of(tone(2.0), RATE_HZ)
    mixing, plain = loop.cursor(), loop.cursor()
    for size in sizes:
        mixed = mixing.mixed(np.full(size, voice, np.int16)).astype(np.int32)
        under = plain.take(size).astype(np.int32)
        limited = max(loop.peak - 32768, min(32767 - loop.peak, voice))
        assert np.array_equal(mixed, under + limited)


def test_an_office_is_the_same_each_time_and_never_silent() -> None:
    assert office() is office()
    sound = office()
    parts = sound[: sound.size // 1600 * 1600].reshape(-1, 1600)
    assert np.sqrt(np.mean(np.square(parts), axis=1)).min() > 0
    assert np.abs(sound).max() <= 0.5
