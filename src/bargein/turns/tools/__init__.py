"""Tool calls in flight: each runs once and gets one result.

`tool_calls` has all of it, with its agenda items. Running them is the work of `bargein.call.tools`.
"""
