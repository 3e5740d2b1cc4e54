"""Fallback plans and cached speech in whole calls: what the caller hears, and what the log says."""

from pathlib import Path
from typing import Any

import pytest

from bargein.testing import FakeTranscriber, FakeVoice, TimedReply, TranscriberScript, VoiceScript
from tests.call.conftest import Log
from tests.call.harness import calling, ended, stored
from tests.call.stage import staged

pytestmark = pytest.mark.anyio

SILENT = TranscriberScript()
GREETING = "One two three four five six."


def voice(url: str, *fallbacks: str, **more: Any) -> dict[str, Any]:
    plan = {"fallbackPlan": {"voices": [voice(one) for one in fallbacks]}} if fallbacks else {}
    return {"provider": "custom-voice", "server": {"url": url}, "cachingEnabled": False, **plan, **more}


def texts(peer: FakeVoice) -> list[str]:
    return [exchange.body["message"]["text"] for exchange in peer.exchanges]


async def test_a_voice_that_fails_is_replaced_and_the_caller_hears_every_word_once(tmp_path: Path, log: Log) -> None:
    dies = VoiceScript(body="raw", pace="realtime", stop_after_ms=900, ending="die")
    async with (
        staged(tmp_path, transcriber=SILENT) as stage,
        FakeVoice(dies) as broken,
        FakeVoice(VoiceScript(body="ndjson")) as good,
    ):
        given = stage.speaker(GREETING, voice=voice(broken.url, good.url))
        async with calling(stage.url, given) as caller:
            await caller.until(lambda: caller.of("speech-update", role="assistant", status="stopped"))
            await caller.send({"type": "say", "content": "Again."})
            await caller.until(lambda: "Again." in texts(good))
            await caller.send({"type": "end-call"})
            await caller.until_closed()
        record = await stored(stage.url, caller.id, until=lambda call: call["status"] == "ended")
    assert texts(broken) == [GREETING]
    first, again = texts(good)
    assert GREETING.endswith(first), "it goes on where the other one stopped"
    assert first.count(" ") < GREETING.count(" "), "and says no more than what is left"
    assert again == "Again."
    assert record["messages"][0]["message"] == GREETING
    (line,) = log.lines("a voice failed and is replaced by the next one of its fallback plan")
    assert (line["provider"], line["replaced_by"], line["call_id"]) == ("custom-voice", "custom-voice", caller.id)


async def test_all_voices_failed(tmp_path: Path) -> None:
    async with (
        staged(tmp_path) as stage,
        FakeVoice(VoiceScript(status=500)) as one,
        FakeVoice(VoiceScript(status=503)) as two,
    ):
        async with calling(stage.url, stage.speaker(GREETING, voice=voice(one.url, two.url))) as caller:
            await caller.until_closed()
        assert await ended(stage.url, caller.id) == "pipeline-error-custom-voice-failed"
        record = await stored(stage.url, caller.id)
    assert "answered 500" in record["endedMessage"]
    assert "answered 503" in record["endedMessage"]


async def test_words_that_a_transcriber_took_with_it_are_heard_by_the_next_one(tmp_path: Path, log: Log) -> None:
    leaves = TranscriberScript(drop_after_ms=600, drops=9)
    hears = TranscriberScript(timed=[TimedReply(300, "Tell me a story.")])
    async with (
        staged(tmp_path, transcriber=leaves) as stage,
        FakeTranscriber(hears) as second,
    ):
        plan = {"transcribers": [{"provider": "custom-transcriber", "server": {"url": second.url}}]}
        first = {"provider": "custom-transcriber", "server": {"url": stage.transcriber.url}, "fallbackPlan": plan}
        async with calling(stage.url, stage.assistant(transcriber=first)) as caller:
            await caller.until(lambda: caller.of("model-output"), 20)
    assert caller.of("transcript", role="user", transcriptType="final")[0]["transcript"] == "Tell me a story."
    (line,) = log.lines("a transcriber failed and is replaced by the next one of its fallback plan")
    assert line["call_id"] == caller.id


async def test_a_text_that_is_said_again_is_synthesized_once(tmp_path: Path) -> None:
    async with staged(tmp_path, transcriber=SILENT) as stage:
        given = stage.speaker(GREETING, voice=voice(stage.voice.url, cachingEnabled=True))
        transcripts: list[str] = []
        for _ in range(2):
            async with calling(stage.url, given) as caller:
                await caller.until(lambda: caller.of("speech-update", role="assistant", status="stopped"))
                final = caller.of("transcript", role="assistant", transcriptType="final")
                transcripts.append(final[-1]["transcript"])
        assert transcripts == [GREETING, GREETING]
        assert texts(stage.voice) == [GREETING]
        private = stage.speaker(GREETING, voice=given["voice"], compliancePlan={"hipaaEnabled": True})
        async with calling(stage.url, private) as caller:
            await caller.until(lambda: len(stage.voice.exchanges) == 2)
