"""Interruption: does the caller interrupt the reply that sounds, and was it a false interruption?

`explicit` decides by `numWords` and `voiceSeconds`, `evidence` where the assistant gives neither; `overlap` holds the
agenda items. Start reading at `overlap`.
"""
