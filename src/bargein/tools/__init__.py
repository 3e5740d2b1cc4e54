"""What runs a model's tool calls outside of the call: functions of the owner's server, HTTP APIs, MCP servers, files.

`runner.Tools` is the `ports.ToolRunner` of one call; each kind of tool has a module of its own. The tools that the call
itself carries out (endCall, dtmf, transferCall, handoff, voicemail) are not here.
"""
