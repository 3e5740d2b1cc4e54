"""Telephone calls: from carriers' webhooks and native carriers to calls, and back.

`call_router` passes webhooks and notices on to the calls of `call_registry`; `inbound` decides about incoming calls,
`outbound` places calls, `call_runner` runs one with its session. `numbers` finds numbers with their credentials,
`carriers` loads the carriers, `provisioning` points numbers' webhooks here, `checkup` is telephony's part of
`bargein doctor`. Imports `server.calls`, `server.agents` and below; the API imports it. Start with `call_router`.
"""
