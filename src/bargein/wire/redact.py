"""Taking the secrets out of Vapi's JSON before it goes to a client, a log or a journal.

What is secret is told by the names of fields, at any depth, so that a provider's settings that bargein only keeps are
covered too. A secret is taken away where the field may be missing and masked where it may not, so that the
result is still what Vapi's schema describes.
"""

import re
from typing import Any, cast
from urllib.parse import SplitResult, urlsplit, urlunsplit

from bargein.wire.base import JsonObject

MASK = "[redacted]"

_SECRET_NAMES = frozenset({
    "accesskeyid", "apikeys", "auth", "authentication", "authenticationartifact", "authenticationplan",
    "authenticationsession", "authorization", "authpassword", "authusername", "awsaccesskeyid", "bearer", "cookie",
    "cookies", "credentials", "gcpkey", "headers", "hmacaccesskey", "jwt", "keyid", "ocpapimsubscriptionkey",
    "outboundauthenticationplan", "passcode", "privatekeyid", "sipheaders",
})  # fmt: skip
_SECRET_ENDINGS = (
    "accesskey", "apikey", "authkey", "authtoken", "encryptionkey", "openaikey", "passphrase", "password", "passwd",
    "privatekey",
    "secret", "secretkey", "secretaccesskey", "sharedkey", "signingkey", "subscriptionkey", "token",
)  # fmt: skip
_NOT_SECRET = frozenset({"publickey"})

_TEXT_NAMES = frozenset({"content", "message", "transcript", "firstMessage", "text", "output", "input", "summary"})
"""What people and models say: only a password inside an address is masked there, an address keeps its query."""

_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://\S+")
_USERINFO = re.compile(r"(?<=://)[^\s/?#@]*:?[^\s/?#]*@(?=[^\s@/?#])")
_NAME_NOISE = re.compile(r"[^a-z0-9]")


def is_secret_name(name: str) -> bool:
    """Whether a field of this name holds a secret, however it is spelled (apiKey, api_key, X-Api-Key)."""
    plain = _NAME_NOISE.sub("", name.lower())
    return plain not in _NOT_SECRET and (plain in _SECRET_NAMES or plain.endswith(_SECRET_ENDINGS))


def without_secrets(data: JsonObject) -> JsonObject:
    """A copy of an assistant, phone number, customer or call (or any object around these) without its secrets."""
    return _object(data, in_properties=False)


def _object(data: JsonObject, *, in_properties: bool) -> JsonObject:
    clean: JsonObject = {}
    for name, value in data.items():
        if is_secret_name(name):
            if in_properties and isinstance(value, dict):
                # JSON Schema: a parameter *called* password; its description is no secret, its value may be
                schema = cast("JsonObject", value)
                clean[name] = {key: schema[key] for key in ("type", "description") if key in schema}
            continue
        clean[name] = _value(name, value)
    _mask_named_value(clean)
    return clean


def _mask_named_value(clean: JsonObject) -> None:
    """`{"key": "apiKey", "value": …}`, as tool parameters and header lists have it."""
    for label in ("key", "name"):
        named: object = clean.get(label)
        if isinstance(named, str) and is_secret_name(named) and "value" in clean:
            clean["value"] = MASK


def _value(name: str, value: Any) -> Any:
    if isinstance(value, dict):
        return _object(cast("JsonObject", value), in_properties=name == "properties")
    if isinstance(value, list):
        return [_value(name, item) for item in cast("list[Any]", value)]
    if isinstance(value, str) and "://" in value:
        return _address(name, value)
    return value


def _address(name: str, value: str) -> str:
    if name not in _TEXT_NAMES and _ADDRESS.fullmatch(value):
        try:
            parts = urlsplit(value)
        except ValueError:
            return MASK
        return urlunsplit(SplitResult(parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))
    return _USERINFO.sub("", value)
