"""Tools of a call: what the model may call, and what happens when it does.

`declarations` presents an assistant's tools to the model and picks the messages of each call, `executor` runs the
calls, `builtin` and `transfer` carry out the tools of the call itself, `rejection` applies `rejectionPlan`, and
`tool_runners` keeps the runner of each assistant that has had the call. Tools that reach outside the call are run by
`bargein.tools`.

May import `call.record`, `call.context`, `call.plan` and `call.background`. Start with `executor`.
"""
