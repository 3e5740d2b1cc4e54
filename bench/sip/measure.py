"""Interruptions over SIP: a real server with its SIP agent, and telephones on loopback.

An interruption is measured at the telephone: from the packet with the onset of the caller's speech to the last packet
with audio of the assistant before it is silent.
"""

import socket
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

import anyio
import httpx
import numpy as np

from bargein.audio import g711
from bargein.audio.resample import resample
from bargein.testing.sip_message import RefusedError
from bargein.testing.sip_phone import Packet, Phone, SipCall, now_s
from bench.capacity.clips import RATE_HZ, Utterance
from bench.capacity.processes import Cores, only_on, providers, server

NUMBER = "+15557770000"
_URI = "sip:bench@sip.test"
WITHIN_S = 2.0
"""An interruption counts as missed if the assistant is not silent within this time."""

_TELEPHONE_HZ = 8000
_PACKET_S = 0.02
_QUIET_PACKETS = 8  # this many packets without sound are silence, not a pause within a word
_LEVEL = 200
_LOUD = (np.abs(g711.decode(bytes(range(256)))) > _LEVEL).astype(np.uint8).tobytes()
"""The mu-law samples that are sound, as a table, because the packets of fifty calls are examined beside the server."""
_LISTENS_S = (3.0, 6.0)
_PATIENCE_S = 8.0
_SPREAD_S = 0.12
_SPEAKS_S = 0.1


@dataclass(frozen=True, slots=True)
class Call:
    """The results of one call.

    Attributes:
        yields_ms: for each interruption, the time from its onset to the end of the assistant's audio.
        missed: the number of interruptions that did not silence the assistant.
        dropped: True if the far end ended the call, or it was never established.
        unanswered: the number of times that the assistant did not speak again.
    """

    yields_ms: tuple[float, ...] = ()
    missed: int = 0
    dropped: bool = False
    unanswered: int = 0


@dataclass(frozen=True, slots=True)
class Figures:
    """The results of several calls."""

    calls: tuple[Call, ...]
    yields_ms: tuple[float, ...] = field(default=())

    @classmethod
    def of(cls, calls: Sequence[Call]) -> "Figures":
        """Combine the results of calls."""
        return cls(tuple(calls), tuple(sorted(ms for call in calls for ms in call.yields_ms)))

    def percentile(self, percent: float) -> float:
        """Return a percentile of the interruptions' times, in milliseconds."""
        return float(np.percentile(self.yields_ms, percent)) if self.yields_ms else float("nan")

    @property
    def missed(self) -> int:
        """The number of interruptions that did not silence the assistant."""
        return sum(call.missed for call in self.calls)

    @property
    def dropped(self) -> int:
        """The number of dropped calls."""
        return sum(call.dropped for call in self.calls)

    def line(self, provider: str) -> str:
        """Return the row of the table."""
        return (
            f"{provider:17} {len(self.calls):5} {len(self.yields_ms):13} {self.percentile(50):9.0f}"
            f" {self.percentile(95):8.0f} {self.missed:8} {self.dropped:8}"
        )


HEAD = "number            calls interruptions    p50 ms   p95 ms   missed  dropped"

P50_MS = 270.0
"""The target for the median."""
ALONE_FOR = 5
"""One call alone lasts this many times longer: the 95th percentile of four interruptions means nothing."""
WORSE_MS = 60.0
"""The target for the difference between the 95th percentiles of many calls and of one."""


