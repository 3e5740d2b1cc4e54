"""Which parts of a track are heard."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bargein.audio.audible import AUDIBLE_PEAK, BLOCK_MS, AudibleTrack

RATE_HZ = 1000
"""One sample a millisecond."""


@given(
    blocks=st.lists(st.booleans(), max_size=12),
    cuts=st.lists(st.integers(0, 1200), max_size=6),
    positions=st.lists(st.integers(0, 1300), max_size=6),
)
def test_the_last_sound_before_a_position_is_found_however_the_track_was_cut(
    blocks: list[bool], cuts: list[int], positions: list[int]
) -> None:
    pcm = np.repeat(np.array(blocks, np.int16) * 2000, BLOCK_MS).astype(np.int16)
    track = AudibleTrack(RATE_HZ)
    for piece in np.split(pcm, sorted(cut for cut in cuts if cut < pcm.size)):
        track.add(piece)
    for position in sorted(positions):
        ends = [min(position, (n + 1) * BLOCK_MS) for n, loud in enumerate(blocks) if loud and n * BLOCK_MS < position]
        assert track.heard_ms(position) == max(ends, default=0)


@pytest.mark.parametrize(("level", "heard"), [(0, 0), (AUDIBLE_PEAK, 0), (AUDIBLE_PEAK + 1, 100), (-32768, 100)])
def test_comfort_noise_is_not_heard(level: int, heard: int) -> None:
    track = AudibleTrack(RATE_HZ)
    track.add(np.full(100, level, np.int16))
    assert track.heard_ms(100) == heard


def test_a_track_that_grows_while_it_is_played_is_looked_at_again() -> None:
    track = AudibleTrack(RATE_HZ)
    track.add(np.zeros(50, np.int16))
    assert track.heard_ms(50) == 0
    track.add(np.full(10, 2000, np.int16))
    assert track.heard_ms(60) == 60
