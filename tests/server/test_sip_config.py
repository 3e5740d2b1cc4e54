"""`bargein sip config`: from stored numbers to Kamailio's files; and the settings of SIP."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest

from bargein.carriers.sip import SipSettings
from bargein.configuration import load_settings
from bargein.settings import SettingsError
from tests.call.harness import serving

pytestmark = pytest.mark.anyio

SIP = {"BARGEIN_SIP_LISTEN": "127.0.0.1:5080"}
PASSWORD = "p4ssword-of-twenty-signs-and-more"


def configure(data: Path, out: Path, **env: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("BARGEIN_")}
    return subprocess.run(
        [sys.executable, "-m", "bargein", "sip", "config", "--address", "203.0.113.5", "--out", str(out)],
        env={**kept, "BARGEIN_DATA_DIR": str(data), **env},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


async def test_it_is_written_from_the_stored_numbers(tmp_path: Path) -> None:
    async with serving(tmp_path) as url, httpx.AsyncClient(base_url=url) as client:
        trunk: dict[str, Any] = {"provider": "byo-sip-trunk", "gateways": [{"ip": "198.51.100.0", "netmask": 28}]}
        credential = (await client.post("/credential", json=trunk)).json()["id"]
        for number in (
            {"provider": "byo-phone-number", "number": "+15550001111", "credentialId": credential},
            {
                "provider": "vapi",
                "sipUri": "sip:guarded@sip.test",
                "authentication": {"username": "u" * 20, "password": PASSWORD},
            },
        ):
            made = await client.post("/phone-number", json=number)
            assert made.status_code == 201, made.text
    out = tmp_path / "kamailio"
    done = configure(tmp_path, out, **SIP)
    assert done.returncode == 0, done.stderr
    config = out / "kamailio.cfg"
    assert done.stdout.splitlines() == [str(config), str(out / "agents.list")]
    text = config.read_text()
    assert "src_ip == 198.51.100.0/28" in text
    assert '"guarded"' in text
    assert PASSWORD not in text
    assert (out / "agents.list").read_text() == "1 sip:127.0.0.1:5080 0 0\n"
    secret = tmp_path / "sip.secret"
    assert secret.read_text() in text
    for file in (config, secret):
        assert file.stat().st_mode & 0o077 == 0
    assert configure(tmp_path, out, **SIP, BARGEIN_SIP_SECRET="another").returncode == 0
    assert "X-Bargein-Edge: another " in config.read_text()


def test_it_wants_sip_to_be_switched_on(tmp_path: Path) -> None:
    done = configure(tmp_path, tmp_path / "out")
    assert done.returncode == 2
    assert "BARGEIN_SIP_LISTEN" in done.stderr


def test_settings_that_let_strangers_in_or_mean_nothing_are_refused() -> None:
    assert not load_settings({}).section(SipSettings).enabled
    for wrong in (
        {"BARGEIN_SIP_LISTEN": "5080"},
        {"BARGEIN_SIP_LISTEN": "0.0.0.0:5080", "BARGEIN_SIP_DIRECT": "1"},
        {"BARGEIN_SIP_LISTEN": "8.8.8.8:5080", "BARGEIN_SIP_DIRECT": "1"},
        {**SIP, "BARGEIN_SIP_TRANSPORTS": "udp,sctp"},
        {**SIP, "BARGEIN_SIP_TRANSPORTS": "tls"},
        {**SIP, "BARGEIN_SIP_RTP_PORTS": "20000-10000"},
        {**SIP, "BARGEIN_SIP_HEADERS": ",".join(f"X-{n}" for n in range(11))},
        {**SIP, "BARGEIN_SIP_MOST_CALLS": "none"},
    ):
        with pytest.raises(SettingsError):
            load_settings(wrong)
    given = load_settings({**SIP, "BARGEIN_SIP_DIRECT": "1", "BARGEIN_SIP_HEADERS": "X-A, X-B"}).section(SipSettings)
    assert (given.direct, given.audio_interface, given.headers) == (True, "127.0.0.1", ("X-A", "X-B"))
