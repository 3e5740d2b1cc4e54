"""Benchmark of the number of calls on one core: `python -m bench.capacity`.

A bargein server runs on one core. On the other cores run callers, and a model, a voice and a transcriber that answer at
once (`bench.capacity.peers`). The callers speak with recorded voices in frames of 20 ms, in real time, and interrupt
their assistants every four or five seconds. Voice detection is the server's own. The number of calls rises step by step
until the time from a caller's voice to the assistant's silence exceeds that of a single call, audio is late, or an
interruption is missed. Nothing leaves this machine, and the benchmark ends by itself.
"""
