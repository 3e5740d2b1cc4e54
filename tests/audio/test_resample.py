import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bargein.audio.resample import Quality, StreamResampler, resample

RATES = [8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000]
QUALITIES: list[Quality] = ["live", "best"]


def sine(hz, rate_hz, seconds=1.0, amplitude=8000):
    return (amplitude * np.sin(2 * np.pi * hz * np.arange(int(rate_hz * seconds)) / rate_hz)).astype(np.int16)


def stream(x, in_hz, out_hz, quality, frame_ms=20):
    r = StreamResampler(in_hz, out_hz, quality)
    n = in_hz * frame_ms // 1000
    return np.concatenate([r.push(x[k : k + n]) for k in range(0, len(x), n)] + [r.flush()])


@pytest.mark.parametrize("quality", QUALITIES)
def test_equal_rates_are_the_same_array(quality):
    x = sine(440, 16000)
    r = StreamResampler(16000, 16000, quality)
    assert r.push(x) is x
    assert r.flush().size == 0
    assert resample(x, 16000, 16000) is x


@pytest.mark.parametrize(("in_hz", "out_hz"), [(0, 8000), (8000, -1)])
def test_rates_must_be_positive(in_hz, out_hz):
    with pytest.raises(ValueError, match="positive"):
        StreamResampler(in_hz, out_hz)


@given(
    st.sampled_from(RATES),
    st.sampled_from(RATES),
    st.sampled_from(QUALITIES),
    st.lists(st.integers(0, 3000), max_size=12),
)
@settings(max_examples=60, deadline=None)
def test_frames_of_any_length_give_the_duration_and_the_same_as_at_once(in_hz, out_hz, quality, lengths):
    x = sine(300, in_hz, 36000 / in_hz)[: sum(lengths)]
    r = StreamResampler(in_hz, out_hz, quality)
    out, at = [], 0
    for n in lengths:
        out.append(r.push(x[at : at + n]))
        at += n
    out = np.concatenate([*out, r.flush()])
    assert out.dtype == np.int16
    assert abs(len(out) - len(x) * out_hz / in_hz) <= 1
    whole = StreamResampler(in_hz, out_hz, quality)
    at_once = np.concatenate([whole.push(x), whole.flush()])
    assert np.abs(at_once.astype(int) - out.astype(int)).max(initial=0) <= 1


@pytest.mark.parametrize("quality", QUALITIES)
@pytest.mark.parametrize(
    ("in_hz", "out_hz"), [(8000, 16000), (44100, 16000), (48000, 16000), (24000, 8000), (24000, 48000)]
)
def test_speech_band_keeps_level_and_time(in_hz, out_hz, quality):
    y = stream(sine(1000, in_hz), in_hz, out_hz, quality).astype(float)
    middle = slice(out_hz // 10, -out_hz // 10)
    expected = sine(1000, out_hz).astype(float)
    assert np.abs(y[middle] - expected[middle]).max() < 0.02 * 8000


@pytest.mark.parametrize(("in_hz", "out_hz", "hz"), [(44100, 16000, 10000), (48000, 16000, 12000), (24000, 8000, 7600)])
@pytest.mark.parametrize("quality", QUALITIES)
def test_frequencies_above_the_lower_band_are_removed(in_hz, out_hz, hz, quality):
    y = stream(sine(hz, in_hz), in_hz, out_hz, quality).astype(float)[out_hz // 10 : -out_hz // 10]
    assert 20 * np.log10(np.sqrt((y**2).mean()) / (8000 / 2**0.5) + 1e-9) < -50


@pytest.mark.parametrize(
    ("in_hz", "out_hz"), [(8000, 16000), (44100, 16000), (48000, 16000), (24000, 16000), (48000, 8000)]
)
def test_live_withholds_under_two_ms(in_hz, out_hz):
    r = StreamResampler(in_hz, out_hz, "live")
    n = in_hz // 50
    x = sine(440, in_hz, 2)
    got = 0
    for k in range(1, 101):
        got += len(r.push(x[(k - 1) * n : k * n]))
        assert 1000 * (k * n / in_hz - got / out_hz) < 2


def test_a_recording_keeps_its_duration():
    y = resample(sine(1000, 24000), 24000, 8000)
    assert y.dtype == np.int16
    assert len(y) == 8000
    assert np.abs(y[800:-800].astype(float) - sine(1000, 8000)[800:-800]).max() < 80


@pytest.mark.parametrize("sizes", [(1, 2, 3, 160, 5), (14,), (7, 7, 7, 7), (160, 160)])
def test_doubling_does_not_depend_on_the_pieces(sizes: tuple[int, ...]) -> None:
    samples = (10_000 * np.sin(np.arange(sum(sizes)) / 5)).astype(np.int16)
    whole, pieces, at = StreamResampler(8_000, 16_000, "live"), StreamResampler(8_000, 16_000, "live"), 0
    expected = np.concatenate((whole.push(samples), whole.flush()))
    got: list[np.ndarray] = []
    for size in sizes:
        got.append(pieces.push(samples[at : at + size]))
        at += size
    got.append(pieces.flush())
    assert expected.size == 2 * samples.size
    assert np.array_equal(np.concatenate(got), expected)


@pytest.mark.parametrize("hz", [200, 1000, 2000, 3000])
def test_doubling_keeps_the_telephone_band_in_level_and_time(hz: int) -> None:
    tone = (10_000 * np.sin(2 * np.pi * hz * np.arange(8_000) / 8_000)).astype(np.int16)
    resampler = StreamResampler(8_000, 16_000, "live")
    doubled = np.concatenate((resampler.push(tone), resampler.flush())).astype(np.float64)
    wanted = 10_000 * np.sin(2 * np.pi * hz * np.arange(16_000) / 16_000)
    off = doubled[100:-100] - wanted[100:-100]
    assert np.sqrt(np.mean(off**2)) < 0.06 * 7_071  # half a decibel
