"""Tools that run outside the call: functions of the owner's server, HTTP APIs, MCP servers, uploaded files.

`runner.CallToolRunner` is the `ports.ToolRunner` of one call; each kind of tool has a module. Tools that the call
itself runs (endCall, dtmf, transferCall, handoff, voicemail) are in `call.tools`. Knows `ports`, `webhooks` and `wire`.
Start reading at `runner`.
"""
