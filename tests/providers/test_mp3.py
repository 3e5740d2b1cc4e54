"""MP3 that is decoded while it arrives is the same as that which is decoded at once."""

import io

import numpy as np
import pytest
import soundfile

from bargein.providers.http import StreamError
from bargein.providers.wellsaid.mp3 import Mp3Decoder
from bargein.testing import speech

pytestmark = pytest.mark.anyio


def encoded(rate_hz: int, words: int = 8) -> tuple[bytes, np.ndarray[tuple[int], np.dtype[np.int16]]]:
    samples = np.frombuffer(speech(300 * words, rate_hz), "<i2")
    out = io.BytesIO()
    soundfile.write(out, samples, rate_hz, format="MP3", subtype="MPEG_LAYER_III")
    return out.getvalue(), samples


async def decoded(data: bytes, size: int) -> tuple[np.ndarray[tuple[int], np.dtype[np.int16]], int, int]:
    decoder = Mp3Decoder()
    pieces = [await decoder.add(data[start : start + size]) for start in range(0, len(data), size)]
    early = sum(piece.size for piece in pieces)
    return np.concatenate([*pieces, await decoder.end()]), decoder.rate_hz, early


@pytest.mark.parametrize("rate_hz", [16_000, 24_000, 44_100])
@pytest.mark.parametrize("tag", [b"", b"ID3\x04\x00\x00\x00\x00\x01\x00" + bytes(128)], ids=["plain", "tagged"])
async def test_pieces_give_the_samples_of_the_whole(rate_hz: int, tag: bytes) -> None:
    data, made = encoded(rate_hz)
    whole, _, _ = await decoded(tag + data, len(tag + data))
    heard, rate, early = await decoded(tag + data, 700)
    assert rate == rate_hz
    assert np.array_equal(heard, whole)
    assert early > heard.size // 2
    assert 0 <= heard.size - made.size < 0.15 * rate_hz
    size = heard.size + made.size
    spectrum = np.fft.rfft(heard.astype(float), size) * np.conj(np.fft.rfft(made.astype(float), size))
    crossed = np.fft.irfft(spectrum, size).max()
    assert crossed / np.sqrt(np.sum(heard.astype(float) ** 2) * np.sum(made.astype(float) ** 2)) > 0.95


async def test_what_is_no_mp3_is_an_error() -> None:
    with pytest.raises(StreamError):
        await decoded(b"<html>" * 500, 700)


async def test_nothing_is_no_audio() -> None:
    assert (await Mp3Decoder().end()).size == 0


async def test_one_that_never_ends_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bargein.providers.wellsaid.mp3.MOST_BYTES", 5_000)
    data, _ = encoded(24_000)
    with pytest.raises(StreamError, match="too long"):
        await decoded(data, 700)
