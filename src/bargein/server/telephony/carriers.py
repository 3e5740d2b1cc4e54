"""The list of telephone carriers. Each is loaded when the first of its numbers is used: its SDK is an extra."""

from collections.abc import Callable
from importlib import import_module
from typing import Any, NamedTuple, cast

import structlog

from bargein.carriers.seam import Carrier, MakeCarrier
from bargein.clock import Clock
from bargein.ports import CarrierError
from bargein.settings import Settings
from bargein.wire.base import JsonObject

_log = structlog.get_logger("bargein.server")


class _Known(NamedTuple):
    """A carrier.

    Attributes:
        room: the module that exports `carrier`.
        extra: of the package, with its SDK.
        api_url: where its API is, if not where it always is.
        credential: of the environment, for numbers that name none.
    """

    room: str
    extra: str
    api_url: Callable[[Settings], str | None] = lambda _: None
    credential: Callable[[Settings], JsonObject | None] = lambda _: None


def _twilio(settings: Settings) -> JsonObject | None:
    if settings.twilio_account_sid is None or settings.twilio_auth_token is None:
        return None
    return {
        "provider": "twilio",
        "accountSid": settings.twilio_account_sid,
        "authToken": settings.twilio_auth_token,
    }


def _twilio_url(settings: Settings) -> str | None:
    return settings.twilio_api_url


_SIP = _Known("bargein.carriers.sip", "sip")
CARRIERS: dict[str, _Known] = {
    "twilio": _Known("bargein.carriers.twilio", "twilio", _twilio_url, _twilio),
    "telnyx": _Known("bargein.carriers.telnyx", "telnyx"),
    "vonage": _Known("bargein.carriers.vonage", "vonage"),
    "byo-phone-number": _SIP,
    "vapi": _SIP,
}
"""By the `provider` of a phone number."""


def default_credential(settings: Settings, provider: str) -> JsonObject | None:
    """The credential that the environment has for a provider's numbers."""
    known = CARRIERS.get(provider)
    return None if known is None else known.credential(settings)


class Carriers:
    """The carriers that are loaded.

    Args:
        settings: where their APIs are.
        clock: the one clock.
    """

    def __init__(self, settings: Settings, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock
        self._made: dict[str, Carrier] = {}

    def find(self, provider: str) -> Carrier:
        """The carrier of a phone number's provider.

        Raises:
            CarrierError: there is none, or what it needs is not installed.
        """
        known = CARRIERS.get(provider)
        if known is None:
            raise CarrierError(f"there is no carrier for provider {provider[:40]}.")
        if known.room not in self._made:
            self._made[known.room] = self._make(provider, known)
        return self._made[known.room]

    def _make(self, provider: str, known: _Known) -> Carrier:
        try:
            make = cast("MakeCarrier", cast("Any", import_module(known.room)).carrier)
        except ImportError as error:
            _log.warning("a carrier cannot be loaded", provider=provider, missing=error.name)
            hint = f"python -m pip install 'bargein[{known.extra}]'"
            raise CarrierError(f"phone numbers of provider {provider} need an extra: {hint}") from None
        return make(self._clock, known.api_url(self._settings))

    async def close(self) -> None:
        """Let go of their connections."""
        for carrier in self._made.values():
            await carrier.close()
        self._made.clear()
