"""Vendors: transcribers, models and voices, one folder for each vendor.

`interface` has the spec that a vendor's folder exports, `registry` the list of vendors; `http`, `chat` and `chat_tools`
are shared by vendors. One vendor never imports another, and none knows calls or the server: a vendor implements the
interfaces of `bargein.ports` and imports `audio`, `wire`, `settings` and `clock`. Start with `openai/__init__.py`, the
smallest; docs/extending.md walks through adding one.
"""
