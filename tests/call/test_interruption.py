"""Interruptions with real speech: a person talks, the assistant answers, the person interrupts."""

import statistics
from pathlib import Path
from typing import Any

import anyio
import pytest

from bargein.testing import FakeLlm, FakeTranscriber, FakeVoice, LlmScript, TranscriberScript, VoiceScript
from tests.call.clips import ask, commands
from tests.call.harness import assistant, calling, serving

pytestmark = [pytest.mark.anyio, pytest.mark.timed]

# Without partials: the voice alone decides.
ASKS = TranscriberScript(utterances=["Tell me a story.", "Wait, which one?"], partials=False)
STORY = LlmScript(tokens=[f"word{n:02d} " for n in range(80)])


def turn_of(message: dict[str, Any]) -> str:
    return str(message["turnId"])


async def test_twenty_interruptions_in_a_minute_are_all_answered(tmp_path: Path) -> None:
    clips = commands(21)
    waits: list[float] = []
    async with (
        serving(tmp_path) as url,
        FakeLlm(STORY) as llm,
        FakeVoice() as voice,
        FakeTranscriber(ASKS) as transcriber,
        calling(url, assistant(llm, voice, transcriber, startSpeakingPlan={"waitSeconds": 0})) as caller,
    ):
        await ask(caller, clips[0])
        began = caller.now()
        for number, clip in enumerate(clips[1:], 1):
            await anyio.sleep(0.5)
            started, heard = await caller.say(clip.samples), len(caller.audio)
            await caller.until(lambda n=number: len(caller.of("user-interrupted")) == n)
            cut = caller.when("user-interrupted")[-1]
            waits.append(caller.last_sound(cut + 200) - started - clip.onset_ms)
            heard = len(caller.audio)
            await caller.until(lambda h=heard: len(caller.audio) > h)
        took = caller.now() - began
    assert took < 60_000
    cuts = [turn_of(m) for m in caller.of("user-interrupted")]
    assert len(set(cuts)) == 20
    assert statistics.median(waits) <= 260, waits
    # After each cut only other turns speak: no token of the cut one ever again.
    for number, (_, message) in enumerate(caller.messages):
        if message["type"] == "user-interrupted":
            after = [m for _, m in caller.messages[number:] if m["type"] == "model-output"]
            assert all(m["turnId"] != message["turnId"] for m in after)


async def test_what_model_and_voice_go_on_to_send_reaches_nobody(tmp_path: Path) -> None:
    clips = commands(2)
    endless = LlmScript(tokens=["never ", "ending ", "story. "], interval_ms=20, repeat=True, deaf=True)
    async with (
        serving(tmp_path) as url,
        FakeLlm(endless) as llm,
        FakeVoice(VoiceScript(pace="realtime", extra_ms=2000, deaf=True)) as voice,
        FakeTranscriber(ASKS) as transcriber,
        calling(url, assistant(llm, voice, transcriber, startSpeakingPlan={"waitSeconds": 5})) as caller,
    ):
        await caller.say(clips[0].samples)
        await caller.until(lambda: caller.audio, 15)
        await anyio.sleep(1)
        await caller.say(clips[1].samples)
        await caller.until(lambda: caller.of("user-interrupted"))
        at, heard = len(caller.messages), len(caller.audio)
        cut = caller.when("user-interrupted")[0]
        # The next answer waits five seconds: whatever sounds in the next three is of the turn that was cut.
        await anyio.sleep(3)
        late = [m for _, m in caller.messages[at:]]
        turn = turn_of(caller.of("user-interrupted")[0])
        assert not [m for m in late if m.get("turnId") == turn]
        assert [t for t, _ in caller.audio[heard:]] == []
        assert caller.last_sound() - cut < 60


async def test_only_what_was_heard_is_remembered(tmp_path: Path) -> None:
    clips = commands(2)
    async with (
        serving(tmp_path) as url,
        FakeLlm(STORY) as llm,
        FakeVoice() as voice,
        FakeTranscriber(ASKS) as transcriber,
        calling(url, assistant(llm, voice, transcriber)) as caller,
    ):
        began = await ask(caller, clips[0])
        lag = clips[1].onset_ms + 230  # until the cut, so that it comes at 3.7 s
        await anyio.sleep((began + 3700 - lag - caller.now()) / 1000)
        await caller.say(clips[1].samples)
        await caller.until(lambda: caller.of("user-interrupted"))
        cut = caller.when("user-interrupted")[0]
        await caller.until(lambda: [m for m in caller.of("conversation-update") if m["messages"][-1]["role"] == "bot"])
        update = caller.of("conversation-update")[-1]
    words = update["messagesOpenAIFormatted"][-1]["content"].split()
    assert words == [f"word{n:02d}" for n in range(len(words))]
    assert abs(len(words) - (cut - began) / 300) <= 1
    assert abs(cut - began - 3700) < 200
    assert abs(len(words) - 12) <= 1
    assert update["conversation"][-1] == {"role": "assistant", "content": " ".join(words)}
    assert caller.of("transcript", role="assistant", transcriptType="final")[-1]["transcript"] == " ".join(words)


async def test_a_cut_first_message_has_no_turn_id(tmp_path: Path) -> None:
    clip = commands(1)[0]
    greeting = "Hello, you have reached the front desk, and we are very glad indeed that you have called us today."
    async with (
        serving(tmp_path) as url,
        FakeLlm(STORY) as llm,
        FakeVoice() as voice,
        FakeTranscriber(ASKS) as transcriber,
        calling(
            url,
            assistant(
                llm,
                voice,
                transcriber,
                firstMessage=greeting,
                firstMessageMode="assistant-speaks-first",
                firstMessageInterruptionsEnabled=True,
            ),
        ) as caller,
    ):
        await caller.until(lambda: caller.audio)
        await anyio.sleep(0.8)
        await caller.say(clip.samples)
        await caller.until(lambda: caller.of("user-interrupted"))
        assert "turnId" not in caller.of("user-interrupted")[0]
        await caller.until(lambda: caller.of("conversation-update"))
        heard = caller.of("conversation-update")[0]["conversation"][0]["content"]
        assert heard
        assert greeting.startswith(heard)
        assert len(heard) < len(greeting) / 2


async def test_a_protected_first_message_is_never_cut(tmp_path: Path) -> None:
    clip = commands(1)[0]
    greeting = "Hello, you have reached the front desk today."
    async with (
        serving(tmp_path) as url,
        FakeLlm(STORY) as llm,
        FakeVoice() as voice,
        FakeTranscriber(ASKS) as transcriber,
        calling(
            url,
            assistant(llm, voice, transcriber, firstMessage=greeting, firstMessageMode="assistant-speaks-first"),
        ) as caller,
    ):
        await caller.until(lambda: caller.audio)
        await caller.say(clip.samples)
        await caller.until(lambda: caller.of("model-output"))
        assert not caller.of("user-interrupted")
        # What was said over it is answered once it is over.
        chat = caller.of("conversation-update")[-1]["conversation"]
        assert [m["content"] for m in chat] == [greeting, "Tell me a story."]
