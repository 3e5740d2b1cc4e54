"""Vapi's JSON as types. What the server honours is typed; the rest is kept as it came."""
