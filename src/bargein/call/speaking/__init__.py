"""From the engine's replies to audio frames for the caller.

`replies` starts and cancels replies as the engine says, `speech` turns a model's tokens into sentences (`sentences`),
these into text for the voice (`formatter`, `english`, `spoken_text`) and that into speech, `audio_output` paces the
audio out and drops what belongs to a reply that was cut, `connections` keeps those of the model and the voice ready.

May import `call.context`, `call.tools`, `call.record` and `call.plan`, but not `call.hearing` or `call.clients`. Start
with `replies`.
"""
