"""The servers that are compared: each runs alone on its core while it is measured, with its defaults."""

import tempfile
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from bargein.client.server_api import Server
from bargein.wire.base import JsonObject
from bench.capacity.processes import Cores, peers, printing, server
from bench.interruption.recordings import write_speeches
from bench.peers import BEST, CONTENDERS, python_of, script_of, version_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Contender:
    """A running server under test.

    Attributes:
        name: name in tables.
        version: version of the server.
        server: address of the server.
        assistant: assistant of the calls; it begins to speak by itself, and speaks for 40 s at a time.
        settings: what was set; empty: its defaults.
        oracle: whether the server receives the caller's words, as from a perfect transcriber; otherwise it transcribes.
        partials: whether it receives them while they are spoken, too, as from a transcriber that streams.
        plans: whether the server applies Vapi's plans.
        languages: languages but English that calls name in `transcriber.language`.
        pid: id of its process; None if it was not started here.
    """

    name: str
    version: str
    server: Server
    assistant: JsonObject
    settings: str = ""
    oracle: bool = False
    partials: bool = False
    plans: bool = True
    languages: frozenset[str] = frozenset()
    pid: int | None = None

    def cpu_s(self) -> float:
        """CPU seconds that the server has used; 0 if that is not known."""
        if self.pid is None:
            return 0.0
        times = psutil.Process(self.pid).cpu_times()
        return times.user + times.system


@asynccontextmanager
async def running(
    name: str, data: Path, cores: Cores, version: str, at: Server | None = None
) -> AsyncGenerator[Contender]:
    """Run `bargein`, or one of `bench.peers.CONTENDERS`.

    Args:
        name: name of the server.
        data: collection with the assistant's speech.
        cores: cores of the processes.
        version: version of bargein.
        at: a running server with the same protocol, in place of bargein.

    Raises:
        RuntimeError: the server did not start.
    """
    with tempfile.TemporaryDirectory(prefix="bargein-interruption-") as folder:
        speeches = Path(folder) / "speeches"
        speeches.mkdir()
        write_speeches(data, speeches)
        if name in CONTENDERS:
            pinned = () if cores.server is None else (cores.server,)
            command = [str(python_of(name)), str(script_of(name)), str(speeches), *(["best"] if name in BEST else [])]
            async with printing(command, pinned, Path(folder) / "peer.log", within_s=60) as (urls, pid):
                yield Contender(
                    name=name, version=version_of(name), server=Server(url=urls["url"]), pid=pid,
                    assistant={"firstMessageMode": "assistant-speaks-first"}, oracle=True, plans=False,
                    settings=BEST.get(name, ""), partials=name in BEST,
                )  # fmt: skip
            return
        async with peers(cores, "bench.interruption.peers", str(speeches)) as urls:
            assistant = _assistant(urls["llm"], urls["voice"])
            if at is not None:
                yield Contender(name=name, version="", server=at, assistant=assistant)
                return
            async with server(cores, Path(folder)) as ours:
                yield Contender(name=name, version=version, server=ours.server, assistant=assistant, pid=ours.pid)


def _assistant(llm: str, voice: str) -> JsonObject:
    return {
        "firstMessageMode": "assistant-speaks-first-with-model-generated-message",
        "firstMessageInterruptionsEnabled": True,
        "clientMessages": ["user-interrupted", "status-update", "assistant.speechStarted"],
        "model": {"provider": "custom-llm", "url": llm, "model": "scripted"},
        "voice": {"provider": "custom-voice", "server": {"url": voice}, "cachingEnabled": False},
    }
