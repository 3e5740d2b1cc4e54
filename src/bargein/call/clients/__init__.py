"""The side of a call that clients and the owner's server see, and their ways to control it.

`messages` writes Vapi's client messages, `controls` carries out what clients ask for, `listeners` streams the audio to
those who listen in, `insight` feeds the server's own page, and `endpointing_request` asks the owner's endpointing
model.

May import every package of the call but `components`, `session` and `tuning`. Start with `messages`.
"""
