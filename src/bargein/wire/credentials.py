"""Credentials: what proves to others who the owner is, told apart by `provider`.

Vapi's OpenAPI document has no `/credential`, though `credentialId` is everywhere in it; the kinds are those that it
lists for an assistant's `credentials`. Telnyx, which its phone numbers need one for, is ours.

A Vonage credential may hold more than Vapi takes for one. Vapi makes an application in the owner's account and keeps
its id and private key, named as here; a server of one's own is given them. `signatureSecret` is the account's, with
which Vonage signs what it sends.
"""

from base64 import b64decode
from functools import cache
from typing import cast

from bargein.wire import contract, validation_text
from bargein.wire.assistant import without_nulls
from bargein.wire.base import JsonObject
from bargein.wire.errors import bad_request
from bargein.wire.redact import is_secret_name

_TELNYX = "telnyx"
_LIKE_TELNYX = "openai"
"""A credential that has the same fields: `apiKey` and `name`."""
_PUBLIC_KEY = "publicKey"
"""What Telnyx's webhooks are checked with: the account's Ed25519 key, base64."""

_VONAGE = "vonage"

_EXTRAS = {
    _VONAGE: ("vonageApplicationId", "vonageApplicationPrivateKey", "signatureSecret"),
    _TELNYX: (_PUBLIC_KEY,),
}
"""What a credential may hold that Vapi does not take for one."""

_MAX_MESSAGES = 50
_MAX_CHARS = 10_000
_ALSO_SECRET = frozenset({"webhookUrl", "email", "authorizationId"})
"""Secret in a credential, though not everywhere: who has a Slack webhook's address may post there."""
_HOLD_SECRETS = frozenset({"authenticationPlan", "bucketPlan"})
"""Named like a secret, but only some of what they hold is one: the rest tells the owner what is set."""


@cache
def kinds() -> dict[str, str]:
    """Every provider that a credential can be for -> the name of the type of such a credential."""
    found: dict[str, str] = {}
    for name, schema in contract.definitions().items():
        if name.startswith("Create") and name.endswith("CredentialDTO"):
            found[schema["properties"]["provider"]["enum"][0]] = name
    return {**found, _TELNYX: found[_LIKE_TELNYX]}


def fields_of(provider: str) -> frozenset[str]:
    """The names of the fields that a credential for this provider may have."""
    return frozenset(contract.definitions()[kinds()[provider]]["properties"]).union(_EXTRAS.get(provider, ()))


def parse_credential(data: object) -> JsonObject:
    """Read a credential of any kind, without the fields that are null.

    Raises:
        WireError: 400, with every finding; for an unknown provider, with the list of providers.
    """
    if not isinstance(data, dict):
        raise bad_request("the body must be a JSON object")
    body = cast("JsonObject", data)
    provider: object = body.get("provider")
    if provider is None:
        raise bad_request(validation_text.sentence("provider", validation_text.MISSING))
    if not isinstance(provider, str) or provider not in kinds():
        raise bad_request(validation_text.sentence("provider", validation_text.one_of(kinds())))
    known = fields_of(provider)
    found = [f"property {name} should not exist" for name in body if name not in known]
    found += _problems_of_extras(provider, body)
    like = {name: value for name, value in body.items() if name not in _EXTRAS.get(provider, ())}
    if provider == _TELNYX:
        like["provider"] = _LIKE_TELNYX
    found += [validation_text.sentence(path, text) for path, text in contract.problems(kinds()[provider], like).items()]
    if found:
        raise bad_request(*found[:_MAX_MESSAGES])
    return without_nulls(body)


def completed(credential: JsonObject, default: JsonObject | None) -> JsonObject:
    """A credential, with what it lacks taken from the environment's.

    Only Vonage's are completed, since Vapi's fields for one do not suffice to call; and only if both are of one
    account, for one account's application is nothing to another.
    """
    if default is None or credential.get("provider") != _VONAGE or default.get("provider") != _VONAGE:
        return credential
    ours: object = default.get("apiKey")
    if ours is not None and ours != credential.get("apiKey"):
        return credential
    return {**default, **credential}


def _problems_of_extras(provider: str, body: JsonObject) -> list[str]:
    found: list[str] = []
    for name in _EXTRAS.get(provider, ()):
        value: object = body.get(name)
        if value is None:
            continue
        if not isinstance(value, str):
            found.append(validation_text.sentence(name, validation_text.STRING))
        elif not 1 <= len(value) <= _MAX_CHARS:
            found.append(
                validation_text.sentence(
                    name, validation_text.shorter(_MAX_CHARS) if value else validation_text.longer(1)
                )
            )
        elif name == _PUBLIC_KEY and not _is_ed25519_key(value):
            found.append(validation_text.sentence(name, "must be base64 encoded, of 32 bytes"))
    return found


def _is_ed25519_key(text: str) -> bool:
    try:
        return len(b64decode(text, validate=True)) == 32
    except ValueError:
        return False


def shown(credential: JsonObject) -> JsonObject:
    """A credential as anybody may see it, its owner too: without its secrets."""
    clean: JsonObject = {}
    for name, value in credential.items():
        if isinstance(value, dict) and name in _HOLD_SECRETS:
            clean[name] = shown(cast("JsonObject", value))
        elif not is_secret_name(name) and name not in _ALSO_SECRET:
            clean[name] = value
    return clean
