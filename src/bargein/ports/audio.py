"""The type of audio: mono PCM, whose sample rate is given separately in Hz."""

import numpy as np
import numpy.typing as npt

Pcm16 = npt.NDArray[np.int16]

TRANSCRIBER_RATE_HZ = 16_000
"""The rate at which every transcriber is fed."""
