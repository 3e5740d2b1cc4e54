"""The time that bargein adds to the vendors' own: `python -m bench.vendors`.

Each vendor is its fake on loopback, which answers at once, so that what is measured is the adapter, the HTTP or
WebSocket library, and the loopback.
"""
