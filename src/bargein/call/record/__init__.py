"""The record of a call: its journal, summary, artifact, recording and log.

`journal` writes and reads every event of a call, `replay` runs it through the engine again, `explain` turns it into
text. `outcome` keeps the summary and builds the artifact, `metrics` measures latencies and interruptions, and `history`
converts the conversation for models and messages.

May import `call.context`, `call.plan` and `call.background`. Start with `outcome`.
"""
