"""Training of the judge of pauses: `python -m bench.turn_end --data DIR` makes `providers/embedded/turn_end.npz`.

It needs a collection of recordings with a MANIFEST.tsv, and espeak-ng and flite (Debian has both). What it learns from
is heard as a call hears it, on the clock of `bench.endpointing`, so that the network gets in training what it gets in
a call.
"""
