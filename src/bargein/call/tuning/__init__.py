"""Comparison of `stopSpeakingPlan`s on recorded calls (`bargein mark`, `bargein tune`).

`marks` stores what a person heard in a call, `tuning` runs each mark under other plans, and `report` prints the table.

May import `call.record` and `call.plan`. Start with `report`.
"""
