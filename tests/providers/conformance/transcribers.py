"""The vendors of the transcribers' conformance suite: for each one a fake and an assistant's transcriber."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, NamedTuple

import anyio
import httpx
import numpy as np

from bargein.clock import LoopClock
from bargein.ports import Pcm16, Transcriber, TranscriberStream
from bargein.providers.audio_socket import SocketLimits
from bargein.providers.interface import Resources
from bargein.providers.registry import TRANSCRIBERS
from bargein.providers.streaming_stt import StreamingTranscriber
from bargein.testing import make_settings, speech
from bargein.testing.vendors.assembly_ai_stt import FakeAssemblyAi
from bargein.testing.vendors.azure_stt import FakeAzure
from bargein.testing.vendors.cartesia_stt import FakeInk
from bargein.testing.vendors.deepgram_stt import FakeDeepgram, FakeDeepgramFlux
from bargein.testing.vendors.elevenlabs_stt import FakeScribe
from bargein.testing.vendors.gladia_stt import FakeGladia
from bargein.testing.vendors.openai_stt import FakeRealtime
from bargein.testing.vendors.soniox_stt import FakeSoniox
from bargein.testing.vendors.speech_peer import SpeechPeer, SpeechScript
from bargein.testing.vendors.speechmatics_stt import FakeSpeechmatics
from bargein.testing.vendors.xai_stt import FakeXai
from bargein.wire.base import JsonObject
from tests.providers.resources import make_resources

FRAME = 320  # 20 ms
LIMITS = SocketLimits(connect_s=2, reconnect_s=1, stall_s=5, ping_s=2.5)


@dataclass(frozen=True, kw_only=True)
class Vendor:
    """A vendor.

    Attributes:
        fake: makes its fake.
        config: the assistant's transcriber.
        table: its table of the settings, which the base URL is in.
        variable: the environment variable of its key.
        settings: more settings.
        speaks_interim: whether it has interim text before it is asked for all words.
        url_setting: the name of the base URL in the settings; empty: `base_url` of the table.
        answers: whether it can be asked for all words; else its own final segments are awaited.
        reports_errors: whether it has a message for errors of its own.
        has_confidence: whether it tells its confidence.
    """

    fake: Callable[..., SpeechPeer]
    config: JsonObject
    table: str
    variable: str
    settings: JsonObject = field(default_factory=dict)
    speaks_interim: bool = True
    has_confidence: bool = True
    url_setting: str = ""
    answers: bool = True
    reports_errors: bool = True

    @property
    def provider(self) -> str:
        return str(self.config["provider"])

    def settings_for(self, url: str) -> JsonObject:
        """Return the settings with the vendor at a URL."""
        return {self.url_setting or f"{self.table}_base_url": url, **self.settings}


VENDORS: dict[str, Vendor] = {
    "deepgram": Vendor(
        fake=FakeDeepgram,
        config={"provider": "deepgram", "model": "nova-2", "language": "en"},
        table="deepgram",
        variable="DEEPGRAM_API_KEY",
    ),
    "deepgram-flux": Vendor(
        fake=FakeDeepgramFlux,
        config={"provider": "deepgram", "model": "flux-general-en"},
        table="deepgram",
        variable="DEEPGRAM_API_KEY",
    ),
    "assembly-ai": Vendor(
        fake=FakeAssemblyAi,
        config={"provider": "assembly-ai"},
        table="assembly_ai",
        variable="ASSEMBLYAI_API_KEY",
    ),
    "11labs": Vendor(
        fake=FakeScribe,
        config={"provider": "11labs", "model": "scribe_v2_realtime"},
        table="elevenlabs",
        variable="ELEVENLABS_API_KEY",
        has_confidence=False,
    ),
    "cartesia": Vendor(
        fake=FakeInk,
        config={"provider": "cartesia", "model": "ink-whisper"},
        table="cartesia",
        variable="CARTESIA_API_KEY",
        has_confidence=False,
    ),
    "openai": Vendor(
        fake=FakeRealtime,
        config={"provider": "openai", "model": "gpt-4o-transcribe"},
        table="openai",
        url_setting="openai_audio_base_url",
        variable="OPENAI_API_KEY",
        speaks_interim=False,
    ),
    "soniox": Vendor(
        fake=FakeSoniox,
        config={"provider": "soniox"},
        table="soniox",
        variable="SONIOX_API_KEY",
    ),
    "speechmatics": Vendor(
        fake=FakeSpeechmatics,
        config={"provider": "speechmatics", "customVocabulary": []},
        table="speechmatics",
        variable="SPEECHMATICS_API_KEY",
    ),
    "gladia": Vendor(
        fake=FakeGladia,
        config={"provider": "gladia"},
        table="gladia",
        variable="GLADIA_API_KEY",
        answers=False,
    ),
    "azure": Vendor(
        fake=FakeAzure,
        config={"provider": "azure"},
        table="azure",
        variable="AZURE_SPEECH_KEY",
        settings={"azure_region": "westeurope"},
        answers=False,
        reports_errors=False,
    ),
    "xai": Vendor(
        fake=FakeXai,
        config={"provider": "xai"},
        table="xai",
        variable="XAI_API_KEY",
        answers=False,
    ),
}


class Told(NamedTuple):
    """One transcript."""

    text: str
    final: bool
    confidence: float | None
    complete: bool
    end_of_turn: float | None


class Caller:
    """The caller of one call: what is fed, and the transcripts."""

    def __init__(self, transcriber: Transcriber) -> None:
        self.told: list[Told] = []
        self._more = anyio.Event()
        self.stream: TranscriberStream = transcriber.open(self._hear)

    def _hear(
        self,
        text: str,
        final: bool,
        /,
        confidence: float | None = None,
        *,
        complete: bool = False,
        end_of_turn: float | None = None,
    ) -> None:
        self.told.append(Told(text, final, confidence, complete, end_of_turn))
        self._more.set()
        self._more = anyio.Event()

    @property
    def finals(self) -> list[str]:
        return [told.text for told in self.told if told.final]

    async def until(self, look: Callable[[], Any], within_s: float = 5.0) -> Any:
        with anyio.fail_after(within_s):
            while not (found := look()):
                await self._more.wait()
        return found

    async def final(self, number: int = 0) -> Told:
        """Wait for a final, counted from 0."""
        await self.until(lambda: len(self.finals) > number)
        return [told for told in self.told if told.final][number]

    def feed(self, duration_ms: int, pcm: Pcm16 | None = None) -> None:
        silence = np.zeros(duration_ms * 16, np.int16)
        said = silence if pcm is None else pcm[: silence.size]
        for start in range(0, silence.size, FRAME):
            self.stream.feed(said[start : start + FRAME], silence[start : start + FRAME])

    def say(self, duration_ms: int) -> None:
        """Speak, as the detector tells it."""
        self.stream.voice_started(0)
        self.feed(duration_ms, np.frombuffer(speech(duration_ms, 16_000), "<i2"))

    def fall_silent(self) -> None:
        """Be silent for as long as it takes to be asked for a final."""
        self.feed(300)
        self.stream.voice_stopped()

    async def feed_for_ever(self) -> None:
        while True:
            self.feed(20)
            await anyio.sleep(0.02)  # the pace of a call, not a wait for something


def resources_for(
    vendor: Vendor, url: str, *, key: str | None = "test-key", client: httpx.AsyncClient | None = None
) -> Resources:
    """Return the inputs of a vendor's factory, with the vendor at a URL."""
    credentials = {} if key is None else {vendor.provider: {"apiKey": key}}
    return make_resources(make_settings(**vendor.settings_for(url)), client, credentials)


