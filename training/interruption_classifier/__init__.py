"""Training of the interruption classifier: `python -m training.interruption_classifier --data DIR`.

It writes `providers/embedded/interruption_classifier.npz` and its model card.

It needs a collection of recordings with a MANIFEST.tsv, and espeak-ng and flite (Debian has both). Their synthetic
voices say both interruptions and backchannels, so that the network cannot distinguish these by the voice.
"""
