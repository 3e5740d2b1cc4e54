"""The settings of Vonage (`VONAGE_…`)."""

from typing import ClassVar

from typing_extensions import override

from bargein.carriers.spec import CarrierSettings
from bargein.settings.section import BaseUrl, Text, variable
from bargein.wire.base import JsonObject


class VonageSettings(CarrierSettings):
    """The Vonage account of phone numbers whose credential lacks something."""

    table: ClassVar[str] = "vonage"
    title: ClassVar[str] = "Vonage"

    api_key: Text | None = variable("VONAGE_API_KEY")
    """The API key that names the account, for phone numbers whose credential lacks something."""

    api_secret: Text | None = variable("VONAGE_API_SECRET", secret=True)
    """The secret of that API key."""

    application_id: Text | None = variable("VONAGE_APPLICATION_ID")
    """The application whose calls are made and answered."""

    private_key: Text | None = variable("VONAGE_PRIVATE_KEY", secret=True)
    r"""The private key of that application, in PEM; `\n` may stand for a line's end."""

    signature_secret: Text | None = variable("VONAGE_SIGNATURE_SECRET", secret=True)
    """The secret that the account signs its webhooks with."""

    api_url: BaseUrl = variable("VONAGE_API_URL", shown="Vonage's own")
    """A server that stands in for all of Vonage's API hosts."""

    @property
    @override
    def credential(self) -> JsonObject | None:
        """The account as a credential with the fields that are set; None if nothing is set."""
        fields = {
            "apiKey": self.api_key,
            "apiSecret": self.api_secret,
            "vonageApplicationId": self.application_id,
            "vonageApplicationPrivateKey": self.private_key,
            "signatureSecret": self.signature_secret,
        }
        found = {name: value for name, value in fields.items() if value is not None}
        return {"provider": "vonage", **found} if found else None

    @override
    def complete(self, credential: JsonObject) -> JsonObject:
        """Fill in what a credential lacks, unless these settings name another account.

        Vapi's fields for a credential do not suffice to call: Vapi makes an application in the owner's account and
        keeps its id and private key. An application of one account cannot place another account's calls.
        """
        default = self.credential
        if default is None or credential.get("provider") != "vonage":
            return credential
        if self.api_key is not None and self.api_key != credential.get("apiKey"):
            return credential
        return {**default, **credential}
