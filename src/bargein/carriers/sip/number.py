"""Phone numbers that SIP serves."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from bargein.wire.base import Bool, WireModel
from bargein.wire.phone_number import PhoneNumberBase

BYO: Literal["byo-phone-number"] = "byo-phone-number"
"""The provider of numbers behind the owner's SIP trunk."""
VAPI: Literal["vapi"] = "vapi"
"""The provider of SIP addresses of this server."""


class SipAuthentication(WireModel):
    """The user that an incoming SIP call must authenticate as (digest, RFC 8760); all of it is secret."""

    realm: str | None = None
    username: Annotated[str, Field(min_length=20, max_length=40)]
    password: Annotated[str, Field(min_length=20, max_length=40)]


class VapiPhoneNumber(PhoneNumberBase):
    """A number or SIP address of the server's own (`CreateVapiPhoneNumberDTO`).

    `authentication` is secret as a whole: Vapi's schema does not allow it without its password.
    """

    contract: ClassVar[str | None] = "CreateVapiPhoneNumberDTO"
    secrets: ClassVar[frozenset[str]] = frozenset({"authentication"})

    provider: Literal["vapi"]
    number_desired_area_code: Annotated[str, Field(min_length=3, max_length=3)] | None = None
    sip_uri: str | None = None
    authentication: SipAuthentication | None = None


class ByoPhoneNumber(PhoneNumberBase):
    """A number behind the owner's SIP trunk (`CreateByoPhoneNumberDTO`)."""

    contract: ClassVar[str | None] = "CreateByoPhoneNumberDTO"

    provider: Literal["byo-phone-number"]
    credential_id: str
    number: Annotated[str, Field(min_length=3, max_length=40)] | None = None
    number_e164_check_enabled: Annotated[
        Bool | None, Field(validation_alias="numberE164CheckEnabled", serialization_alias="numberE164CheckEnabled")
    ] = None
