"""Limits on the connections of clients, below the app: their number, the size and time of request heads, and pings.

`admission` counts connections and decides which are admitted, `http` and `websocket` are uvicorn's protocols with
limits. Start reading with `http`. The package imports the settings and the wire's errors, and nothing else of bargein.
"""
