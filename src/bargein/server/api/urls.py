"""The server's own address, for the URLs that it gives out."""

import re

from starlette.requests import Request

from bargein.server.api.services import Services
from bargein.wire.errors import bad_request

_HOST = re.compile(r"[A-Za-z0-9._-]+(:\d{1,5})?|\[[0-9A-Fa-f:.]+\](:\d{1,5})?")


def base_url(services: Services, request: Request) -> str:
    """Return the URL under which this server is reached: BARGEIN_PUBLIC_URL if set, else the one of this request.

    Raises:
        WireError: 400: the Host header is not a host name or address.
    """
    if services.settings.server.public_url is not None:
        return services.settings.server.public_url
    host = request.headers.get("host", "")
    if not _HOST.fullmatch(host):
        raise bad_request("the Host header is not valid")
    return f"{request.url.scheme}://{host}"
