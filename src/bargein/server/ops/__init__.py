"""Operations: the log, the metrics for Prometheus, the findings of `bargein doctor` and temporary servers.

It may import the clock, the store's journals and the types of `bargein.wire`, but no other package of the server.
"""
