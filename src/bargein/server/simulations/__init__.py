"""Simulations: a tester, which is a caller of its own, has a conversation with an assistant, which is then evaluated.

`steps` reads what a tester does, `tester` decides on it, `voice_call` and `text_chat` carry it out, `evaluation`
judges the result; `runs` begins runs and does the jobs of their items. Start reading with `runs`.

The package may import `bargein.server.evals`, `bargein.client`, the caller of `bargein.testing`, and everything below
the server.
"""
