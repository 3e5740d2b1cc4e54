"""Carriers: the connections between calls and telephones or WebSockets.

Each carrier is one folder that exports a spec (`spec.CarrierSpec`); `registry` lists the specs. `interface` is what the
server knows of a carrier, `stream` the leg of calls whose audio comes over a carrier's WebSocket. Carriers know
`ports`, `audio`, `wire`, `settings` and `clock`; none imports another, and none imports the call or the server.

Start with `interface/__init__.py`, then read the folder of one carrier.
"""
