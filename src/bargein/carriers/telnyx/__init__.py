"""Telnyx: numbers bought there, over Call Control or TeXML and bidirectional media streaming.

Start with `carrier`; `webhooks` reads and verifies Telnyx's requests, `codec` and `payload` its media frames,
`provisioning` points numbers at this server. It knows `bargein.carriers.interface` and no other carrier. Requests need
the extra `telnyx`, whose SDK the first of them loads.
"""

from base64 import b64decode
from pathlib import Path

from bargein.carriers.interface import Carrier, PhoneLine
from bargein.carriers.spec import CarrierSpec, NumberProblem, needs_webhook_secret
from bargein.carriers.telnyx.number import TelnyxPhoneNumber
from bargein.carriers.telnyx.settings import TelnyxSettings
from bargein.clock import Clock
from bargein.wire.credentials import CredentialType
from bargein.wire.telephony import NEVER_CONNECTED, CarrierNames

API = "https://api.telnyx.com"

__all__ = ["API", "CARRIER", "TelnyxPhoneNumber", "TelnyxSettings"]


def _make(settings: TelnyxSettings, clock: Clock, data_dir: Path) -> Carrier:
    from bargein.carriers.telnyx.carrier import TelnyxCarrier  # noqa: PLC0415  # only with its numbers
    from bargein.carriers.telnyx.client import BASE_URL  # noqa: PLC0415

    return TelnyxCarrier(clock, settings.api_url or BASE_URL, settings.byte_order)


def _check_number(_: TelnyxSettings, phone_line: PhoneLine) -> NumberProblem | None:
    return needs_webhook_secret(phone_line, ("publicKey",), "publicKey in its credential, or TELNYX_PUBLIC_KEY")


def _ed25519_problem(text: str) -> str | None:
    """Return the problem of a text that is not a public key of Ed25519 in base64."""
    try:
        good = len(b64decode(text, validate=True)) == 32
    except ValueError:
        good = False
    return None if good else "must be base64 encoded, of 32 bytes"


CARRIER = CarrierSpec(
    name="telnyx",
    settings=TelnyxSettings,
    numbers={"telnyx": TelnyxPhoneNumber},
    names=CarrierNames("telnyx", "telnyx", NEVER_CONNECTED),  # Vapi has no endedReason of Telnyx's own
    # Vapi has no credential for Telnyx, though its phone numbers need one
    credential=CredentialType("telnyx", like="openai", extras={"publicKey": _ed25519_problem}),
    extra="telnyx",
    package="telnyx",
    make=_make,
    check_number=_check_number,
    api_url=lambda settings: settings.api_url or API,
)
