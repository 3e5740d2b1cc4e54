"""Benchmark of the end of turn: `python -m bench.endpointing --data DIR`.

The embedded voice detector and transcriber process each clip on a simulated clock, as fast as the machine can. Their
events go through the engine under one plan after another. There are no sockets, and no model or voice: those answer at
once.
"""
