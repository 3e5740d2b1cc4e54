import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from bargein.audio import g711

# ITU-T G.711, tables 2a and 2b (14-bit values times four): code, value
KNOWN = [
    (0xFF, 0),
    (0x7F, 0),
    (0xFE, 8),
    (0x7E, -8),
    (0xF0, 120),
    (0xEF, 132),
    (0x80, 32124),
    (0x00, -32124),
    (0x8F, 16764),
    (0x0F, -16764),
]


@pytest.mark.parametrize(("code", "value"), KNOWN)
def test_known_codes(code, value):
    assert g711.decode(bytes([code])).tolist() == [value]


@pytest.mark.parametrize(
    ("sample", "code"), [(0, 0xFF), (1, 0xFF), (32767, 0x80), (-32768, 0x00), (1000, 0xCE), (-1000, 0x4E)]
)
def test_known_samples(sample, code):
    assert g711.encode(np.array([sample], np.int16)) == bytes([code])


def test_every_code_but_negative_zero_round_trips():
    codes = bytes(range(256))
    again = g711.encode(g711.decode(codes))
    assert [c for c in range(256) if again[c] != codes[c]] == [0x7F]
    assert again[0x7F] == g711.SILENCE_BYTE


@given(hnp.arrays(np.int16, st.integers(0, 400)))
def test_the_error_is_within_half_a_step(x):
    y = g711.decode(g711.encode(x)).astype(int)
    magnitude = np.minimum(np.abs(x.astype(int)), 32635)
    step = np.where(magnitude < 124, 8, 2.0 ** (np.floor(np.log2(magnitude + 132)) - 4))
    assert np.all(np.abs(np.abs(y) - magnitude) <= step / 2 + 3)
    assert np.all((np.sign(y) == np.sign(x)) | (y == 0))


def test_a_strided_array_can_be_encoded():
    x = np.arange(-8000, 8000, 7, dtype=np.int16)
    assert g711.encode(x[::2]) == g711.encode(x[::2].copy())
