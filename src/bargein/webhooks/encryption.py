"""Encryption of tool arguments that only the tool's server can read (Vapi's `server.encryptedPaths`).

The algorithm is RSA-OAEP with SHA-256, in base64. A path names an argument: `ssn` or `payment.cardNumber`. A string is
encrypted as it is, any other value as its JSON. RSA takes 190 bytes with a key of 2048 bits; a longer value fails the
request, since its owner does not want it sent in the clear.
"""

import base64
import json
from collections.abc import Iterable
from typing import Any, cast

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from bargein.ports import ServerError
from bargein.wire.authentication import EncryptionPlan
from bargein.wire.base import JsonObject
from bargein.wire.json import read_json

_ARGUMENTS = ("arguments", "parameters")
_WRAPPERS = ("function", "toolCall")
_LISTS = ("toolCallList", "toolCalls", "toolWithToolCallList")


def public_key(plan: EncryptionPlan) -> rsa.RSAPublicKey:
    """Return the public key of a plan.

    Raises:
        ServerError: it is not an RSA key in PEM.
    """
    try:
        key = serialization.load_pem_public_key(plan.public_key.pem.encode())
    except (ValueError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, rsa.RSAPublicKey):
        raise ServerError("the credential's publicKey.pem is not an RSA key in SPKI PEM", reason="invalid")
    return key


def encrypted(data: JsonObject, paths: Iterable[str], plan: EncryptionPlan) -> JsonObject:
    """Return a copy of `data` in which the values at `paths` are encrypted.

    Raises:
        ServerError: the key cannot be used, or a value is too long for it.
    """
    key = public_key(plan)
    for path in paths:
        data = _with(data, path.removeprefix("$.").split("."), key)
    return data


def encrypted_tool_calls(message: JsonObject, paths: Iterable[str], plan: EncryptionPlan) -> JsonObject:
    """Return a copy of a `tool-calls` or `function-call` message with the arguments encrypted in all their places.

    Raises:
        ServerError: the key cannot be used, a value is too long for it, or arguments are not JSON.
    """
    listed = tuple(paths)
    calls: JsonObject = {
        name: [_call(item, listed, plan) for item in cast("list[Any]", message[name])]
        for name in _LISTS
        if isinstance(message.get(name), list)
    }
    if "functionCall" in message:
        calls["functionCall"] = _call(message["functionCall"], listed, plan)
    return message | calls


def _call(item: Any, paths: tuple[str, ...], plan: EncryptionPlan) -> Any:
    if not isinstance(item, dict):
        return item
    call = dict(cast("JsonObject", item))
    for name, value in call.items():
        if name in _WRAPPERS:
            call[name] = _call(value, paths, plan)
        elif name in _ARGUMENTS and isinstance(value, str):
            call[name] = _as_text(value, paths, plan)
        elif name in _ARGUMENTS and isinstance(value, dict) and not _is_schema(cast("JsonObject", value)):
            call[name] = encrypted(cast("JsonObject", value), paths, plan)
    return call


def _is_schema(value: JsonObject) -> bool:
    """Return whether a value is the schema of a tool's arguments (`function.parameters`)."""
    return value.get("type") == "object" and "properties" in value


def _as_text(text: str, paths: tuple[str, ...], plan: EncryptionPlan) -> str:
    try:
        value = read_json(text)
    except ValueError:
        raise ServerError("a tool's arguments are not JSON, and cannot be encrypted", reason="invalid") from None
    if not isinstance(value, dict):
        return text
    return json.dumps(encrypted(cast("JsonObject", value), paths, plan), ensure_ascii=False)


def _with(data: JsonObject, path: list[str], key: rsa.RSAPublicKey) -> JsonObject:
    name, *rest = path
    value: object = data.get(name)
    if value is None:
        return data
    if rest:
        return data | {name: _with(cast("JsonObject", value), rest, key)} if isinstance(value, dict) else data
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    oaep = padding.OAEP(mgf=padding.MGF1(hashes.SHA256()), algorithm=hashes.SHA256(), label=None)
    try:
        secret = key.encrypt(text.encode(), oaep)
    except ValueError:
        raise ServerError(f"the argument {name} is too long for the credential's key", reason="invalid") from None
    return data | {name: base64.b64encode(secret).decode()}
