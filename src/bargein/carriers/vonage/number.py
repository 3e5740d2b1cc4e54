"""A phone number at Vonage."""

from typing import ClassVar, Literal

from bargein.wire.phone_number import PhoneNumberBase


class VonagePhoneNumber(PhoneNumberBase):
    """A number at Vonage (`CreateVonagePhoneNumberDTO`)."""

    contract: ClassVar[str | None] = "CreateVonagePhoneNumberDTO"

    provider: Literal["vonage"]
    number: str
    credential_id: str
