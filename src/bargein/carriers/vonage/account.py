"""What it takes to use an account at Vonage, out of a credential.

Vapi's credential for `vonage` has `apiKey` and `apiSecret`, which open the account: its numbers and applications. To
call and to steer calls one must be an application of that account (`vonageApplicationId`,
`vonageApplicationPrivateKey`; Vapi's answers name them so), and what Vonage sends is signed with the account's
signature secret (`signatureSecret`, ours: Vonage's dashboard shows it among the API settings, and no request tells it).
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
    """An account at Vonage; None stands for what is not known.

    Attributes:
        api_key: names the account.
        api_secret: opens it.
        application_id: the application that its calls are of.
        private_key: of the application: PEM, PKCS 8.
        signature_secret: what the account's webhooks and sockets are signed with.
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
            CarrierError: one of them is missing, or the key is no key.
        """
        if self.application_id is None or self.private_key is None:
            raise CarrierError(f"vonageApplicationId and vonageApplicationPrivateKey are needed {WHERE}.")
        # Vonage's library takes what is no key for the name of a file, and would read that.
        if not self.private_key.startswith(_KEY_BEGINS) or not self.private_key.endswith(_KEY_ENDS):
            raise CarrierError("vonageApplicationPrivateKey is no private key in PEM (PKCS 8).")
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
    """The account that a number is used with."""
    found = phone_line.credential or {}
    key = _text(found, "vonageApplicationPrivateKey")
    return Account(
        api_key=_text(found, "apiKey"),
        api_secret=_text(found, "apiSecret"),
        application_id=_text(found, "vonageApplicationId"),
        # one line, as some environments must have it
        private_key=None if key is None else key.replace("\\n", "\n").strip(),
        signature_secret=_text(found, "signatureSecret"),
    )


def _text(credential: Mapping[str, object], name: str) -> str | None:
    value = credential.get(name)
    return value.strip() or None if isinstance(value, str) else None
