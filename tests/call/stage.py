"""A server with a model, a voice and a transcriber on loopback, and a second call beside the one that is tested."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio

from bargein.testing import FakeLlm, FakeTranscriber, FakeVoice, LlmScript, TimedReply, TranscriberScript
from tests.call.harness import Caller, Running, assistant, calling, running

STORY = LlmScript(tokens=[f"word{n:02d} " for n in range(80)])
ASKS = TranscriberScript(timed=[TimedReply(300, "Tell me a story.")])
"""The caller is silent: only the transcript begins a turn."""

LONG_SPEECH = " ".join(f"speech{n:02d}" for n in range(90)) + "."
"""A speech of 27 seconds."""

GAP_MS = 100
"""The longest gap in one call that other work of the test may cause."""
ANY_GAP_MS = 1000
"""The longest gap that other processes of the machine may cause."""


@dataclass
class Stage:
    """The server and the peers of a test."""

    server: Running
    llm: FakeLlm
    voice: FakeVoice
    transcriber: FakeTranscriber

    @property
    def url(self) -> str:
        return self.server.url

    def assistant(self, **more: Any) -> dict[str, Any]:
        return assistant(self.llm, self.voice, self.transcriber) | more

    def speaker(self, text: str = LONG_SPEECH, **more: Any) -> dict[str, Any]:
        """Return an assistant that begins with a speech."""
        return self.assistant(firstMessage=text, firstMessageMode="assistant-speaks-first", **more)


@asynccontextmanager
async def staged(
    tmp_path: Path,
    *,
    llm: Any = STORY,
    voice: Any = None,
    transcriber: TranscriberScript = ASKS,
    config: dict[str, Any] | None = None,
    **settings: Any,
) -> AsyncIterator[Stage]:
    """Run a server with its peers."""
    async with (
        running(tmp_path, config=config, **settings) as server,
        FakeLlm(llm) as a_llm,
        FakeVoice(voice) as a_voice,
        FakeTranscriber(transcriber) as a_transcriber,
    ):
        yield Stage(server, a_llm, a_voice, a_transcriber)


@asynccontextmanager
async def beside_another(stage: Stage, key: str | None = "some-key", gap_ms: float = GAP_MS) -> AsyncIterator[Caller]:
    """Run another call meanwhile, and assert at the end that it was not affected."""
    async with FakeTranscriber() as silent:
        mine = stage.speaker(transcriber={"provider": "custom-transcriber", "server": {"url": silent.url}})
        async with calling(stage.url, mine, key=key) as other:
            await other.until(lambda: len(other.audio) > 10)
            yield other
            heard = len(other.audio)
            await other.until(lambda: len(other.audio) > heard + 10, 2)
            assert other.closed is None
            assert other.kinds().count("status-update") == 1
            goes_on_smoothly(other, gap_ms)


def goes_on_smoothly(caller: Caller, gap_ms: float = GAP_MS) -> None:
    """Assert that a speech came without a gap."""
    assert caller.gaps().busy_ms < gap_ms
    assert caller.gaps().any_ms < ANY_GAP_MS


async def holds_for(seconds: float, true: Any) -> bool:
    """Return whether a condition holds for the whole time."""
    end = anyio.current_time() + seconds
    while anyio.current_time() < end:
        if not true():
            return False
        await anyio.sleep(0.01)
    return True
