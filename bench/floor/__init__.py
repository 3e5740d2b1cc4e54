"""Training of the floor judge: `python -m bench.floor --data DIR` makes `providers/embedded/floor.npz` and its card.

It needs a collection of recordings with a MANIFEST.tsv, and espeak-ng and flite (Debian has both), which say what the
recordings lack: commands and listening aloud in the same voices, so that the network cannot tell them by the voice.
"""
