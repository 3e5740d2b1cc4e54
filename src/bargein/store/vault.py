"""Encryption at rest: a document is encrypted as a whole before it reaches the database.

A secret may stand in any part of a document: in a field that is named like one, in a URL, in a header, in a static
parameter of a tool, in the text of a prompt. So no part of it is stored in clear; only the columns that lists are
filtered by are.

The cipher is Fernet (AES-128-CBC with HMAC-SHA256) of the `cryptography` package. Its key is derived from the key in
the settings, which may be any long text. With several keys, for rotation, the first encrypts and all decrypt.
"""

import json
import os
import secrets
from base64 import urlsafe_b64encode
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from bargein.ports import BargeinError
from bargein.store.private import FILE_MODE
from bargein.wire.base import JsonObject

KEY_FILE = "secret.key"
_MARK = "$sealed"
_PURPOSE = b"bargein: secrets at rest"
_CANARY = "bargein: whole documents"
_CANARY_OF_FIELDS = "bargein"
"""The canary of a version that encrypted only the fields that are named like secrets."""


class VaultError(BargeinError):
    """A stored secret cannot be decrypted with the keys in the settings. The text may be shown."""


class Vault:
    """Encrypts and decrypts documents.

    Args:
        keys: the first encrypts, all decrypt; at least one.
    """

    def __init__(self, keys: Sequence[str]) -> None:
        ciphers = [Fernet(_derived(key)) for key in keys]
        self._first = ciphers[0]
        self._all = MultiFernet(ciphers)

    def seal(self, document: JsonObject) -> JsonObject:
        """Return a document as it is stored: encrypted."""
        return {_MARK: self._first.encrypt(json.dumps(document).encode()).decode()}

    def open(self, stored: JsonObject) -> JsonObject:
        """Return a stored document decrypted; one of an older version is in clear but for its secret fields.

        Raises:
            VaultError: it was encrypted with none of the keys.
        """
        opened: Any = self._opened(stored)
        return opened

    def canary(self) -> str:
        """Return a text by which a later start recognises its first key."""
        return self._first.encrypt(_CANARY.encode()).decode()

    def knows(self, canary: str) -> bool:
        """Return whether a canary was made with one of the keys."""
        return _decrypted(self._all, canary) in (_CANARY, _CANARY_OF_FIELDS)

    def is_current(self, canary: str) -> bool:
        """Return whether a canary was made with the first key, by a version that encrypts whole documents."""
        return _decrypted(self._first, canary) == _CANARY

    def _opened(self, value: Any) -> Any:
        if isinstance(value, dict):
            inner = cast("JsonObject", value)
            if inner.keys() == {_MARK}:
                return self._decrypted(str(inner[_MARK]))
            return {name: self._opened(one) for name, one in inner.items()}
        return [self._opened(item) for item in cast("list[Any]", value)] if isinstance(value, list) else value

    def _decrypted(self, token: str) -> Any:
        try:
            return json.loads(self._all.decrypt(token))
        except InvalidToken:
            raise VaultError("a stored secret was encrypted with a key that is not in BARGEIN_SECRET_KEY") from None


def _decrypted(cipher: Fernet | MultiFernet, canary: str) -> str | None:
    try:
        return cipher.decrypt(canary).decode()
    except InvalidToken:
        return None


def _derived(key: str) -> bytes:
    """Derive a Fernet key from any text (HKDF, RFC 5869)."""
    return urlsafe_b64encode(HKDF(SHA256(), 32, salt=None, info=_PURPOSE).derive(key.encode()))


def key_in(folder: Path) -> str:
    """Return the key of a server without a key in its settings: created at the first start, in a file only it can read.

    Raises:
        VaultError: the file is empty or holds something else.
        OSError: it can be neither read nor made.
    """
    path = folder / KEY_FILE
    try:
        made = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, FILE_MODE)
    except FileExistsError:
        try:
            key = path.read_text(encoding="ascii").strip()
        except UnicodeDecodeError:
            raise VaultError(f"the key file {path} holds no key: restore it from a backup") from None
        if not key:
            raise VaultError(f"the key file {path} is empty: restore it from a backup") from None
        return key
    key = secrets.token_urlsafe(32)
    with os.fdopen(made, "w", encoding="ascii") as file:
        file.write(key + "\n")
        file.flush()
        os.fsync(file.fileno())
    return key