async def report(clips: Sequence[Utterance], calls: int, seconds: float) -> list[str]:
    """Print the results of a call to a SIP URI, of one to a trunk's number, and of many; return the missed targets."""
    print(f"  {HEAD}", flush=True)
    alone = Figures.of([])
    problems: list[str] = []
    for provider in ("vapi", "byo-phone-number"):
        alone = await measure(clips, 1, ALONE_FOR * seconds, provider)
        print(f"  {alone.line(provider)}", flush=True)
        if not alone.percentile(50) <= P50_MS:
            problems.append(f"{provider}: the median is over {P50_MS:g} ms")
    # Several numbers of calls show how many the machine can run, which runs the callers, too.
    for many in sorted({calls * share // 5 for share in (1, 2, 5)} - {0, 1}):
        figures = await measure(clips, many, seconds)
        print(f"  {figures.line('byo-phone-number')}", flush=True)
        if figures.dropped or figures.missed:
            problems.append(f"{many} calls: {figures.dropped} were dropped, {figures.missed} interruptions missed")
        if not figures.percentile(95) <= alone.percentile(95) + WORSE_MS:
            problems.append(f"the 95th percentile of {many} calls is more than {WORSE_MS:g} ms over that of one")
    return problems


async def measure(
    clips: Sequence[Utterance], calls: int, seconds: float, provider: str = "byo-phone-number"
) -> Figures:
    """Run a server and simultaneous calls to a number of a provider; return the results.

    Raises:
        RuntimeError: the server does not start.
    """
    port, cores = _free_port(), Cores.split()
    listen = {
        "BARGEIN_SIP_LISTEN": f"127.0.0.1:{port}",
        "BARGEIN_SIP_DIRECT": "1",
        "BARGEIN_SIP_TRANSPORTS": "udp",
        "BARGEIN_SIP_MOST_CALLS": str(calls + 10),
    }
    with TemporaryDirectory(prefix="bargein-sip-") as folder:
        async with providers(cores) as urls, server(cores, Path(folder), environment=listen) as running:
            to = await _make_number(running.server.url, dict(urls), provider)
            running.keep_children_on(cores.others)  # the agent is a process of its own; one core is not enough for both
            with only_on(cores.others):
                return await callers(clips, ("127.0.0.1", port), calls, seconds, to)


async def callers(
    clips: Sequence[Utterance], at: tuple[str, int], calls: int, seconds: float, to: str | None = None
) -> Figures:
    """Run simultaneous calls to a running server with the number `NUMBER`, or the URI `to`."""
    uri = to or f"sip:{NUMBER}@{at[0]}:{at[1]}"
    utterances = [_telephone(clip) for clip in clips]
    outcomes: list[Call] = []

    async def run_one(index: int) -> None:
        await anyio.sleep(index * _SPREAD_S)
        outcomes.append(await _call(utterances, uri, at, seconds, Random(index)))

    async with anyio.create_task_group() as tasks:
        for index in range(calls):
            tasks.start_soon(run_one, index)
    return Figures.of(outcomes)


async def _make_number(url: str, urls: dict[str, str], provider: str) -> str | None:
    """Store a number with its trunk and assistant; return its SIP URI, if it has one."""
    assistant: dict[str, object] = {
        "firstMessageInterruptionsEnabled": True,
        "firstMessage": "This greeting goes on and on for quite a while. " * 8,
        "model": {"provider": "custom-llm", "url": urls["llm"], "model": "scripted"},
        "voice": {"provider": "custom-voice", "server": {"url": urls["voice"]}, "cachingEnabled": False},
        "transcriber": {"provider": "custom-transcriber", "server": {"url": urls["transcriber"]}},
        "stopSpeakingPlan": {"numWords": 0, "voiceSeconds": 0.2},
        # Vapi's defaults, as in `bench.capacity`
        "startSpeakingPlan": {"transcriptionEndpointingPlan": {}},
    }
    trunk: dict[str, object] = {"provider": "byo-sip-trunk", "gateways": [{"ip": "127.0.0.1"}]}
    async with httpx.AsyncClient(base_url=url, timeout=20, trust_env=False) as http:
        made = (await http.post("/assistant", json=assistant)).raise_for_status().json()
        if provider == "vapi":
            number = {"provider": provider, "sipUri": _URI, "assistantId": made["id"]}
            (await http.post("/phone-number", json=number)).raise_for_status()
            return _URI
        credential = (await http.post("/credential", json=trunk)).raise_for_status().json()
        number = {"provider": "byo-phone-number", "number": NUMBER, "credentialId": credential["id"]}
        (await http.post("/phone-number", json={**number, "assistantId": made["id"]})).raise_for_status()
        return None


async def _call(
    utterances: Sequence[tuple[np.ndarray, float]], uri: str, at: tuple[str, int], seconds: float, random: Random
) -> Call:
    yields: list[float] = []
    missed = unanswered = 0
    async with Phone.open() as phone:
        try:
            call = await phone.call(uri, at)
        except (RefusedError, TimeoutError):
            return Call(dropped=True)
        until = now_s() + seconds
        while now_s() < until and not call.over.is_set():
            if not await _sounds(call):
                unanswered += 1
            await anyio.sleep(random.uniform(*_LISTENS_S))
            pcm, onset_s = random.choice(utterances)
            if not any(_is_sound(packet) for packet in _from(call, now_s() - _SPEAKS_S)):
                continue  # the assistant has finished its reply
            ms = await _interrupt(call, pcm, onset_s)
            if ms is None:
                missed += 1
            else:
                yields.append(ms)
        dropped = call.over.is_set()
        if not dropped:
            await call.bye()
        return Call(tuple(yields), missed, dropped, unanswered)


async def _sounds(call: SipCall) -> bool:
    """Wait until the assistant speaks; return False if it does not."""
    since = now_s()
    with anyio.move_on_after(_PATIENCE_S):
        while not any(_is_sound(packet) for packet in _from(call, since)):  # noqa: ASYNC110  # received packets raise no event
            await anyio.sleep(0.05)
        return True
    return False


async def _interrupt(call: SipCall, pcm: np.ndarray, onset_s: float) -> float | None:
    """Interrupt; return the time until the assistant is silent, or None if it does not stop."""
    had = len(call.spoken_at)
    call.say(pcm)
    await call.wait_said()
    onset_packet = had + int(onset_s / _PACKET_S)
    if len(call.spoken_at) <= onset_packet:
        return None
    at = call.spoken_at[onset_packet]
    await anyio.sleep(max(0.0, at + 1.0 - now_s()))
    last, quiet = at, 0
    for packet in _from(call, at):
        if _is_sound(packet):
            last, quiet = packet.at, 0
        else:
            quiet += 1
            if quiet >= _QUIET_PACKETS:
                return (last - at) * 1000
        if packet.at > at + WITHIN_S:
            return None
    return None


def _from(call: SipCall, at: float) -> list[Packet]:
    found: list[Packet] = []
    for packet in reversed(call.heard):
        if packet.at < at:
            break
        if packet.kind == 0:
            found.append(packet)
    return found[::-1]


def _is_sound(packet: Packet) -> bool:
    return b"\x01" in packet.payload.translate(_LOUD)


def _telephone(clip: Utterance) -> tuple[np.ndarray, float]:
    pcm = np.frombuffer(b"".join(clip.frames), dtype="<i2").astype(np.int16)
    return resample(pcm, RATE_HZ, _TELEPHONE_HZ), clip.onset_ms / 1000


def _free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
