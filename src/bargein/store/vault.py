"""Encryption of secrets at rest: the secret fields of a document are encrypted before they reach the database.

The cipher is Fernet (AES-128-CBC with HMAC-SHA256) of the `cryptography` package. Its key is derived from the key in
the settings, which may be any long text. With several keys, for rotation, the first encrypts and all decrypt.
"""

import json
import os
import secrets
from base64 import urlsafe_b64encode
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, cast

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from bargein.ports import BargeinError
from bargein.wire.base import JsonObject

KEY_FILE = "secret.key"
_MARK = "$sealed"
_PURPOSE = b"bargein: secrets at rest"
_CANARY = "bargein"

IsSecret = Callable[[str], bool]
"""Returns whether a field of that name is encrypted."""


class VaultError(BargeinError):
    """A stored secret cannot be decrypted with the keys in the settings. The text may be shown."""


class Vault:
    """Encrypts and decrypts the secrets of documents.

    Args:
        keys: the first encrypts, all decrypt; at least one.
    """

    def __init__(self, keys: Sequence[str]) -> None:
        ciphers = [Fernet(_derived(key)) for key in keys]
        self._first = ciphers[0]
        self._all = MultiFernet(ciphers)

    def seal(self, document: JsonObject, is_secret: IsSecret) -> JsonObject:
        """Return a copy of a document in which every secret field, at any depth, is encrypted."""
        return {name: self._sealed(name, value, is_secret) for name, value in document.items()}

    def open(self, document: JsonObject) -> JsonObject:
        """Return a copy of a document with its secrets decrypted.

        Raises:
            VaultError: a secret was encrypted with none of the keys.
        """
        return {name: self._opened(value) for name, value in document.items()}

    def canary(self) -> str:
        """Return a text by which a later start recognises its first key."""
        return self._first.encrypt(_CANARY.encode()).decode()

    def knows(self, canary: str, *, first_key_only: bool = False) -> bool:
        """Return whether a canary was made with one of the keys, or with the first of them."""
        try:
            return (self._first if first_key_only else self._all).decrypt(canary).decode() == _CANARY
        except InvalidToken:
            return False

    def _sealed(self, name: str, value: Any, is_secret: IsSecret) -> Any:
        if value is not None and is_secret(name):
            return self._encrypted(value)
        if isinstance(value, dict):
            inner = cast("JsonObject", value)
            # a field of metadata may have the mark's name: encrypted, it cannot be mistaken for a secret
            return self._encrypted(inner) if _MARK in inner else self.seal(inner, is_secret)
        if isinstance(value, list):
            return [self._sealed("", item, is_secret) for item in cast("list[Any]", value)]
        return value

    def _encrypted(self, value: Any) -> JsonObject:
        return {_MARK: self._first.encrypt(json.dumps(value).encode()).decode()}

    def _opened(self, value: Any) -> Any:
        if isinstance(value, dict):
            inner = cast("JsonObject", value)
            if inner.keys() == {_MARK}:
                return self._decrypted(str(inner[_MARK]))
            return self.open(inner)
        return [self._opened(item) for item in cast("list[Any]", value)] if isinstance(value, list) else value

    def _decrypted(self, token: str) -> Any:
        try:
            return json.loads(self._all.decrypt(token))
        except InvalidToken:
            raise VaultError("a stored secret was encrypted with a key that is not in BARGEIN_SECRET_KEY") from None


def _derived(key: str) -> bytes:
    """Derive a Fernet key from any text (HKDF, RFC 5869)."""
    return urlsafe_b64encode(HKDF(SHA256(), 32, salt=None, info=_PURPOSE).derive(key.encode()))


def key_in(folder: Path) -> str:
    """Return the key of a server without a key in its settings: created at the first start, in a file only it can read.

    Raises:
        VaultError: the file is empty.
    """
    path = folder / KEY_FILE
    try:
        made = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        key = path.read_text(encoding="ascii").strip()
        if not key:
            raise VaultError(f"the key file {path} is empty: restore it from a backup") from None
        return key
    key = secrets.token_urlsafe(32)
    with os.fdopen(made, "w", encoding="ascii") as file:
        file.write(key + "\n")
        file.flush()
        os.fsync(file.fileno())
    return key
