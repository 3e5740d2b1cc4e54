"""The description of a carrier: what the server needs to know of it before it loads it.

A carrier is one folder beside this file. Its `__init__.py` exports `CARRIER`, a `CarrierSpec`, and imports neither the
carrier's SDK nor any other module that needs it, so that a server without the carrier's extra can still store its
numbers, read its settings and say what to install. `bargein.carriers.registry` lists the specs; no other module outside
the folder names a carrier.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, NamedTuple, TypeVar

from bargein.carriers.interface import Carrier, PhoneLine
from bargein.clock import Clock
from bargein.settings import Section
from bargein.wire.base import JsonObject
from bargein.wire.credentials import CredentialType
from bargein.wire.phone_number import PhoneNumberBase
from bargein.wire.telephony import CarrierNames


class CarrierSettings(Section):
    """A carrier's section of the settings."""

    @property
    def enabled(self) -> bool:
        """False if these settings leave the carrier switched off."""
        return True

    @property
    def credential(self) -> JsonObject | None:
        """The account that these settings name, as a credential for numbers that name none; None if they name none."""
        return None

    def complete(self, credential: JsonObject) -> JsonObject:
        """Return a number's own credential, with the fields that it lacks where these settings have them."""
        return credential


S = TypeVar("S", bound=CarrierSettings)


class NumberProblem(NamedTuple):
    """A reason why a stored number cannot be used, for `bargein doctor`.

    Attributes:
        detail: the reason.
        fix: what to do.
    """

    detail: str
    fix: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CarrierSpec(Generic[S]):
    """One carrier.

    Attributes:
        name: the name of its folder and of its section of the settings.
        settings: the type of that section.
        numbers: the types of its phone numbers, by their `provider`. Most carriers have one provider of the same name.
        names: the values that stand for the carrier in a call's record; Vapi's, where it has any.
        credential: the type of its credential, where that is not Vapi's alone.
        extra: the extra of the package that installs the SDK.
        package: the module that this extra installs; only a carrier whose package is found is made.
        make: makes the carrier, once, on the event loop. It gets the settings, the clock and the data folder, and
            imports the modules that need the SDK. It raises `CarrierError` if the settings do not suffice.
        check_number: finds why a number cannot be used, from its record, its credential and the settings.
        api_url: the address of the carrier's API under these settings, which `bargein doctor` asks for the time. None
            for a carrier without webhooks, which is run with the server instead (`NativeCarrier`).
    """

    name: str
    settings: type[S]
    numbers: Mapping[str, type[PhoneNumberBase]]
    names: CarrierNames
    credential: CredentialType | None = None
    extra: str
    package: str
    make: Callable[[S, Clock, Path], Carrier]
    check_number: Callable[[S, PhoneLine], NumberProblem | None]
    api_url: Callable[[S], str] | None

    @property
    def native(self) -> bool:
        """Return whether the carrier brings its calls itself, and has no webhooks."""
        return self.api_url is None


def needs_webhook_secret(phone_line: PhoneLine, fields: tuple[str, ...], where: str) -> NumberProblem | None:
    """Return a problem if neither a number nor its credential has one of the fields that its webhooks are checked with.

    Args:
        phone_line: the number and its credential.
        fields: any one of these is enough.
        where: the places that the secret can be set in.
    """
    present = {**(phone_line.credential or {}), **phone_line.number}
    if any(present.get(field) for field in fields):
        return None
    return NumberProblem("nothing to check its webhooks with, so that no call can come in", f"set {where}")
