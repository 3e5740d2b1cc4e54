"""The addresses at which carriers reach this server."""

from bargein.carriers.interface import Addresses
from bargein.wire.base import JsonObject


def addresses_of(
    base_url: str, provider: str, number_id: str, call_id: str | None = None, token: str | None = None
) -> Addresses:
    """Those of a number, or of one call of it.

    Args:
        base_url: of this server, for carriers (http or https).
        provider: of the number.
        number_id: the number's, or what stands for it.
        call_id: of the call whose media socket is meant.
        token: opens that.
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
    """How the server was reached by whoever made a call: its `monitor` tells."""
    monitor: JsonObject = call.get("monitor") or {}
    return str(monitor.get("controlUrl", "")).removesuffix(f"/{call['id']}/control")
