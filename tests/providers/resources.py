"""The inputs of a vendor's factory, for tests."""

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import httpx

from bargein.clock import LoopClock
from bargein.providers.interface import Resources
from bargein.settings import Settings
from bargein.webhooks.guard import AddressGuard
from bargein.wire.base import JsonObject


def make_resources(
    settings: Settings,
    client: httpx.AsyncClient | None = None,
    credentials: Mapping[str, JsonObject] | None = None,
) -> Resources:
    """Return resources in which private addresses are allowed and no model is embedded.

    Args:
        settings: the settings.
        client: both HTTP clients; None: nothing may use one.
        credentials: the owner's credentials by provider.
    """
    absent: Any = SimpleNamespace()
    http = absent if client is None else client
    return Resources(
        settings=settings,
        clock=LoopClock(),
        client=http,
        guarded_client=http,
        addresses=AddressGuard(allow_private=True),
        embedded=absent,
        credentials=credentials or {},
        auth=None,
        context={},
    )
