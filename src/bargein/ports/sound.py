"""Sound as it crosses a seam: mono, and its rate stands beside it in Hz."""

import numpy as np
import numpy.typing as npt

Pcm16 = npt.NDArray[np.int16]

TRANSCRIBER_RATE_HZ = 16_000
"""Every transcriber is fed at this rate."""
