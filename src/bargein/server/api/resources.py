"""The list of all REST resources. Each is defined by its module in `bargein.server.api.routes`."""

from bargein.server.api.resource import Resource
from bargein.server.api.routes import (
    assistants,
    calls,
    chats,
    credentials,
    files,
    phone_numbers,
    sessions,
    squads,
    tools,
)

RESOURCES: tuple[Resource, ...] = tuple(
    module.RESOURCE for module in (assistants, calls, chats, credentials, files, phone_numbers, sessions, squads, tools)
)
