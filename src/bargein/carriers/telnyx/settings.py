"""The settings of Telnyx (`TELNYX_…`)."""

from typing import Annotated, ClassVar, Literal

from pydantic import BeforeValidator
from typing_extensions import override

from bargein.carriers.spec import CarrierSettings
from bargein.settings.section import BaseUrl, Text, variable
from bargein.wire.base import JsonObject


def _byte_order(value: object) -> object:
    wanted = str(value).strip().lower()
    if wanted not in ("little", "big"):
        raise ValueError(f"must be little or big, not {value!r}")
    return wanted


class TelnyxSettings(CarrierSettings):
    """The Telnyx account of phone numbers that name no credential."""

    table: ClassVar[str] = "telnyx"
    title: ClassVar[str] = "Telnyx"

    api_key: Text | None = variable("TELNYX_API_KEY", secret=True)
    """The API key for phone numbers that name no credential."""

    public_key: Text | None = variable("TELNYX_PUBLIC_KEY")
    """The key that the signatures of Telnyx's webhooks for those numbers are verified with, base64."""

    api_url: BaseUrl = variable("TELNYX_API_URL", shown="Telnyx's own")
    """Another address of Telnyx's API."""

    byte_order: Annotated[Literal["little", "big"], BeforeValidator(_byte_order)] = variable(
        "BARGEIN_TELNYX_BYTE_ORDER", "little"
    )
    """The byte order of the 16-bit samples in Telnyx's media frames: `little` or `big`."""

    @property
    @override
    def credential(self) -> JsonObject | None:
        """The account as a credential; None if nothing is set."""
        if not self.api_key and not self.public_key:
            return None
        return {"provider": "telnyx", "apiKey": self.api_key, "publicKey": self.public_key}
