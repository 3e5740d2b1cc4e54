"""Secrets at rest: none is in the database's files, and every configured key opens them."""

import json
import sqlite3
import stat
from base64 import urlsafe_b64encode
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bargein.clock import LoopClock
from bargein.store import Query, Store
from bargein.store.vault import KEY_FILE, Vault, VaultError, key_in

pytestmark = pytest.mark.anyio

ONE, TWO = "1" * 32, "2" * 32
SECRET = "the-secret-itself-4711"
NUMBER = {"provider": "twilio", "number": "+14155550100", "twilioAccountSid": "AC1", "twilioAuthToken": SECRET}
ASSISTANT: dict[str, Any] = {
    "name": "Ada",
    "server": {"url": "https://example.org", "secret": SECRET},
    "metadata": {"$sealed": "x"},
}
CREDENTIAL = {"provider": "email", "email": SECRET}

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text("ab€", max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["apiKey", "$sealed", "name", "server", "token", "url"]), inner, max_size=3)
    ),
    max_leaves=12,
)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow], max_examples=50)
@given(st.dictionaries(st.sampled_from(["secret", "$sealed", "server", "list"]), JSON))
def test_a_sealed_document_opens_unchanged(document: dict[str, Any]) -> None:
    sealed = Vault([ONE]).seal(document)
    assert Vault([TWO, ONE]).open(sealed) == document
    assert set(sealed) == {"$sealed"}
    with pytest.raises(VaultError):
        Vault([TWO]).open(sealed)


async def fill(store: Store) -> None:
    await store.phone_numbers.create(NUMBER)
    await store.assistants.create(ASSISTANT)
    await store.credentials.create(CREDENTIAL)
    await store.calls.create({"assistant": ASSISTANT})


async def contents(store: Store) -> list[dict[str, Any]]:
    found = []
    for records in (store.phone_numbers, store.assistants, store.credentials, store.calls):
        (record,) = await records.list(Query())
        found.append({name: record[name] for name in record if name not in ("id", "orgId", "createdAt", "updatedAt")})
    return found


WHOLE = [NUMBER, ASSISTANT, CREDENTIAL, {"assistant": ASSISTANT}]


def on_disk(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in sorted(folder.glob("bargein.db*")))


async def test_no_secret_is_in_the_files(tmp_path: Path) -> None:
    store = await Store.open(tmp_path / "bargein.db", LoopClock())
    await fill(store)
    assert await contents(store) == WHOLE
    await store.close()
    assert b"+14155550100" in on_disk(tmp_path), "the columns that lists are filtered by are in clear"
    assert SECRET.encode() not in on_disk(tmp_path)
    assert stat.S_IMODE((tmp_path / KEY_FILE).stat().st_mode) == 0o600
    store = await Store.open(tmp_path / "bargein.db", LoopClock())
    assert await contents(store) == WHOLE
    await store.close()


async def test_keys_rotate_and_an_unknown_one_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "bargein.db"
    store = await Store.open(path, LoopClock(), secret_keys=[ONE])
    await fill(store)
    await store.close()
    with pytest.raises(VaultError, match="BARGEIN_SECRET_KEY"):
        await Store.open(path, LoopClock(), secret_keys=[TWO])
    store = await Store.open(path, LoopClock(), secret_keys=[TWO, ONE])
    await store.close()
    store = await Store.open(
        path, LoopClock(), secret_keys=[TWO]
    )  # everything was encrypted again: the old key is not needed
    assert await contents(store) == WHOLE
    await store.close()
    with pytest.raises(VaultError):
        await Store.open(path, LoopClock(), secret_keys=[ONE])
    assert not (tmp_path / KEY_FILE).exists()


async def test_plain_secrets_of_an_older_version_are_encrypted(tmp_path: Path) -> None:
    path = tmp_path / "bargein.db"
    store = await Store.open(path, LoopClock())
    await fill(store)
    await store.close()
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("DELETE FROM meta WHERE key = 'vault'")
        connection.execute("UPDATE phone_numbers SET document = ?", [json.dumps(NUMBER)])
    store = await Store.open(path, LoopClock())
    assert await contents(store) == WHOLE
    await store.close()
    assert SECRET.encode() not in on_disk(tmp_path)


async def test_documents_of_a_version_that_encrypted_fields_are_encrypted_as_a_whole(tmp_path: Path) -> None:
    """That version had the same key and its own canary, and left what it replaced in the pages of the file."""
    path = tmp_path / "bargein.db"
    store = await Store.open(path, LoopClock(), secret_keys=[ONE])
    await fill(store)
    await store.close()
    cipher = Fernet(urlsafe_b64encode(HKDF(SHA256(), 32, None, b"bargein: secrets at rest").derive(ONE.encode())))
    token = {"$sealed": cipher.encrypt(json.dumps(SECRET).encode()).decode()}
    metadata = {"$sealed": cipher.encrypt(json.dumps(ASSISTANT["metadata"]).encode()).decode()}
    server = {**ASSISTANT["server"], "secret": token}
    of_fields = json.dumps({**ASSISTANT, "server": server, "metadata": metadata})
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("PRAGMA secure_delete = OFF")
        connection.execute("UPDATE meta SET value = ? WHERE key = 'vault'", [cipher.encrypt(b"bargein").decode()])
        connection.execute("UPDATE assistants SET document = ?", [json.dumps({**ASSISTANT, "padding": SECRET * 9000})])
        connection.commit()
        connection.execute("UPDATE assistants SET document = ?", [of_fields])
        connection.execute("UPDATE phone_numbers SET document = ?", [json.dumps({**NUMBER, "twilioAuthToken": token})])
    assert SECRET.encode() in on_disk(tmp_path)
    store = await Store.open(path, LoopClock(), secret_keys=[ONE])
    assert await contents(store) == WHOLE
    await store.close()
    assert SECRET.encode() not in on_disk(tmp_path)
    with closing(sqlite3.connect(path)) as connection:
        ((document,),) = connection.execute("SELECT document FROM phone_numbers").fetchall()
    assert set(json.loads(document)) == {"$sealed"}


def test_the_key_file_is_created_once(tmp_path: Path) -> None:
    assert key_in(tmp_path) == key_in(tmp_path)
    (tmp_path / KEY_FILE).write_text("")
    with pytest.raises(VaultError, match="empty"):
        key_in(tmp_path)
