"""Authentication of requests to a server (Vapi's `authenticationPlan`), and encryption of fields (`encryptionPlan`)."""

from typing import Annotated, Literal

from pydantic import Field

from bargein.wire.base import Bool, JsonObject, WireModel
from bargein.wire.plans import Url


class BearerPlan(WireModel):
    """A fixed token in a header (Vapi's `BearerAuthenticationPlan`).

    Attributes:
        header_name: `Authorization` if not given.
        bearer_prefix_enabled: True puts `Bearer ` before the token; true if not given.
    """

    type: Literal["bearer"]
    token: str
    header_name: str | None = None
    bearer_prefix_enabled: Bool | None = None


class HmacPlan(WireModel):
    """A signature over the request (Vapi's `HMACAuthenticationPlan`).

    Attributes:
        secret_key: the key; text, or base64 where `secret_is_base64`.
        signature_header: `x-signature` if not given.
        timestamp_header: `x-timestamp` if not given; the time is in seconds since 1970.
        signature_prefix: text before the signature, such as `sha256=`.
        include_timestamp: True signs and sends the time; true if not given.
        payload_format: template of the signed text, with `{body}`, `{timestamp}`, `{method}`, `{url}` and `{svix-id}`
            filled in; `{timestamp}.{body}` if not given, or `{body}` without the time.
        message_id_header: header of the message's id, as in Svix's webhooks.
        signature_encoding: hex if not given.
    """

    type: Literal["hmac"]
    secret_key: str
    algorithm: Literal["sha256", "sha512", "sha1"]
    signature_header: str | None = None
    timestamp_header: str | None = None
    signature_prefix: str | None = None
    include_timestamp: Bool | None = None
    payload_format: str | None = None
    message_id_header: str | None = None
    signature_encoding: Literal["hex", "base64"] | None = None
    secret_is_base64: Annotated[
        Bool | None, Field(validation_alias="secretIsBase64", serialization_alias="secretIsBase64")
    ] = None


class OAuth2Plan(WireModel):
    """A token obtained with client credentials, RFC 6749 section 4.4 (Vapi's `OAuth2AuthenticationPlan`)."""

    type: Literal["oauth2"]
    url: Url
    client_id: str
    client_secret: str
    scope: Annotated[str, Field(max_length=1000)] | None = None


AuthenticationPlan = Annotated[BearerPlan | HmacPlan | OAuth2Plan, Field(discriminator="type")]


class PublicKey(WireModel):
    """A public key in PEM (Vapi's `SpkiPemPublicKeyConfig`)."""

    name: Annotated[str, Field(max_length=100)] | None = None
    format: Literal["spki-pem"]
    pem: str


class EncryptionPlan(WireModel):
    """Encryption to a public key (Vapi's `PublicKeyEncryptionPlan`)."""

    type: Literal["public-key"]
    algorithm: Literal["RSA-OAEP-256"]
    public_key: PublicKey


class ServerCredential(WireModel):
    """The request settings of a `webhook`, `custom-credential` or `custom-llm` credential; other fields are kept."""

    provider: str | None = None
    authentication_plan: AuthenticationPlan | None = None
    encryption_plan: EncryptionPlan | None = None


def server_credential(data: JsonObject) -> ServerCredential:
    """Read a credential.

    Raises:
        pydantic.ValidationError: a plan of it is not valid.
    """
    return ServerCredential.from_json(data)
