"""Two sides on one timeline: nothing is lost or moved, and gaps are silent."""

import hypothesis.strategies as st
import numpy as np
from hypothesis import given

from bargein.audio.timeline import Stereo, Track

RATE = 1000  # a sample a millisecond


def sound(*samples: int) -> np.ndarray:
    return np.array(samples, dtype=np.int16)


def taken(track: Track, samples: int) -> list[int]:
    out = np.zeros(samples, dtype=np.int16)
    track.read_into(out)
    return out.tolist()


def test_later_audio_leaves_silence_before_it() -> None:
    track = Track(RATE, slack_ms=0)
    track.add(sound(1, 2), 3)
    track.add(sound(3), 7)
    assert taken(track, 10) == [0, 0, 0, 1, 2, 0, 0, 3, 0, 0]


def test_jitter_leaves_no_gap() -> None:
    track = Track(RATE, slack_ms=3)
    track.add(sound(1, 1), 2)
    track.add(sound(2, 2), 7)  # three too late
    track.add(sound(3, 3), 5)  # one too early
    track.add(sound(4, 4), 12)  # four too late: that is a gap
    assert taken(track, 14) == [0, 0, 1, 1, 2, 2, 3, 3, 0, 0, 0, 0, 4, 4]


def test_the_first_audio_keeps_its_time_however_early() -> None:
    track = Track(RATE, slack_ms=100)
    track.add(sound(1), 4)
    assert taken(track, 5) == [0, 0, 0, 0, 1]


def test_a_piece_is_read_in_parts() -> None:
    track = Track(RATE, slack_ms=0)
    track.add(sound(1, 2, 3, 4), 1)
    assert [taken(track, 3), taken(track, 1), taken(track, 2)] == [[0, 1, 2], [3], [4, 0]]


def test_late_audio_follows_what_was_read() -> None:
    track = Track(RATE, slack_ms=5)
    track.add(sound(1), 0)
    assert taken(track, 4) == [1, 0, 0, 0]
    track.add(sound(2, 3), 1)
    assert taken(track, 3) == [2, 3, 0]


def test_cut_audio_is_silent_and_later_audio_is_not() -> None:
    track = Track(RATE, slack_ms=0)
    track.add(sound(1, 1, 1), 0)
    track.add(sound(2, 2, 2), 3)
    track.add(sound(3, 3, 3), 6)
    track.cut(4)
    track.add(sound(4, 4), 5)
    assert taken(track, 8) == [1, 1, 1, 2, 0, 4, 4, 0]


def test_a_cut_at_a_seam_or_before_everything_or_after_it() -> None:
    track = Track(RATE, slack_ms=0)
    track.cut(3)
    track.add(sound(1, 1), 0)
    track.cut(2)
    track.add(sound(2, 2), 2)
    track.cut(2)
    assert taken(track, 4) == [1, 1, 0, 0]
    track.add(sound(5, 5), 4)
    track.cut(0)  # what was taken stays; nothing is left of the rest
    assert taken(track, 2) == [0, 0]


def test_both_sides_have_the_same_length() -> None:
    stereo = Stereo(RATE, 0, 0)
    stereo.left.add(sound(1, 1), 1)
    stereo.right.add(sound(2, 2, 2), 2)
    assert stereo.read(4).tolist() == [[0, 0], [1, 0], [1, 2], [0, 2]]
    assert stereo.read(3).shape == (0, 2), "time does not go back"
    assert stereo.read(5).tolist() == [[0, 2]]


@given(
    pieces=st.lists(st.tuples(st.integers(0, 30), st.integers(1, 20)), max_size=20),
    takes=st.lists(st.integers(0, 50), max_size=20),
    slack=st.integers(0, 20),
)
def test_no_sample_is_lost_or_repeated(pieces: list[tuple[int, int]], takes: list[int], slack: int) -> None:
    """Check that the samples come in order, each once, however they are read."""
    track = Track(RATE, slack)
    at, value, out = 0, 1, list[int]()
    for index, (gap, size) in enumerate(pieces):
        at += gap
        track.add(np.arange(value, value + size, dtype=np.int16), at)
        at, value = at + size, value + size
        out += taken(track, takes[index]) if index < len(takes) else []
    out += taken(track, at + sum(takes) + 1000)
    assert [sample for sample in out if sample] == list(range(1, value))
