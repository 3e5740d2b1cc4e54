"""The header of WAV files, as other programs read it."""

import io
import wave

import pytest

from bargein.audio.wav import HEADER_BYTES, wav_header


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("rate_hz", [8000, 16_000])
def test_a_file_is_read_with_its_rate_and_channels(rate_hz: int, channels: int) -> None:
    samples = bytes(range(200))
    with wave.open(io.BytesIO(wav_header(rate_hz, len(samples), channels) + samples)) as file:
        assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (rate_hz, channels, 2)
        assert file.readframes(1000) == samples


def test_a_stream_of_unknown_length_has_no_lengths() -> None:
    header = wav_header(16_000)
    assert len(header) == HEADER_BYTES
    assert header[4:8] == header[-4:] == bytes(4)
