"""A phone number at Telnyx."""

from typing import ClassVar, Literal

from bargein.wire.phone_number import PhoneNumberBase


class TelnyxPhoneNumber(PhoneNumberBase):
    """A number at Telnyx (`CreateTelnyxPhoneNumberDTO`)."""

    contract: ClassVar[str | None] = "CreateTelnyxPhoneNumberDTO"

    provider: Literal["telnyx"]
    number: str
    credential_id: str
