import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from bargein.audio import pcm

samples = hnp.arrays(np.int16, st.integers(0, 300))


def test_bytes_are_little_endian():
    assert pcm.from_bytes(b"\x01\x00\xff\x7f\x00\x80").tolist() == [1, 32767, -32768]
    assert pcm.to_bytes(np.array([1, -2], np.int16)) == b"\x01\x00\xfe\xff"


@given(samples)
def test_bytes_and_floats_lose_nothing(x):
    assert np.array_equal(pcm.from_bytes(pcm.to_bytes(x)), x)
    floats = pcm.to_float(x)
    assert floats.dtype == np.float32
    assert np.all((floats >= -1) & (floats < 1))
    assert np.array_equal(pcm.from_float(floats), x)


@pytest.mark.parametrize("data", [b"\x00", bytearray(3), memoryview(bytes(5))])
def test_odd_bytes_are_refused(data):
    with pytest.raises(pcm.OddPcmError, match="two bytes a sample"):
        pcm.from_bytes(data)


def test_a_view_of_wider_items_counts_its_bytes():
    assert pcm.from_bytes(memoryview(np.array([1, 2, 3], "<i2"))).tolist() == [1, 2, 3]


def test_floats_outside_are_clipped():
    assert pcm.from_float(np.array([-3, -1, 1, 2], np.float32)).tolist() == [-32768, -32768, 32767, 32767]


def test_levels():
    sine = (32767 * np.sin(2 * np.pi * 100 * np.arange(8000) / 8000)).astype(np.int16)
    assert pcm.level_dbfs(sine) == pytest.approx(-3.01, abs=0.01)
    assert pcm.level_dbfs(np.full(100, -32768, np.int16)) == 0
    assert pcm.level_dbfs(np.full(100, 3277, np.int16)) == pytest.approx(-20, abs=0.01)
    assert pcm.level_dbfs(np.zeros(10, np.int16)) == pcm.SILENCE_DBFS
    assert pcm.level_dbfs(np.zeros(0, np.int16)) == pcm.SILENCE_DBFS
    faint = np.zeros(16000, np.int16)
    faint[5] = 1
    assert pcm.level_dbfs(faint) == pcm.SILENCE_DBFS
