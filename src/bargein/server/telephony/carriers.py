"""The list of telephone carriers. Each is loaded when the first of its numbers is used: its SDK is an extra."""

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from importlib import import_module
from importlib.util import find_spec
from typing import Any, NamedTuple

import structlog

from bargein.carriers.interface import Carrier, NativeCarrier, SlowCarrier
from bargein.clock import Clock
from bargein.ports import CarrierError
from bargein.server.telephony.sip_secret import proof_of
from bargein.settings import Settings, SipSettings, TelnyxSettings, TwilioSettings, VonageSettings
from bargein.wire.base import JsonObject

_log = structlog.get_logger("bargein.server")


class _Known(NamedTuple):
    """A carrier.

    Attributes:
        room: the module with its `carrier` (`bargein.carriers.interface.MakeCarrier`).
        extra: of the package, with its SDK.
        make: makes it of that module.
        credential: of the environment, for numbers that name none.
    """

    room: str
    extra: str
    make: Callable[[Any, Settings, Clock], Carrier]
    credential: Callable[[Settings], JsonObject | None]


def _twilio(room: Any, settings: Settings, clock: Clock) -> Carrier:
    return room.carrier(clock, settings.section(TwilioSettings).api_url)


def _twilio_credential(settings: Settings) -> JsonObject | None:
    return settings.section(TwilioSettings).credential


def _telnyx(room: Any, settings: Settings, clock: Clock) -> Carrier:
    telnyx = settings.section(TelnyxSettings)
    return room.carrier(clock, telnyx.api_url, byte_order=telnyx.byte_order)


def _telnyx_credential(settings: Settings) -> JsonObject | None:
    return settings.section(TelnyxSettings).credential


def _vonage(room: Any, settings: Settings, clock: Clock) -> Carrier:
    return room.carrier(clock, settings.section(VonageSettings).api_url)


def _vonage_credential(settings: Settings) -> JsonObject | None:
    return settings.section(VonageSettings).credential


def _sip(room: Any, settings: Settings, clock: Clock) -> Carrier:
    sip = settings.section(SipSettings)
    if not sip.is_served:
        raise CarrierError("this server does not serve SIP: set BARGEIN_SIP_LISTEN.")
    if find_spec("baresip") is None:
        raise ImportError(name="baresip")  # it is the agent's process that imports it
    proof = None if sip.direct else proof_of(settings)
    return room.SipCarrier(room.Exchange(sip, clock, proof))


def _no_credential(_: Settings) -> JsonObject | None:
    return None


_SIP = _Known("bargein.carriers.sip", "sip", _sip, _no_credential)
CARRIERS: dict[str, _Known] = {
    "twilio": _Known("bargein.carriers.twilio", "twilio", _twilio, _twilio_credential),
    "telnyx": _Known("bargein.carriers.telnyx", "telnyx", _telnyx, _telnyx_credential),
    "vonage": _Known("bargein.carriers.vonage", "vonage", _vonage, _vonage_credential),
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
            CarrierError: there is none, or what it needs is not installed or not set.
        """
        known = CARRIERS.get(provider)
        if known is None:
            raise CarrierError(f"there is no carrier for provider {provider[:40]}.")
        if known.room not in self._made:
            self._made[known.room] = self._make(provider, known)
        return self._made[known.room]

    def natives(self) -> Sequence[NativeCarrier]:
        """Those that bring their calls themselves and are to run with the server (SIP, where it is set up)."""
        if not self._settings.section(SipSettings).is_served:
            return ()
        try:
            found: Any = self.find("vapi")
        except CarrierError as error:
            _log.error("SIP is not served", reason=str(error))
            return ()
        return (found,)

    async def warm_up(self, providers: Iterable[str]) -> None:
        """Load the carriers of numbers that there are, and what they need, so that no caller has to wait for it."""
        for provider in providers:
            with suppress(CarrierError):  # whoever calls is told
                carrier = self.find(provider)
                if isinstance(carrier, SlowCarrier):
                    await carrier.warm_up()

    def _make(self, provider: str, known: _Known) -> Carrier:
        try:
            return known.make(import_module(known.room), self._settings, self._clock)
        except ImportError as error:
            _log.warning("a carrier cannot be loaded", provider=provider, missing=error.name)
            hint = f"python -m pip install 'bargein[{known.extra}]'"
            raise CarrierError(f"phone numbers of provider {provider} need an extra: {hint}") from None

    async def close(self) -> None:
        """Let go of their connections."""
        for carrier in self._made.values():
            await carrier.close()
        self._made.clear()
