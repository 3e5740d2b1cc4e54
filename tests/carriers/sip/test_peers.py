"""The agent with peers that are not of our making: sipp for signalling, baresip for codecs and encryption."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import numpy as np
import pytest

from tests.carriers.sip.carrier_host import NUMBER, RunningGateway, byo, free_port, running_gateway
from tests.carriers.sip.test_agent import say, tone, until
from tests.programs import located, needs

pytestmark = pytest.mark.anyio
SCENARIOS = Path(__file__).parent / "sipp"


async def sipp(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    def run() -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [located("sipp"), *arguments, "-i", "127.0.0.1", "-nostdin", "-timeout", "20s", "-timeout_error"],
            capture_output=True,
            text=True,
            cwd=folder,
            timeout=30,
            check=False,
        )

    return await anyio.to_thread.run_sync(run)


@needs("sipp")
@pytest.mark.parametrize("password", ["secret", "wrong"])
async def test_a_sipp_trunk_with_a_password(tmp_path: Path, password: str) -> None:
    port = free_port()
    outcome: list[subprocess.CompletedProcess[str]] = []

    async def answer() -> None:
        scenario = str(SCENARIOS / "trunk_digest.xml")
        outcome.append(await sipp("-sf", scenario, "-p", str(port), "-m", "1", folder=tmp_path))

    plan = {"authUsername": "trunkuser", "authPassword": password}
    trunk = {"gateways": [{"ip": "127.0.0.1", "port": port}], "outboundAuthenticationPlan": plan}
    async with running_gateway() as running, anyio.create_task_group() as tasks:
        tasks.start_soon(answer)
        placed = await running.carrier.place(byo(trunk), running.dial(number="+15553334444"))
        if password == "secret":
            await running.host.until_held()
            await running.carrier.hang_up(byo(trunk), placed.carrier_call_id)
            await until(lambda: outcome)
            assert outcome[0].returncode == 0, outcome[0].stdout[-3000:]
        else:
            await until(lambda: running.host.overs)
            assert running.host.overs == ["call.in-progress.error-providerfault-outbound-sip-403-forbidden"]
            assert running.host.held == []


@needs("sipp")
@pytest.mark.parametrize("transport", ["u1", "t1"])
async def test_sipp_callers(tmp_path: Path, transport: str) -> None:
    async with running_gateway(most_calls=4) as running:
        arguments = ("-sf", str(SCENARIOS / "caller.xml"), f"127.0.0.1:{running.port}", "-s", NUMBER, "-t", transport)
        done = await sipp(*arguments, "-m", "12", "-r", "20", "-l", "12", folder=tmp_path)
        assert done.returncode == 0, done.stdout[-3000:]
        await until(lambda: all(held.ended_reason == "customer-ended-call" for held in running.host.held))
        assert 4 <= len(running.host.held) <= 8  # of twelve at once four are taken; the rest are told that it is busy
        assert len(running.host.came) == len(running.host.held)


async def far_end(
    running: RunningGateway, transport: str, codecs: str, encryption: str, authorities: str
) -> dict[str, Any]:
    port = running.port + 1 if transport == "tls" else running.port
    script = str(Path(__file__).parent / "far_end.py")
    to = f"sip:{NUMBER}@127.0.0.1:{port}"
    with anyio.fail_after(40):
        done = await anyio.run_process(
            [sys.executable, script, to, transport, codecs, encryption, authorities], check=False
        )
    assert done.returncode == 0, done.stderr.decode()[-2000:]
    found: dict[str, Any] = json.loads(done.stdout.decode().splitlines()[-1])
    assert "failed" not in found, (found, done.stderr.decode()[-3000:], running.host.refusals, running.host.overs)
    return found


def certificate(folder: Path) -> str:
    """A certificate with its key in one file."""
    both = folder / "both.pem"
    subject = ("-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1")
    subprocess.run(
        [
            "openssl",
            "req",
            "-x509",
            "-newkey",
            "rsa:2048",
            "-nodes",
            "-days",
            "2",
            *subject,
            "-keyout",
            str(folder / "key.pem"),
            "-out",
            str(folder / "cert.pem"),
        ],
        check=True,
        capture_output=True,
    )
    both.write_text((folder / "cert.pem").read_text() + (folder / "key.pem").read_text())
    return str(both)


@pytest.mark.parametrize(
    ("transport", "codecs", "encryption", "rate_hz"),
    [
        ("tls", "opus/48000/2", "srtp-mand", 16_000),
        ("tcp", "g722/16000/1", "none", 16_000),
        ("udp", "pcma", "srtp-mand", 8000),
    ],
)
async def test_codecs_encryption_and_transports(
    tmp_path: Path, transport: str, codecs: str, encryption: str, rate_hz: int
) -> None:
    pem = await anyio.to_thread.run_sync(certificate, tmp_path)
    async with (
        running_gateway(transports=("udp", "tcp", "tls"), certificate=pem) as running,
        anyio.create_task_group() as tasks,
    ):

        async def talk() -> None:
            held = await running.host.until_held()
            assert held.leg.rate_hz == rate_hz
            say(held, tone(1.5, 2000, rate_hz))

        tasks.start_soon(talk)
        found = await far_end(running, transport, codecs, encryption, str(tmp_path / "cert.pem"))
        assert found["loudest"] > 4000
        assert abs(found["peak_hz"] - 2000) < 20
        assert bool(found["encrypted"]) == (encryption != "none")
        held = running.host.held[0]
        audio_bridge = np.frombuffer(bytes(held.heard), dtype=np.int16).astype(float)
        loud = audio_bridge[np.flatnonzero(np.abs(audio_bridge) > 3000)[rate_hz // 10] :][: rate_hz // 2]
        assert abs(np.abs(np.fft.rfft(loud)).argmax() * rate_hz / loud.size - 3000) < 20
        await until(lambda: held.ended_reason == "customer-ended-call")
