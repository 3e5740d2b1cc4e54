"""From an assistant's JSON to what the call runs by.

`compile` makes the engine's plan, `hooks` its hooks, and `variables` renders the templates in an assistant's texts,
with `liquid` and `liquid_dates` behind it.

May import `bargein.turns` and `bargein.wire` only. Start with `compile`.
"""
