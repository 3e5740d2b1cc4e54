"""How a request proves who sends it (Vapi's `authenticationPlan`), and what of it is encrypted (`encryptionPlan`)."""

from typing import Annotated, Literal

from pydantic import Field

from bargein.wire.base import Bool, JsonObject, WireModel
from bargein.wire.plans import Url


class BearerPlan(WireModel):
    """A fixed token in a header (Vapi's `BearerAuthenticationPlan`).

    Attributes:
        header_name: `Authorization` if not given.
        bearer_prefix_enabled: whether `Bearer ` stands before the token; true if not given.
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
        signature_prefix: stands before the signature, such as `sha256=`.
        include_timestamp: whether the time is signed and sent; true if not given.
        payload_format: what is signed, with `{body}`, `{timestamp}`, `{method}`, `{url}` and `{svix-id}` filled in;
            `{timestamp}.{body}` if not given, or `{body}` without the time.
        message_id_header: where the message's id goes, as Svix has it.
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
    """A token that is fetched with client credentials, RFC 6749 section 4.4 (Vapi's `OAuth2AuthenticationPlan`)."""

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
    """What a `webhook`, `custom-credential` or `custom-llm` credential says of requests; the rest of it is kept."""

    provider: str | None = None
    authentication_plan: AuthenticationPlan | None = None
    encryption_plan: EncryptionPlan | None = None


def server_credential(data: JsonObject) -> ServerCredential:
    """Read a credential.

    Raises:
        pydantic.ValidationError: its plans are none.
    """
    return ServerCredential.from_json(data)
