"""Benchmark of interruptions on any server with Vapi's WebSocket transport: `python -m bench.interruption --data DIR`.

While the assistant speaks, the benchmark plays recordings of interruptions, of backchannels and of noise, and the
assistant's own echo. Everything is timed on one clock, from the onset of the clip's energy to the end of the last sound
that the caller would still hear.
"""
