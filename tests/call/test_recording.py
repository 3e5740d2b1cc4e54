"""The recording of a live call: the audio that each side heard, at the right time, also if the server dies."""

import os
import re
import subprocess
import sys
import wave
from datetime import datetime
from pathlib import Path
from typing import IO, Any

import anyio
import anyio.to_thread
import numpy as np
import pytest

from bargein.call.record.journal import read
from bargein.call.record.replay import replay
from bargein.store.journals import journal_path
from bargein.store.recordings import recording_path
from bargein.testing import FakeLlm, FakeTranscriber, FakeVoice, TimedReply, TranscriberScript
from bargein.turns.commands import Play
from tests.call.harness import CLOCK, Caller, Sound, assistant, calling, ended, stored
from tests.call.stage import LONG_SPEECH, holds_for, staged

pytestmark = [pytest.mark.anyio, pytest.mark.timed]

RATE = 16_000
NOBODY = TranscriberScript()
CUTS = TranscriberScript(timed=[TimedReply(900, "Stop it", "partial")])


def tone(ms: int) -> np.ndarray:
    return (9000 * np.sin(np.arange(ms * 16) * 2 * np.pi * 500 / RATE)).astype("<i2")


def tracks(path: Path, call_id: str) -> tuple[np.ndarray, np.ndarray]:
    with wave.open(str(recording_path(path, call_id))) as file:
        stereo = np.frombuffer(file.readframes(file.getnframes()), "<i2").reshape(-1, 2)
    return stereo[:, 0], stereo[:, 1]


def happened(path: Path, call_id: str) -> tuple[float, list[float]]:
    """Return the length of a call and when the assistant's audio began, from its journal."""
    head, events = read(journal_path(path, call_id).read_text().splitlines(keepends=True))
    moments = list(replay(head, events))
    sounds = [float(m.at_ms) for m in moments for command in m.commands if isinstance(command, Play)]
    return float(moments[-1].at_ms), sounds


def heard(caller: Caller) -> np.ndarray:
    return np.concatenate([caller.sound.decode(frame) for _, frame in caller.audio])


def place(track: np.ndarray, sound: np.ndarray) -> int:
    """Return the position of a sound in a track, in samples."""
    wanted = sound.astype(float)
    found = np.correlate(track.astype(float), wanted, "valid")
    return int(np.argmax(found))


async def test_both_sides_are_recorded_where_they_sounded(tmp_path: Path) -> None:
    async with staged(tmp_path, transcriber=NOBODY) as stage:
        async with calling(stage.url, stage.assistant()) as caller:
            await caller.until(lambda: caller.of("assistant.started"))
            said_ms = await caller.say(tone(400))
            await holds_for(0.7, lambda: True)
            await caller.send({"type": "say", "content": "One two three four five."})
            await caller.until(lambda: caller.of("speech-update", role="assistant", status="stopped"))
            await holds_for(0.3, lambda: True)
            await caller.send({"type": "end-call"})
            await caller.until_closed()
        await ended(stage.url, caller.id)
        started_at = (await stored(stage.url, caller.id))["startedAt"]
    customer, assistant = tracks(tmp_path, caller.id)
    zero_ms = datetime.fromisoformat(started_at).timestamp() * 1000 - (CLOCK.epoch_ms() - caller.now())
    lasted_ms, (sounded_ms,) = happened(tmp_path, caller.id)
    assert len(customer) / 16 == pytest.approx(lasted_ms, abs=20)
    # The customer's sound is there whole, and not far from when it was said.
    at = place(customer, tone(400))
    assert np.array_equal(customer[at : at + 6400], tone(400))
    assert at / 16 == pytest.approx(said_ms - zero_ms, abs=100)
    # So is every sample that the customer got, from the moment on at which it could be played.
    sound = heard(caller)
    at = place(assistant, sound)
    assert np.array_equal(assistant[at : at + sound.size], sound)
    assert at / 16 == pytest.approx(sounded_ms, abs=20)
    assert not assistant[:at].any()
    assert not assistant[at + sound.size :].any()


async def test_what_was_cut_is_not_in_the_recording(tmp_path: Path) -> None:
    async with staged(tmp_path, transcriber=CUTS) as stage:
        speaker = stage.speaker(firstMessageInterruptionsEnabled=True)
        async with calling(stage.url, speaker) as caller:
            await caller.until(lambda: caller.of("user-interrupted"))
            await holds_for(0.5, lambda: True)
            await caller.send({"type": "end-call"})
            await caller.until_closed()
        await ended(stage.url, caller.id)
    _, assistant = tracks(tmp_path, caller.id)
    sound = heard(caller)
    assert 8_000 < sound.size < 32_000, "about a second of a speech of twenty-seven"
    at = place(assistant, sound)
    assert np.array_equal(assistant[at : at + sound.size], sound)
    assert not assistant[at + sound.size :].any()


async def test_a_telephones_sound_is_recorded_too(tmp_path: Path) -> None:
    async with staged(tmp_path, transcriber=NOBODY) as stage:
        async with calling(stage.url, stage.speaker("One two three."), sound=Sound(8_000, "mulaw", 160)) as caller:
            await caller.until(lambda: caller.of("speech-update", role="assistant", status="stopped"))
            await caller.say(tone(400))
            await holds_for(0.7, lambda: True)
            await caller.send({"type": "end-call"})
            await caller.until_closed()
        await ended(stage.url, caller.id)
    customer, assistant = tracks(tmp_path, caller.id)
    for track, least_ms in ((customer, 350), (assistant, 500)):
        assert np.count_nonzero(np.abs(track) > 300) > least_ms * 4


