"""The five kinds of phone number, told apart by `provider`."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field, TypeAdapter, ValidationError

from bargein.wire.base import Bool, JsonObject, Name, WireModel
from bargein.wire.errors import bad_request, findings
from bargein.wire.plans import Server


class _PhoneNumberBase(WireModel):
    name: Name | None = None
    assistant_id: str | None = None
    workflow_id: str | None = None
    squad_id: str | None = None
    server: Server | None = None
    fallback_destination: JsonObject | None = None
    hooks: list[JsonObject] | None = None


class TwilioPhoneNumber(_PhoneNumberBase):
    """A number at Twilio (`CreateTwilioPhoneNumberDTO`)."""

    contract: ClassVar[str | None] = "CreateTwilioPhoneNumberDTO"

    provider: Literal["twilio"]
    number: str
    twilio_account_sid: str
    twilio_auth_token: str | None = None
    twilio_api_key: str | None = None
    twilio_api_secret: str | None = None
    sms_enabled: Bool | None = None


class VonagePhoneNumber(_PhoneNumberBase):
    """A number at Vonage (`CreateVonagePhoneNumberDTO`)."""

    contract: ClassVar[str | None] = "CreateVonagePhoneNumberDTO"

    provider: Literal["vonage"]
    number: str
    credential_id: str


class TelnyxPhoneNumber(_PhoneNumberBase):
    """A number at Telnyx (`CreateTelnyxPhoneNumberDTO`)."""

    contract: ClassVar[str | None] = "CreateTelnyxPhoneNumberDTO"

    provider: Literal["telnyx"]
    number: str
    credential_id: str


class SipAuthentication(WireModel):
    """Whom an incoming SIP call must prove to be (RFC 8760 digest); all of it is secret."""

    realm: str | None = None
    username: Annotated[str, Field(min_length=20, max_length=40)]
    password: Annotated[str, Field(min_length=20, max_length=40)]


class VapiPhoneNumber(_PhoneNumberBase):
    """A number or SIP address of the server's own (`CreateVapiPhoneNumberDTO`)."""

    contract: ClassVar[str | None] = "CreateVapiPhoneNumberDTO"

    provider: Literal["vapi"]
    number_desired_area_code: Annotated[str, Field(min_length=3, max_length=3)] | None = None
    sip_uri: str | None = None
    authentication: SipAuthentication | None = None


class ByoPhoneNumber(_PhoneNumberBase):
    """A number behind one's own SIP trunk (`CreateByoPhoneNumberDTO`)."""

    contract: ClassVar[str | None] = "CreateByoPhoneNumberDTO"

    provider: Literal["byo-phone-number"]
    credential_id: str
    number: Annotated[str, Field(min_length=3, max_length=40)] | None = None
    number_e164_check_enabled: Annotated[
        Bool | None, Field(validation_alias="numberE164CheckEnabled", serialization_alias="numberE164CheckEnabled")
    ] = None


PhoneNumber = Annotated[
    TwilioPhoneNumber | VonagePhoneNumber | TelnyxPhoneNumber | VapiPhoneNumber | ByoPhoneNumber,
    Field(discriminator="provider"),
]

_PHONE_NUMBER: TypeAdapter[PhoneNumber] = TypeAdapter(PhoneNumber)


def parse_phone_number(data: object) -> PhoneNumber:
    """Read a phone number of any kind.

    Raises:
        WireError: 400, with every finding.
    """
    try:
        return _PHONE_NUMBER.validate_python(data, by_alias=True, by_name=False)
    except ValidationError as error:
        raise bad_request(*findings(error, data)) from None
