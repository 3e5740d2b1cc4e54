"""Removal of secrets from Vapi's JSON before it goes to an owner's server, a client, a log or a journal.

Secrets are recognised by the names of fields, at any depth, so that settings of providers that bargein only keeps are
covered too. A secret is removed if the field is optional and masked if it is required, so that the result is still
valid by Vapi's schema.
"""

import re
from urllib.parse import SplitResult, urlsplit, urlunsplit

from bargein.wire.base import JsonObject
from bargein.wire.json import as_list_or_none, as_object_or_none, as_string

MASK = "[redacted]"

AUTHOR_MARK = "bargein:madeBy"
"""A field of objects that a caller wrote (`bargein.wire.ownership`). It is never shown."""

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
"""Fields with the words of people and models: a URL in them loses its password and keeps its query."""

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://\S+")
_USERINFO = re.compile(r"(?<=://)[^\s/?#]*@(?=[^\s@/?#])")
_NAME_NOISE = re.compile(r"[^a-z0-9]")


def is_secret_name(name: str) -> bool:
    """Return True if a field of this name contains a secret, in any spelling (apiKey, api_key, X-Api-Key)."""
    plain = _NAME_NOISE.sub("", name.lower())
    return plain not in _NOT_SECRET and (plain in _SECRET_NAMES or plain.endswith(_SECRET_ENDINGS))


def without_secrets(data: JsonObject) -> JsonObject:
    """Return a copy of an assistant, phone number, customer, call or any object with these, without secrets."""
    return _without_secrets(data, in_properties=False)


def _without_secrets(data: JsonObject, *, in_properties: bool) -> JsonObject:
    clean: JsonObject = {}
    for name, value in data.items():
        if name == AUTHOR_MARK:
            continue
        if is_secret_name(name):
            schema = as_object_or_none(value)
            if in_properties and schema is not None:
                # JSON Schema: a parameter named password. Its description is not secret, its default may be.
                clean[name] = {key: schema[key] for key in ("type", "description") if key in schema}
            continue
        clean[name] = _value(name, value)
    _mask_named_value(clean)
    return clean


def _mask_named_value(clean: JsonObject) -> None:
    """Mask the value of `{"key": "apiKey", "value": …}`, the format of tool parameters and header lists."""
    for label in ("key", "name"):
        name = as_string(clean.get(label))
        if name is not None and is_secret_name(name) and "value" in clean:
            clean["value"] = MASK


def _value(name: str, value: object) -> object:
    fields = as_object_or_none(value)
    if fields is not None:
        return _without_secrets(fields, in_properties=name == "properties")
    items = as_list_or_none(value)
    if items is not None:
        return [_value(name, item) for item in items]
    if isinstance(value, str) and "://" in value:
        return _clean_url(name, value)
    return value


def _clean_url(name: str, value: str) -> str:
    if name not in _TEXT_NAMES and _URL.fullmatch(value):
        try:
            parts = urlsplit(value)
        except ValueError:
            return MASK
        return urlunsplit(SplitResult(parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))
    return _USERINFO.sub("", value)
