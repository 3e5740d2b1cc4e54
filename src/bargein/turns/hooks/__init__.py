"""An assistant's hooks (Vapi's `assistant.hooks`).

`plan` has their compiled form, `triggers` when they trigger and what they do, with the agenda item for those that
depend on time. Start reading at `triggers`.
"""
