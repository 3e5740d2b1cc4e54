"""The URLs at which carriers reach this server."""

from bargein.carriers.interface import Addresses
from bargein.wire.base import JsonObject


def addresses_of(
    base_url: str, provider: str, number_id: str, call_id: str | None = None, token: str | None = None
) -> Addresses:
    """Return the URLs of a number, or of one of its calls.

    Args:
        base_url: the server's URL for carriers (http or https).
        provider: the number's provider.
        number_id: the number's id in URLs.
        call_id: the call whose media socket is meant.
        token: the token that opens it.
    """
    path = f"/carrier/{provider}/{number_id}"
    media = None if call_id is None or token is None else f"ws{base_url.removeprefix('http')}{path}/media/{call_id}"
    return Addresses(
        voice=f"{base_url}{path}/voice",
        status=f"{base_url}{path}/status",
        media=None if media is None else f"{media}/{token}",
        media_token=token,
    )


def base_of(call: JsonObject) -> str:
    """Return the server's URL by the request that created a call, from its `monitor`."""
    monitor: JsonObject = call.get("monitor") or {}
    return str(monitor.get("controlUrl", "")).removesuffix(f"/{call['id']}/control")
