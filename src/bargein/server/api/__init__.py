"""The REST API and the WebSockets: requests are authenticated, parsed and checked here.

`routes` has a module for each resource (with a `Resource`, see `resource`) and for the other routes; `resources` and
`routing` list them. Modules beside `routes` are shared by them. This package may import every other package of the
server; only `bargein.server.app` and `lifespan` import it. Start reading at `routes/assistants.py`.
"""
