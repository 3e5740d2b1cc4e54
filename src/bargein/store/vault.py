"""Secrets at rest: what a document holds of them is encrypted before the database sees it.

The cipher is Fernet (AES-128-CBC with HMAC-SHA256) of the `cryptography` package. Its key is derived from what a
person has set, so that any long text will do. Several keys make a rotation: the first encrypts, all of them decrypt.
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
"""Whether a field of that name is kept encrypted."""


class VaultError(BargeinError):
    """What is stored cannot be decrypted with the keys that are set. The text may be shown."""


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
        """A copy of a document in which every secret field, at any depth, is encrypted as a whole."""
        return {name: self._sealed(name, value, is_secret) for name, value in document.items()}

    def open(self, document: JsonObject) -> JsonObject:
        """A copy of a document as it was before it was sealed; one that never was is the same.

        Raises:
            VaultError: a secret was encrypted with none of the keys.
        """
        return {name: self._opened(value) for name, value in document.items()}

    def canary(self) -> str:
        """A text by which the next start sees whether it has the same first key."""
        return self._first.encrypt(_CANARY.encode()).decode()

    def knows(self, canary: str, *, first_key_only: bool = False) -> bool:
        """Whether a canary was made with one of the keys, or with the first of them."""
        try:
            return (self._first if first_key_only else self._all).decrypt(canary).decode() == _CANARY
        except InvalidToken:
            return False

    def _sealed(self, name: str, value: Any, is_secret: IsSecret) -> Any:
        if value is not None and is_secret(name):
            return self._encrypted(value)
        if isinstance(value, dict):
            inner = cast("JsonObject", value)
            # an owner may call a field of metadata like the mark: sealed, it cannot be taken for one
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
    """A Fernet key out of any text (RFC 5869)."""
    return urlsafe_b64encode(HKDF(SHA256(), 32, salt=None, info=_PURPOSE).derive(key.encode()))


def key_in(folder: Path) -> str:
    """The key of a server that was given none: made at its first start, in a file that its user alone can read.

    Raises:
        VaultError: the file is there and empty.
    """
    path = folder / KEY_FILE
    try:
        made = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        key = path.read_text(encoding="ascii").strip()
        if not key:
            raise VaultError(f"the key file {path} is empty: put it back from a backup") from None
        return key
    key = secrets.token_urlsafe(32)
    with os.fdopen(made, "w", encoding="ascii") as file:
        file.write(key + "\n")
        file.flush()
        os.fsync(file.fileno())
    return key