def make_transcriber(
    vendor: Vendor,
    url: str,
    config: JsonObject | None = None,
    *,
    key: str | None = "test-key",
    limits: SocketLimits = LIMITS,
    client: httpx.AsyncClient | None = None,
) -> StreamingTranscriber:
    """Make a vendor's transcriber as a call does, with short limits."""
    part = TRANSCRIBERS[vendor.provider]
    resources = resources_for(vendor, url, key=key, client=client)
    made = part.create(part.config.from_json({**vendor.config, **(config or {})}), resources)
    assert isinstance(made, StreamingTranscriber)
    return StreamingTranscriber(made.dialect, LoopClock(), limits)


@asynccontextmanager
async def calling(
    vendor: Vendor, fake: SpeechPeer, config: JsonObject | None = None, **options: Any
) -> AsyncIterator[Caller]:
    """Run a call."""
    async with httpx.AsyncClient() as client:
        caller = Caller(make_transcriber(vendor, fake.url, config, client=client, **options))
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(caller.stream.run)
            yield caller
            tasks.cancel_scope.cancel()


def scripted(vendor: Vendor, *utterances: str, **script: Any) -> SpeechPeer:
    """Make the vendor's fake; one that cannot be asked for its words ends a segment itself after a short silence."""
    if not vendor.answers and script.get("answers", True):
        script = {"endpoint_ms": 100, **script}
    return vendor.fake(SpeechScript(utterances=utterances, word_ms=100, **script))


def growing(texts: Sequence[str]) -> bool:
    """Return True if each text begins with the one before."""
    return all(later.startswith(earlier) for earlier, later in pairwise(texts))
