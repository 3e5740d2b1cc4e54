"""Training of the end-of-turn detector: `python -m training.end_of_turn --data DIR`.

It writes `providers/embedded/end_of_turn.npz`.

It needs a collection of recordings with a MANIFEST.tsv, and espeak-ng and flite (Debian has both). What it learns from
is heard as a call hears it, on the clock of `bench.endpointing`, so that the network gets in training what it gets in
a call.
"""
