"""Everything that sends to the server of a call's owner (Vapi's `server.url`).

`guard` decides which addresses may be reached, `authentication` proves who asks, `backoff` when it is tried again,
`sender` posts one message and reads the answer, and `line` is the seam that a call knows (`bargein.ports.ServerLine`).
"""
