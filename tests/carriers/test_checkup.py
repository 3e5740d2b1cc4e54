"""Findings of `bargein doctor` about telephone calls."""

import asyncio
import datetime
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from bargein.server.telephony import checkup
from bargein.server.telephony.checkup import examine_telephony
from bargein.testing.settings import make_settings
from tests.call.harness import running
from tests.carriers.twilio.loopback import ACCOUNT, NUMBER, TOKEN

pytestmark = pytest.mark.anyio

TWILIO = {"provider": "twilio", "number": NUMBER, "twilioAccountSid": ACCOUNT}


async def looked(tmp_path: Path, **settings: Any) -> dict[str, Any]:
    look = partial(examine_telephony, make_settings(data_dir=tmp_path, **settings), "bargein.db")
    found = await anyio.to_thread.run_sync(look)
    return {finding.name: finding for finding in found}


async def test_without_numbers_there_are_no_findings_and_no_files(tmp_path: Path) -> None:
    assert await looked(tmp_path) == {}
    assert not [name async for name in anyio.Path(tmp_path).iterdir()]


async def test_a_finding_says_what_a_number_lacks(tmp_path: Path) -> None:
    async with running(tmp_path) as server, httpx.AsyncClient(base_url=server.url) as client:
        made = (await client.post("/phone-number", json=TWILIO)).json()
        clock = {"twilio_api_url": server.url}
        found = await looked(tmp_path, **clock)
        assert found[NUMBER].ok is False
        assert "TWILIO_AUTH_TOKEN" in found[NUMBER].fix
        assert found["public address"].ok is False
        assert "BARGEIN_PUBLIC_URL" in found["public address"].detail
        assert found["clock"].ok is True
        by_environment = {"twilio_account_sid": ACCOUNT, "twilio_auth_token": TOKEN}
        assert (await looked(tmp_path, **clock, **by_environment))[NUMBER].ok is True
        await client.patch(f"/phone-number/{made['id']}", json={"twilioAuthToken": TOKEN})
        found = await looked(tmp_path, **clock, public_url=server.url)
        assert found[NUMBER].ok is True
        assert found["public address"].ok is True
        assert TOKEN not in repr(found)


async def test_a_number_whose_webhooks_could_not_be_set_is_named(tmp_path: Path) -> None:
    async with (
        running(tmp_path, public_url="https://voice.example", twilio_api_url="http://127.0.0.1:9") as server,
        httpx.AsyncClient(base_url=server.url) as client,
    ):
        made = await client.post("/phone-number", json={**TWILIO, "twilioAuthToken": TOKEN})
        assert made.json()["status"] == "blocked"
        assert "Twilio could not be reached" in made.headers["x-bargein-warning"]
        found = await looked(tmp_path, twilio_api_url="http://127.0.0.1:9")
    assert found[NUMBER].ok is False
    assert f"PATCH /phone-number/{made.json()['id']}" in found[NUMBER].fix
    assert found["clock"].ok is None


async def test_a_wrong_clock_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with running(tmp_path) as server, httpx.AsyncClient(base_url=server.url) as client:
        await client.post("/phone-number", json=TWILIO)

        class Late(checkup.LoopClock):
            def epoch_ms(self) -> int:
                return super().epoch_ms() + 90_000

        monkeypatch.setattr(checkup, "LoopClock", Late)
        found = await looked(tmp_path, twilio_api_url=server.url)
    assert (found["clock"].ok, found["clock"].detail[-7:]) == (False, "s ahead")
    assert "NTP" in found["clock"].fix


@pytest.mark.parametrize(
    ("url", "detail"),
    [("http://voice.example", "http is not encrypted"), ("http://127.0.0.1:9", "does not answer")],
)
async def test_an_address_that_cannot_be_used(tmp_path: Path, url: str, detail: str) -> None:
    found = await looked(tmp_path, public_url=url)
    assert found["public address"].ok is False
    assert detail in found["public address"].detail
    assert found["public address"].fix


@asynccontextmanager
async def certified(tmp_path: Path, days: int) -> AsyncIterator[tuple[int, Path]]:
    """A TLS server on localhost whose certificate ends in so many days; gives its port, and that certificate."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=30))
        .not_valid_after(now + datetime.timedelta(days=days, hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem, public = tmp_path / f"both{days}.pem", tmp_path / f"public{days}.pem"
    public.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    hidden = serialization.NoEncryption()
    private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, hidden)
    pem.write_bytes(private + public.read_bytes())
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0, ssl=context)
    async with server:
        yield server.sockets[0].getsockname()[1], public


@pytest.mark.parametrize(
    ("days", "ok", "detail"), [(100, True, "expires in 100 days"), (3, False, "expires in 3 days")]
)
async def test_a_certificate_that_expires_soon_and_one_that_is_not_trusted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, days: int, ok: bool, detail: str
) -> None:
    async with certified(tmp_path, days) as (port, public):

        async def look() -> Any:
            return await anyio.to_thread.run_sync(checkup._certificate, "localhost", port, checkup.LoopClock())

        found = await look()
        assert found.ok is False
        assert "self-signed" in found.detail
        assert "whole chain" in found.fix
        trusting = partial(ssl.create_default_context, cafile=str(public))
        monkeypatch.setattr(ssl, "create_default_context", trusting)
        found = await look()
    assert (found.ok, found.detail) == (ok, f"localhost: {detail}")


async def test_no_server_at_the_address_has_no_certificate() -> None:
    found = await anyio.to_thread.run_sync(checkup._certificate, "localhost", 9, checkup.LoopClock())
    assert found.ok is False
