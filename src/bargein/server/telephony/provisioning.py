"""Pointing a number's webhooks at this server, when it is imported or changed."""

import anyio
import structlog

from bargein.ports import CarrierError
from bargein.server.telephony.call_router import PhoneCallRouter
from bargein.server.telephony.urls import addresses_of
from bargein.settings import Settings
from bargein.wire.base import JsonObject

_ADOPT_S = 20.0

_log = structlog.get_logger("bargein.server")


async def with_webhooks_configured(settings: Settings, call_router: PhoneCallRouter, number: JsonObject) -> str | None:
    """Have a stored number's carrier send its calls here.

    Nothing is done where the settings do not say how carriers reach this server (`BARGEIN_PUBLIC_URL`).

    Returns:
        Why that failed: calls to the number do not come here, those from it may work; None: it did not.
    """
    if settings.server.public_url is None:
        return None
    provider, number_id = str(number.get("provider")), str(number["id"])
    try:
        carrier = call_router.carriers.find(provider)
        with anyio.fail_after(_ADOPT_S):
            phone_line = await call_router.found.of(number)
            await carrier.configure_webhooks(phone_line, addresses_of(settings.server.public_url, provider, number_id))
    except (CarrierError, TimeoutError) as error:
        why = str(error) or "the carrier took too long."
        _log.warning("a number's webhooks could not be set", number_id=number_id, provider=provider, reason=why)
        return why
    return None
