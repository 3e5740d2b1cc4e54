"""The header of WAV files (RIFF, `WAVE_FORMAT_PCM`)."""

import struct

HEADER_BYTES = 44
"""The length of the header that `wav_header` returns."""


def wav_header(rate_hz: int, sound_bytes: int | None = None, channels: int = 1) -> bytes:
    """Return what stands before 16-bit little-endian samples in a WAV file.

    Args:
        rate_hz: the sample rate.
        sound_bytes: the length of the samples; None: unknown, so both lengths in the header are 0.
        channels: the number of channels.
    """
    file_bytes = 0 if sound_bytes is None else HEADER_BYTES - 8 + sound_bytes
    block = 2 * channels
    return struct.pack(
        "<4sI4s4sIHHIIHH4sI",
        *(b"RIFF", file_bytes, b"WAVE"),
        *(b"fmt ", 16, 1, channels, rate_hz, rate_hz * block, block, 16),
        *(b"data", sound_bytes or 0),
    )
