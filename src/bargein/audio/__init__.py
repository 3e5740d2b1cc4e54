"""Audio as numbers: PCM, G.711, sample rates, voice activity, playout, echo.

Pure functions and small state machines on numpy and soxr: no clock (times come in), no I/O and no model. It imports no
other package of bargein but `bargein.errors`. Start reading at `pcm`, then `playout` for outgoing audio and `voice` for
incoming audio.
"""
