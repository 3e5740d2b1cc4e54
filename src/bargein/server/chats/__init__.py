"""Text conversations: chats and sessions with an assistant, without a call.

`service` prepares a chat, streams its answer and records it; `context` translates the conversation for the model;
`tools` runs the tools that the model calls. Start reading with `service`.

The package may import `bargein.server.agents`, `bargein.server.calls` and everything below the server.
"""
