"""How well the end of a caller's turn is found: `python -m bench.endpointing --data DIR`.

The embedded detector and transcriber hear each clip on a simulated clock, as fast as the machine can; what they tell
goes through the engine under one plan after another. No sockets, and no model or voice: those answer at once.
"""
