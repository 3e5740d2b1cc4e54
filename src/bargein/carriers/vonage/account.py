"""An account at Vonage, read from a credential.

Vapi's credential for `vonage` has `apiKey` and `apiSecret`, which open the account: its numbers and applications. Calls
are placed and controlled as an application of that account (`vonageApplicationId`, `vonageApplicationPrivateKey`, as
Vapi's responses name them), and Vonage signs its webhooks with the account's signature secret (`signatureSecret`, a
field of bargein's: Vonage's dashboard shows it among the API settings, and no request returns it).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from bargein.carriers.interface import PhoneLine
from bargein.ports import CarrierError

_KEY_BEGINS = "-----BEGIN PRIVATE KEY-----"
_KEY_ENDS = "-----END PRIVATE KEY-----"

WHERE = "in the number's credential or in the environment"


@dataclass(frozen=True, slots=True)
class Account:
    """An account at Vonage; a field that is not known is None.

    Attributes:
        api_key: the key that names the account.
        api_secret: the secret of that key.
        application_id: the application whose calls are made.
        private_key: the application's private key (PEM, PKCS 8).
        signature_secret: the secret that the account's webhooks and sockets are signed with.
    """

    api_key: str | None = None
    api_secret: str | None = field(default=None, repr=False)
    application_id: str | None = None
    private_key: str | None = field(default=None, repr=False)
    signature_secret: str | None = field(default=None, repr=False)

    @property
    def application(self) -> tuple[str, str]:
        """The application's id and private key.

        Raises:
            CarrierError: one of them is missing, or the key is not a private key.
        """
        if self.application_id is None or self.private_key is None:
            raise CarrierError(f"vonageApplicationId and vonageApplicationPrivateKey are needed {WHERE}.")
        # Vonage's library takes a text that is not a key for a file's name, and would read that file.
        if not self.private_key.startswith(_KEY_BEGINS) or not self.private_key.endswith(_KEY_ENDS):
            raise CarrierError("vonageApplicationPrivateKey is not a private key in PEM (PKCS 8).")
        return self.application_id, self.private_key

    @property
    def owner(self) -> tuple[str, str]:
        """The account's key and secret.

        Raises:
            CarrierError: one of them is missing.
        """
        if self.api_key is None or self.api_secret is None:
            raise CarrierError(f"apiKey and apiSecret are needed {WHERE}.")
        return self.api_key, self.api_secret


def account_of(phone_line: PhoneLine) -> Account:
    """Return the account of a number."""
    found = phone_line.credential or {}
    key = _text(found, "vonageApplicationPrivateKey")
    return Account(
        api_key=_text(found, "apiKey"),
        api_secret=_text(found, "apiSecret"),
        application_id=_text(found, "vonageApplicationId"),
        # written as one line in some environments
        private_key=None if key is None else key.replace("\\n", "\n").strip(),
        signature_secret=_text(found, "signatureSecret"),
    )


def _text(credential: Mapping[str, object], name: str) -> str | None:
    value = credential.get(name)
    return value.strip() or None if isinstance(value, str) else None
