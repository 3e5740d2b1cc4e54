"""A phone number at Twilio."""

from typing import ClassVar, Literal

from bargein.wire.base import Bool
from bargein.wire.phone_number import PhoneNumberBase


class TwilioPhoneNumber(PhoneNumberBase):
    """A number at Twilio (`CreateTwilioPhoneNumberDTO`)."""

    contract: ClassVar[str | None] = "CreateTwilioPhoneNumberDTO"
    secrets: ClassVar[frozenset[str]] = frozenset({"twilioAuthToken", "twilioApiSecret"})

    provider: Literal["twilio"]
    number: str
    twilio_account_sid: str
    twilio_auth_token: str | None = None
    twilio_api_key: str | None = None
    twilio_api_secret: str | None = None
    sms_enabled: Bool | None = None
