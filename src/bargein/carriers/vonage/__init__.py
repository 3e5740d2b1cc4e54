"""Vonage (Voice API): numbers bought there, over NCCOs, its REST API and WebSockets.

Start with `carrier`; `events` reads Vonage's webhooks, `signature` verifies them, `codec` reads its media frames and
`control` makes its requests. It knows `bargein.carriers.interface` and no other carrier. `control` and `rest` need the
extra `vonage`, whose SDK the first request loads.
"""

from pathlib import Path

from bargein.carriers.interface import Carrier, PhoneLine
from bargein.carriers.spec import CarrierSpec, NumberProblem, needs_webhook_secret
from bargein.carriers.vonage.number import VonagePhoneNumber
from bargein.carriers.vonage.settings import VonageSettings
from bargein.clock import Clock
from bargein.wire.credentials import CredentialType
from bargein.wire.telephony import CarrierNames

API = "https://api.nexmo.com"

__all__ = ["API", "CARRIER", "VonagePhoneNumber", "VonageSettings"]


def _make(settings: VonageSettings, clock: Clock, data_dir: Path) -> Carrier:
    from bargein.carriers.vonage.carrier import VonageCarrier  # noqa: PLC0415  # its signatures need PyJWT

    return VonageCarrier(clock, base_url=settings.api_url)


def _check_number(_: VonageSettings, phone_line: PhoneLine) -> NumberProblem | None:
    fields = ("signatureSecret",)
    return needs_webhook_secret(phone_line, fields, "signatureSecret in its credential, or VONAGE_SIGNATURE_SECRET")


CARRIER = CarrierSpec(
    name="vonage",
    settings=VonageSettings,
    numbers={"vonage": VonagePhoneNumber},
    names=CarrierNames("vonage", "vonage", "vonage-failed-to-connect-call"),
    credential=CredentialType(
        "vonage",
        # Vapi makes an application in the owner's account and keeps its id and private key, named as here; a server of
        # one's own is given them. With the account's `signatureSecret` Vonage signs what it sends.
        extras=dict.fromkeys(("vonageApplicationId", "vonageApplicationPrivateKey", "signatureSecret")),
    ),
    extra="vonage",
    package="vonage",
    make=_make,
    check_number=_check_number,
    api_url=lambda settings: settings.api_url or API,
)
