"""The settings of Twilio (`TWILIO_…`)."""

from typing import ClassVar

from typing_extensions import override

from bargein.carriers.spec import CarrierSettings
from bargein.settings.section import BaseUrl, Text, variable
from bargein.wire.base import JsonObject


class TwilioSettings(CarrierSettings):
    """The Twilio account of phone numbers that bring no token of their own."""

    table: ClassVar[str] = "twilio"
    title: ClassVar[str] = "Twilio"

    account_sid: Text | None = variable("TWILIO_ACCOUNT_SID")
    """The account whose phone numbers need no token of their own."""

    auth_token: Text | None = variable("TWILIO_AUTH_TOKEN", secret=True)
    """The account's token: it authenticates requests to Twilio and verifies the signatures of Twilio's webhooks."""

    api_url: BaseUrl = variable("TWILIO_API_URL", shown="Twilio's own")
    """Another address of Twilio's API, as of a region."""

    @property
    @override
    def credential(self) -> JsonObject | None:
        """The account as a credential; None unless both are set."""
        if not self.account_sid or not self.auth_token:
            return None
        return {"provider": "twilio", "accountSid": self.account_sid, "authToken": self.auth_token}
