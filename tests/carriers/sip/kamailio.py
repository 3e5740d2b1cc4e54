"""A running Kamailio with the configuration that bargein writes for it."""

import os
import signal
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import anyio

from bargein.carriers.interface import PhoneLine
from bargein.carriers.sip.kamailio import AGENTS, CONFIG, Edge, agents_of, configuration_of
from tests.call.harness import eventually
from tests.programs import located


def write(folder: Path, edge: Edge, phone_lines: Mapping[str, Mapping[str, PhoneLine]], secret: str) -> Path:
    text, skipped = configuration_of(edge, phone_lines, secret)
    assert skipped == []
    (folder / CONFIG).write_text(text)
    (folder / AGENTS).write_text(agents_of(edge))
    return folder / CONFIG


@asynccontextmanager
async def kamailio(
    folder: Path, edge: Edge, phone_lines: Mapping[str, Mapping[str, PhoneLine]], secret: str
) -> AsyncIterator[tuple[str, int]]:
    """Run Kamailio; yield the address that it listens on."""
    config = write(folder, edge, phone_lines, secret)
    log = (folder / "log").open("wb")
    given = {"-f": config, "-m": 64, "-M": 8, "-Y": folder, "-P": folder / "pid"}
    options = [str(part) for pair in given.items() for part in pair]
    process = await anyio.open_process(
        [located("kamailio"), "-DD", "-E", *options],
        stdout=log,
        stderr=log,
        start_new_session=True,
    )

    async def answers() -> bool:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.bind((edge.agent.partition(":")[0], 0))
            probe.settimeout(0.2)
            port = probe.getsockname()[1]
            probe.sendto(
                (
                    f"OPTIONS sip:{edge.address}:{edge.port} SIP/2.0\r\n"
                    f"Via: SIP/2.0/UDP 127.0.0.1:{port};rport;branch=z9hG4bKprobe\r\n"
                    "From: <sip:probe@127.0.0.1>;tag=1\r\nTo: <sip:probe@127.0.0.1>\r\nCall-ID: probe\r\n"
                    "CSeq: 1 OPTIONS\r\nMax-Forwards: 5\r\nContent-Length: 0\r\n\r\n"
                ).encode(),
                (edge.address, edge.port),
            )
            try:
                return probe.recv(2000).startswith(b"SIP/2.0 200")
            except OSError:
                return False

    try:
        try:
            await eventually(answers, bool, 10)
        except TimeoutError:
            raise AssertionError((folder / "log").read_text()[-3000:]) from None
        yield edge.address, edge.port
    finally:
        with anyio.CancelScope(shield=True):
            os.killpg(process.pid, signal.SIGTERM)
            with anyio.move_on_after(3):
                await process.wait()
            if process.returncode is None:
                os.killpg(process.pid, signal.SIGKILL)
        log.close()
