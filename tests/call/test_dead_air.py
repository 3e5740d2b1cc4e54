"""Peers of a call that send something, and nothing that can be heard: the call ends, with the peer's reason."""

from pathlib import Path

import anyio
import pytest

from bargein.testing import FakeVoice, LlmScript, TimedReply, TranscriberScript, VoiceScript
from tests.call.conftest import Log
from tests.call.harness import calling, ended
from tests.call.stage import staged

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

ASKS = TranscriberScript(timed=[TimedReply(100, "Tell me a story.")])
MODEL, VOICE = "pipeline-error-custom-llm-llm-failed", "pipeline-error-custom-voice-failed"
SILENCE_S = 10
"""The shortest `silenceTimeoutSeconds` of Vapi's schema."""

SPEAKS = LlmScript(tokens=("Once upon a time. ",))
CASES = {
    "a word each two seconds": (LlmScript(tokens=("word ",), interval_ms=2000, repeat=True), VoiceScript(), MODEL),
    "endless silence": (SPEAKS, VoiceScript(extra_ms=200_000, silent=True), VOICE),
    "a byte each 100 ms": (SPEAKS, VoiceScript(piece_bytes=1, interval_ms=100), VOICE),
    "a sentence, then silence": (
        LlmScript(tokens=("Once. ",), ending="hang"),
        VoiceScript(),
        MODEL,
    ),
}


async def test_a_call_in_which_nothing_is_heard_ends(tmp_path: Path, log: Log) -> None:
    """All cases run side by side: each takes as long as `silenceTimeoutSeconds`."""

    def answer(body: dict[str, object]) -> LlmScript:
        return CASES[str(body["model"])][0]

    async with staged(tmp_path, transcriber=ASKS, llm=answer) as stage, anyio.create_task_group() as tasks:

        async def play(name: str) -> None:
            _, script, reason = CASES[name]
            async with FakeVoice(script) as voice:
                mine = stage.assistant(
                    model={"provider": "custom-llm", "url": stage.llm.url, "model": name},
                    voice={"provider": "custom-voice", "server": {"url": voice.url}},
                    silenceTimeoutSeconds=SILENCE_S,
                )
                async with calling(stage.url, mine) as caller:
                    await caller.until_closed(SILENCE_S + 8)
                    assert await ended(stage.url, caller.id) == reason, name

        for name in CASES:
            tasks.start_soon(play, name)
