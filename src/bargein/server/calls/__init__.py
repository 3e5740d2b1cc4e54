"""Calls on the server: created, scheduled, live, recovered, and reported to their owners.

`live_calls` has the calls that run in this process; `creation` makes the records of new calls, `inbound` finds the
assistant of a call that comes in, `scheduler` queues scheduled calls, `recovery` ends the calls of a dead server,
`owner_jobs` and `owner_events` send messages to owners' servers, and `durable` holds the parts that survive a crash.
Start reading with `live_calls`.

The package may import `bargein.server.agents`, `bargein.server.ops` and everything below the server. Telephone carriers
are above it, in `bargein.server.telephony`.
"""
