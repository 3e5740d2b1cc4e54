"""Pointing a number's webhooks at this server, when it is created or changed."""

import anyio
import structlog

from bargein.ports import CarrierError
from bargein.server.telephony.call_router import PhoneCallRouter
from bargein.server.telephony.urls import addresses_of
from bargein.settings import Settings
from bargein.wire.base import JsonObject

_CONFIGURE_S = 20.0

_log = structlog.get_logger("bargein.server")


async def with_webhooks_configured(settings: Settings, call_router: PhoneCallRouter, number: JsonObject) -> str | None:
    """Have a stored number's carrier send its calls to this server.

    Without `BARGEIN_PUBLIC_URL`, at which carriers reach this server, nothing is done.

    Returns:
        The reason why that failed: the server gets no calls to the number, though calls from it may work. None if it
        did not fail.
    """
    if settings.server.public_url is None:
        return None
    provider, number_id = str(number.get("provider")), str(number["id"])
    try:
        carrier = call_router.carriers.find(provider)
        with anyio.fail_after(_CONFIGURE_S):
            phone_line = await call_router.numbers.with_credential(number)
            await carrier.configure_webhooks(phone_line, addresses_of(settings.server.public_url, provider, number_id))
    except (CarrierError, TimeoutError) as error:
        problem = str(error) or "the carrier took too long."
        _log.warning("a number's webhooks could not be set", number_id=number_id, provider=provider, reason=problem)
        return problem
    return None
