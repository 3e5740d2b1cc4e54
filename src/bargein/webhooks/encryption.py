"""`server.encryptedPaths`: arguments of a tool that only its server can read (RSA-OAEP with SHA-256, base64).

A path names an argument, `ssn` or `payment.cardNumber`. The text of what is there is encrypted; a value that is no text
is encrypted as its JSON. RSA takes 190 bytes with a key of 2048 bits: a longer value fails the request, because sending
it in the clear is what its owner does not want.
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

_ARGUMENTS = ("arguments", "parameters")
_AROUND = ("function", "toolCall")
_LISTS = ("toolCallList", "toolCalls", "toolWithToolCallList")


def public_key(plan: EncryptionPlan) -> rsa.RSAPublicKey:
    """The key of a plan.

    Raises:
        ServerError: it is no RSA key in PEM.
    """
    try:
        key = serialization.load_pem_public_key(plan.public_key.pem.encode())
    except (ValueError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, rsa.RSAPublicKey):
        raise ServerError("the credential's publicKey.pem is not an RSA key in SPKI PEM", reason="invalid")
    return key


def encrypted(data: JsonObject, paths: Iterable[str], plan: EncryptionPlan) -> JsonObject:
    """A copy of some arguments in which what the paths name is encrypted.

    Raises:
        ServerError: the key cannot be used, or a value is too long for it.
    """
    key = public_key(plan)
    for path in paths:
        data = _with(data, path.removeprefix("$.").split("."), key)
    return data


def encrypted_tool_calls(message: JsonObject, paths: Iterable[str], plan: EncryptionPlan) -> JsonObject:
    """A copy of a `tool-calls` message with its arguments encrypted, wherever and however they stand in it.

    Raises:
        ServerError: see `encrypted`.
    """
    listed = tuple(paths)
    calls: JsonObject = {
        name: [_call(item, listed, plan) for item in cast("list[Any]", message[name])]
        for name in _LISTS
        if isinstance(message.get(name), list)
    }
    return message | calls


def _call(item: Any, paths: tuple[str, ...], plan: EncryptionPlan) -> Any:
    if not isinstance(item, dict):
        return item
    call = dict(cast("JsonObject", item))
    for name, value in call.items():
        if name in _AROUND:
            call[name] = _call(value, paths, plan)
        elif name in _ARGUMENTS and isinstance(value, str):
            call[name] = _as_text(value, paths, plan)
        elif name in _ARGUMENTS and isinstance(value, dict) and not _is_schema(cast("JsonObject", value)):
            call[name] = encrypted(cast("JsonObject", value), paths, plan)
    return call


def _is_schema(value: JsonObject) -> bool:
    """`function.parameters` of a tool is the schema of its arguments."""
    return value.get("type") == "object" and "properties" in value


def _as_text(text: str, paths: tuple[str, ...], plan: EncryptionPlan) -> str:
    try:
        value: object = json.loads(text)
    except (ValueError, RecursionError):
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
