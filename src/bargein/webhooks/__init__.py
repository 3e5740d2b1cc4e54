"""Messages to the server of a call's owner (Vapi's `server.url`).

`guard` decides which addresses may be reached, `authentication` signs requests, `backoff` retries them, `sender` posts
one message and reads the answer, and `owner_channel` is what a call knows of it (`bargein.ports.OwnerMessenger`). Knows
`ports` and `wire`. Start reading at `sender`.
"""
