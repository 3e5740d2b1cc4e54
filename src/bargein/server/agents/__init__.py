"""Agents: from a stored call or chat to an assistant that can run.

`resolve` finds the assistant that a record names, `assemble` gives it its plan, providers, tools and channel to its
owner, `handoff` does both for an assistant that takes over a call, and `validate` finds the same errors when a request
is made. Start reading with `resolve` and `assemble`.

The package may import `bargein.server.ops` and everything below the server; it does not know which calls are live.
"""
