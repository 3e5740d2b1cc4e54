"""Twilio: numbers bought there, over TwiML, its REST API and bidirectional Media Streams.

Start with `carrier`; `webhooks` reads and verifies Twilio's requests, `codec` its media frames. It knows
`bargein.carriers.interface` and no other carrier. `carrier` and `webhooks` need the extra `twilio`.
"""

from pathlib import Path

from bargein.carriers.interface import Carrier, PhoneLine
from bargein.carriers.spec import CarrierSpec, NumberProblem, needs_webhook_secret
from bargein.carriers.twilio.number import TwilioPhoneNumber
from bargein.carriers.twilio.settings import TwilioSettings
from bargein.clock import Clock
from bargein.wire.telephony import CarrierNames

API = "https://api.twilio.com"

__all__ = ["API", "CARRIER", "TwilioPhoneNumber", "TwilioSettings"]


def _make(settings: TwilioSettings, clock: Clock, data_dir: Path) -> Carrier:
    from bargein.carriers.twilio.carrier import TwilioCarrier  # noqa: PLC0415  # its SDK is of an extra

    return TwilioCarrier(settings.api_url or API)


def _check_number(_: TwilioSettings, phone_line: PhoneLine) -> NumberProblem | None:
    fields = ("twilioAuthToken", "authToken")
    return needs_webhook_secret(phone_line, fields, "twilioAuthToken, or TWILIO_AUTH_TOKEN")


CARRIER = CarrierSpec(
    name="twilio",
    settings=TwilioSettings,
    numbers={"twilio": TwilioPhoneNumber},
    names=CarrierNames("twilio", "twilio", "twilio-failed-to-connect-call"),
    extra="twilio",
    package="twilio",
    make=_make,
    check_number=_check_number,
    api_url=lambda settings: settings.api_url or API,
)