@pytest.mark.parametrize(
    "off", [{"artifactPlan": {"recordingEnabled": False}}, {"recordingEnabled": False}], ids=["plan", "legacy"]
)
async def test_who_wants_no_recording_gets_none(tmp_path: Path, off: dict[str, Any]) -> None:
    async with staged(tmp_path, transcriber=NOBODY) as stage:
        async with calling(stage.url, stage.speaker("One two.", **off)) as caller:
            await caller.until(lambda: caller.of("speech-update", role="assistant", status="stopped"))
            await caller.send({"type": "end-call"})
            await caller.until_closed()
        await ended(stage.url, caller.id)
    assert not recording_path(tmp_path, caller.id).exists()


@pytest.mark.parametrize("first", [True, False], ids=["the first", "the second"])
async def test_of_two_assistants_the_one_who_wants_it_is_recorded(tmp_path: Path, first: bool) -> None:
    """The other assistant's part is silence, and the artifact has a recording."""

    def one(name: str, recorded: bool, **plan: Any) -> dict[str, Any]:
        return stage.speaker(f"{name} is speaking.", name=name, artifactPlan={"recordingEnabled": recorded, **plan})

    async with staged(tmp_path, transcriber=NOBODY) as stage:
        ada, bea = one("Ada", first), one("Bea", not first, transcriptPlan={"assistantName": "Bea"})
        async with calling(stage.url, ada) as caller:
            stops = {"role": "assistant", "status": "stopped"}
            await caller.until(lambda: caller.of("speech-update", **stops))
            await caller.send({"type": "handoff", "destination": {"type": "assistant", "assistant": bea}})
            await caller.until(lambda: len(caller.of("speech-update", **stops)) == 2)
            await caller.send({"type": "end-call"})
            await caller.until_closed()
            (_, switched) = caller.of("assistant.started")
        record = await stored(stage.url, caller.id, until=lambda call: call["status"] == "ended")
    _, assistant = tracks(tmp_path, caller.id)
    # a recording begins with the call, a little before the first message: the call's start is stored in between
    began = datetime.fromisoformat(record["startedAt"])
    middle = round((switched["timestamp"] - began.timestamp() * 1000) * 16)
    parts = [np.count_nonzero(np.abs(track) > 300) for track in (assistant[:middle], assistant[middle:])]
    assert (parts[0] > 0, parts[1] > 0) == (first, not first)
    assert record["artifactPlan"]["recordingEnabled"] is True
    assert record["artifact"]["recordingUrl"]
    assert "Bea: Bea is speaking." in record["artifact"]["transcript"]


async def test_a_full_disk_never_costs_the_call(tmp_path: Path) -> None:
    (tmp_path / "recordings").write_bytes(b"")
    async with staged(tmp_path, transcriber=NOBODY) as stage:
        async with calling(stage.url, stage.speaker()) as caller:
            await caller.until(lambda: len(caller.audio) > 150)  # three seconds, well beyond its first write
            assert caller.gaps().busy_ms < 100
            await caller.send({"type": "end-call"})
            assert await caller.until_closed() == 1000
        assert await ended(stage.url, caller.id) == "customer-ended-call"


async def test_a_recording_outlasts_a_server_that_is_killed(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "bargein", "serve", "--host", "127.0.0.1", "--port", "0"]
    process = subprocess.Popen(  # noqa: ASYNC220  # starting takes a moment
        command,
        env={**os.environ, "BARGEIN_DATA_DIR": str(tmp_path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        assert process.stdout is not None
        url = await anyio.to_thread.run_sync(_address_of, process.stdout)
        async with FakeVoice() as voice, FakeLlm() as llm, FakeTranscriber(NOBODY) as transcriber:
            speaker = assistant(
                llm, voice, transcriber, firstMessage=LONG_SPEECH, firstMessageMode="assistant-speaks-first"
            )
            async with calling(url, speaker) as caller:
                await caller.until(lambda: len(caller.audio) > 20)
                await caller.say(tone(5000))
                await holds_for(4, lambda: True)
                killed_at_ms = CLOCK.epoch_ms()
                process.kill()
                await caller.until_closed()
    finally:
        process.kill()
        process.communicate()
    customer, spoken = tracks(tmp_path, caller.id)
    head, _ = read(journal_path(tmp_path, caller.id).read_text().splitlines(keepends=True))
    lasted_ms = killed_at_ms - datetime.fromisoformat(head.started_at).timestamp() * 1000
    assert lasted_ms - 2500 < customer.size / 16 < lasted_ms
    assert np.abs(customer[-8000:]).max() == np.abs(tone(100)).max()
    sound = heard(caller)[: 16 * 500]
    at = place(spoken, sound)
    assert np.array_equal(spoken[at : at + sound.size], sound)


def _address_of(output: IO[str]) -> str:
    for line in output:
        if found := re.search(r"http://127\.0\.0\.1:\d+", line):
            return found.group()
    raise AssertionError("the server did not come up")
