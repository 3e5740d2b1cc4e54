"""All routes of the server."""

from fastapi import FastAPI

from bargein.server.api.resources import RESOURCES
from bargein.server.api.routes import (
    artifacts,
    call_socket,
    carrier_socket,
    carriers,
    health,
    monitor,
    page,
    prometheus,
    schemas,
    unsupported,
)

OTHER_ROUTES = (
    health,
    artifacts,
    carriers,
    schemas,
    prometheus,
    unsupported,
    call_socket,
    monitor,
    carrier_socket,
    page,
)
"""The modules of routes that are not a REST resource."""


def install(app: FastAPI) -> None:
    """Add all routes to `app`."""
    for resource in RESOURCES:
        app.include_router(resource.router)
    for module in OTHER_ROUTES:
        app.include_router(module.router)
    page.mount_files(app)
