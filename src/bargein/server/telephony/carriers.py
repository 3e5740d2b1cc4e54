"""The carriers of this server, each loaded when the first of its numbers is used: its SDK is an extra."""

from collections.abc import Iterable, Sequence
from contextlib import suppress
from importlib.util import find_spec
from typing import Any

import structlog

from bargein.carriers.interface import Carrier, NativeCarrier, SlowCarrier
from bargein.carriers.registry import BY_PROVIDER, CARRIERS
from bargein.carriers.spec import CarrierSpec
from bargein.clock import Clock
from bargein.ports import CarrierError
from bargein.settings import Settings

_log = structlog.get_logger("bargein.server")


class Carriers:
    """The carriers that are loaded.

    Args:
        settings: the carriers' sections and the data folder.
        clock: the one clock.
    """

    def __init__(self, settings: Settings, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock
        self._made: dict[str, Carrier] = {}

    def find(self, provider: str) -> Carrier:
        """Return the carrier of a phone number's provider.

        Raises:
            CarrierError: there is none, or what it needs is not installed or not set.
        """
        spec = BY_PROVIDER.get(provider)
        if spec is None:
            raise CarrierError(f"there is no carrier for provider {provider[:40]}.")
        if spec.name not in self._made:
            self._made[spec.name] = self._make(provider, spec)
        return self._made[spec.name]

    def natives(self) -> Sequence[NativeCarrier]:
        """Return the carriers that bring their calls themselves, and are to run with the server."""
        found: list[Any] = []
        for spec in CARRIERS:
            if spec.native and self._settings.section(spec.settings).enabled:
                try:
                    found.append(self.find(next(iter(spec.numbers))))
                except CarrierError as error:
                    _log.error("a carrier cannot be served", carrier=spec.name, reason=str(error))
        return found

    async def warm_up(self, providers: Iterable[str]) -> None:
        """Load the carriers of these providers and their SDKs, so that no caller has to wait for them."""
        for provider in providers:
            with suppress(CarrierError):  # the first call gets the error
                carrier = self.find(provider)
                if isinstance(carrier, SlowCarrier):
                    await carrier.warm_up()

    def _make(self, provider: str, spec: CarrierSpec[Any]) -> Carrier:
        settings = self._settings.section(spec.settings)
        try:
            if settings.enabled and find_spec(spec.package) is None:
                raise ModuleNotFoundError(name=spec.package)
            return spec.make(settings, self._clock, self._settings.storage.data_dir)
        except ImportError as error:
            _log.warning("a carrier cannot be loaded", provider=provider, missing=error.name)
            hint = f"python -m pip install 'bargein[{spec.extra}]'"
            raise CarrierError(f"phone numbers of provider {provider} need an extra: {hint}") from None

    async def close(self) -> None:
        """Close the connections of all carriers."""
        for carrier in self._made.values():
            await carrier.close()
        self._made.clear()
