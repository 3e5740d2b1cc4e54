"""A server with a model, a voice and a transcriber on loopback, and a call that goes on beside the one in question."""

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
"""Without a voice: what the transcriber says alone begins a turn."""

LONG_SPEECH = " ".join(f"speech{n:02d}" for n in range(90)) + "."
"""Twenty-seven seconds."""

GAP_MS = 100
"""What everything that happens at once in a test may cost one of its calls."""
ANY_GAP_MS = 1000
"""What a machine that is busy with other things may cost it."""


@dataclass
class Stage:
    """What a test plays on."""

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
        """An assistant that begins with a speech."""
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
    """Set the stage."""
    async with (
        running(tmp_path, config=config, **settings) as server,
        FakeLlm(llm) as a_llm,
        FakeVoice(voice) as a_voice,
        FakeTranscriber(transcriber) as a_transcriber,
    ):
        yield Stage(server, a_llm, a_voice, a_transcriber)


@asynccontextmanager
async def beside_another(stage: Stage, key: str | None = "some-key", gap_ms: float = GAP_MS) -> AsyncIterator[Caller]:
    """While this holds another call goes on, and at the end it must have noticed nothing."""
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
    """A speech was heard without a gap."""
    assert caller.gaps().busy_ms < gap_ms
    assert caller.gaps().any_ms < ANY_GAP_MS


async def transfers(seconds: float, true: Any) -> bool:
    """Whether something stays so for a while."""
    end = anyio.current_time() + seconds
    while anyio.current_time() < end:
        if not true():
            return False
        await anyio.sleep(0.01)
    return True
