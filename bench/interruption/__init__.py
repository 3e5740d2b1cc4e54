"""How well a server yields: `python -m bench.interruption --data DIR`.

A black box on Vapi's WebSocket transport is talked over with recordings of people who take the floor, who only listen
aloud, of noise, and of its own echo. Everything is timed on one clock, from the energy of the clip to the end of the
last sound that the caller would still hear.
"""
