"""Vendors: transcribers, models and voices, one folder for each vendor.

`interface` has the spec that a vendor's folder exports, `registry` the list of vendors; `http` is shared by vendors,
`model_server`, `conversation` and `thoughts` by all models, `chat` and `chat_vendor` by those that speak OpenAI's chat
completions. One vendor never imports another, and none knows calls or the server: a vendor implements the interfaces of
`bargein.ports` and imports `audio`, `wire`, `settings` and `clock`. Start with `groq/__init__.py`, the smallest;
docs/extending.md walks through adding one.
"""
