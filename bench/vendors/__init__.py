"""What bargein adds to the vendors' own time: `python -m bench.vendors`.

Each vendor is its fake on loopback, which answers at once, so that what is measured is the adapter, the HTTP or
WebSocket library, and the loopback.
"""
