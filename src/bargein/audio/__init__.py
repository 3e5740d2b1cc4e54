"""Sound as numbers: PCM, G.711, sample rates, voice activity. Pure; no clock, no I/O, no model."""
