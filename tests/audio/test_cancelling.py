"""The echo is removed from the received audio, and another voice is kept."""

import numpy as np

from bargein.audio.cancelling import FRAME, RATE_HZ, EchoCancelling
from bargein.audio.pcm import from_float, level_dbfs
from tests.audio.test_echo import babble, room

SECONDS = 8
DELAY = RATE_HZ * 80 // 1000


def through(heard: np.ndarray, played: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Push both sides in frames of this size."""
    cancelling = EchoCancelling()
    pieces = [cancelling.push(heard[at : at + size], played[at : at + size]) for at in range(0, heard.size, size)]
    return np.concatenate([piece for piece, _ in pieces]), np.concatenate([piece for _, piece in pieces])


def echo_of(played: np.ndarray) -> np.ndarray:
    back = np.convolve(played, room())[: played.size] * 0.3
    return np.concatenate((np.zeros(DELAY), back))[: played.size].astype(np.float32)


def test_an_echo_is_removed_after_adaptation() -> None:
    played = babble(1, SECONDS * RATE_HZ)
    echo = from_float(echo_of(played))
    cleaned, _ = through(echo, from_float(played), 320)
    last = slice(-2 * RATE_HZ, None)
    assert level_dbfs(cleaned[last]) < level_dbfs(echo[last]) - 15


def test_a_voice_is_heard_over_the_echo() -> None:
    played = babble(1, SECONDS * RATE_HZ)
    voice = babble(2, SECONDS * RATE_HZ)
    voice[: -2 * RATE_HZ] = 0
    heard = from_float(echo_of(played) + voice)
    cleaned, _ = through(heard, from_float(played), 320)
    last = slice(-RATE_HZ, None)
    assert level_dbfs(cleaned[last]) > level_dbfs(from_float(voice)[last]) - 8


def test_less_than_ten_milliseconds_wait_and_both_sides_stay_aligned() -> None:
    played = from_float(babble(3, RATE_HZ))
    cancelling = EchoCancelling()
    first, other = cancelling.push(played[: FRAME // 2], played[: FRAME // 2])
    assert first.size == other.size == 0
    assert cancelling.held_ms == 5
    first, other = cancelling.push(played[FRAME // 2 : 2 * FRAME + 16], played[FRAME // 2 : 2 * FRAME + 16])
    assert first.size == other.size == 2 * FRAME
    assert np.array_equal(other, played[: 2 * FRAME])
    assert cancelling.held_ms == 1


def test_audio_that_was_dropped_is_not_returned_with_the_next() -> None:
    cancelling = EchoCancelling()
    held = from_float(babble(1, FRAME // 2))
    assert cancelling.push(held, held)[0].size == 0
    assert cancelling.held_ms == 5
    cancelling.drop_held()
    assert cancelling.held_ms == 0
    assert cancelling.push(held, held)[0].size == 0
    assert cancelling.push(held, held)[0].size == FRAME
