"""Training of the interruption classifier: `python -m training.interruption_classifier --data DIR`.

It writes `providers/embedded/interruption_classifier.npz` and its model card.

It needs a collection of recordings with a MANIFEST.tsv, and espeak-ng and flite (Debian has both), which say what the
recordings lack: commands and listening aloud in the same voices, so that the network cannot tell them by the voice.
"""
