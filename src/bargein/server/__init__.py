"""The HTTP and WebSocket server: Vapi's REST API, live calls, chats and telephony.

`app` creates the FastAPI app; `lifespan` opens and closes its parts; `serving` runs uvicorn; `doctor` checks an
installation. The packages import downwards only: `api`, then `chats` and `telephony`, then `calls`, then `agents` and
`ops`. Start reading at `app.create_app`, or follow a request from its module in `api/routes`.
"""
