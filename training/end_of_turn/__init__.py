"""Training of the end-of-turn detector: `python -m training.end_of_turn --data DIR`.

It writes `providers/embedded/end_of_turn.npz`.

It needs a collection of recordings with a MANIFEST.tsv, and espeak-ng and flite (Debian has both). The recordings go
through a call's audio input on the clock of `bench.endpointing`, so that the network gets the same input as in a call.
"""
