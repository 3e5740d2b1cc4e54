"""A real cough stops the assistant in a real call: it resumes soon, at a clause, and once; the recording shows it."""

import wave
from pathlib import Path

import numpy as np
import pytest

from bargein.call.record.journal import read
from bargein.call.record.replay import replay
from bargein.ports import InterruptionScore, OverlappingSpeech
from bargein.store.journals import journal_path
from bargein.store.recordings import recording_path
from bargein.testing import FakeLlm, FakeTranscriber, FakeVoice, LlmScript, TimedReply, TranscriberScript, VoiceScript
from bargein.turns.commands import Decide, KeepReply, Play
from bargein.turns.events import VoiceStopped
from bargein.turns.phrases import word_spans
from tests.call.harness import Caller, DetectorOnly, assistant, calling, ended, serving, speech
from tests.call.stage import holds_for
from tests.speech import SPEECH

pytestmark = [pytest.mark.anyio, pytest.mark.timed]

ANSWER = (
    "Your table is booked, for two people at nine. The garden is open until eleven, if it is warm, and dogs are welcome"
    " there. If you come by car, there is room in the yard behind the house. Please ring the bell, and somebody will"
    " open the gate."
)
ANSWERS = LlmScript(tokens=[f"{word} " for word in ANSWER.split()])
ONCE = TranscriberScript(timed=[TimedReply(300, "Is it booked?")])
SLOW_VOICE = VoiceScript(body="ndjson", first_ms=200)
WITHIN_MS = 600


class TakesAllForInterruptions:
    """A classifier that is wrong about every cough."""

    async def classify(self, overlap: OverlappingSpeech) -> InterruptionScore:
        del overlap
        return InterruptionScore(0.97, 0.0)


def deceived() -> DetectorOnly:
    embedded = DetectorOnly()
    embedded.interruption_classifier = TakesAllForInterruptions()
    return embedded


async def hears(caller: Caller, words: int) -> None:
    """Wait until the caller has heard so many words of the answer."""
    await caller.until(
        lambda: any(len(m["transcript"].split()) >= words for m in caller.of("transcript", role="assistant"))
    )


async def test_a_cough_stops_the_assistant_and_it_resumes(tmp_path: Path) -> None:
    cough = speech(SPEECH / "noise/cough_bmc_S9.flac")[: 700 * 16]
    async with (
        serving(tmp_path, deceived()) as url,
        FakeLlm(ANSWERS) as llm,
        FakeVoice(SLOW_VOICE) as voice,
        FakeTranscriber(ONCE) as transcriber,
    ):
        about = assistant(llm, voice, transcriber)
        del about["stopSpeakingPlan"]
        async with calling(url, about) as caller:
            await hears(caller, 5)
            await caller.say(cough)
            await caller.until(lambda: caller.of("user-interrupted"))
            await caller.until(lambda: len(caller.of("speech-update", role="assistant", status="started")) == 2)
            await holds_for(1.5, lambda: True)
            await caller.send({"type": "end-call"})
            await caller.until_closed()
        await ended(url, caller.id)
        assert len(llm.exchanges) == 1, "the model is not asked again"

    # What the client was told: the first turn is void, and the rest has a turn of its own.
    (cut,) = caller.of("user-interrupted")
    outputs = caller.of("model-output")
    rest = outputs[-1]
    assert rest["turnId"] != cut["turnId"]
    assert {m["turnId"] for m in outputs[:-1]} == {cut["turnId"]}
    assert ANSWER.endswith(rest["output"])
    heard = next(m["content"] for m in caller.of("conversation-update")[-1]["conversation"] if m["role"] == "assistant")
    begin = len(ANSWER) - len(rest["output"])
    assert begin in {start for start, _ in word_spans(ANSWER)}
    assert begin <= len(heard) + 1, "nothing is left out"
    statuses = [m["status"] for m in caller.of("speech-update", role="assistant")]
    assert statuses[:3] == ["started", "stopped", "started"]

    # When it did so, by the journal and by the recording.
    head, events = read(journal_path(tmp_path, caller.id).read_text().splitlines(keepends=True))
    moments = list(replay(head, events))
    plays = [m.at_ms for m in moments for c in m.commands if isinstance(c, Play)]
    cut_ms = next(m.at_ms for m in moments for c in m.commands if isinstance(c, Decide) and c.what == "stopped")
    silent_ms = next(
        m.event.offset_ms for m in reversed(moments) if isinstance(m.event, VoiceStopped) and m.at_ms < plays[1]
    )
    kept = [m.at_ms for m in moments for c in m.commands if isinstance(c, KeepReply) and m.at_ms > cut_ms]
    assert len(plays) == 2
    assert len(kept) == 1, "it was prepared"
    assert kept[0] - silent_ms == pytest.approx(450, abs=50)
    assert plays[1] - silent_ms <= WITHIN_MS
    with wave.open(str(recording_path(tmp_path, caller.id))) as file:
        track = np.frombuffer(file.readframes(file.getnframes()), "<i2").reshape(-1, 2)[:, 1]
    levels = np.abs(track[: track.size // 160 * 160].reshape(-1, 160).astype(int)).max(axis=1)  # of each 10 ms
    assert levels[cut_ms // 10 - 20 : cut_ms // 10].max() > 1000, "it speaks"
    assert levels[cut_ms // 10 + 10 : plays[1] // 10 - 2].max() < 100, "it is silent"
    assert levels[plays[1] // 10 : plays[1] // 10 + 10].max() > 1000, "it speaks again"


async def test_words_after_the_stop_leave_the_rest_unsaid(tmp_path: Path) -> None:
    cough = speech(SPEECH / "noise/cough_bmc_S9.flac")[: 700 * 16]
    script = TranscriberScript(timed=ONCE.timed, utterances=["Which garden?"])
    async with (
        serving(tmp_path, deceived()) as url,
        FakeLlm(ANSWERS) as llm,
        FakeVoice(SLOW_VOICE) as voice,
        FakeTranscriber(script) as transcriber,
    ):
        about = assistant(llm, voice, transcriber)
        del about["stopSpeakingPlan"]
        async with calling(url, about) as caller:
            await hears(caller, 5)
            await caller.say(cough)
            await caller.until(lambda: caller.of("user-interrupted"))
            (cut,) = caller.of("user-interrupted")
            await caller.until(lambda: len(caller.of("speech-update", role="assistant", status="started")) == 2)
            await holds_for(1.0, lambda: True)
    turns = list(dict.fromkeys(m["turnId"] for m in caller.of("model-output")))
    assert len(turns) == 2
    second = "".join(m["output"] for m in caller.of("model-output", turnId=turns[1]))
    assert turns[0] == cut["turnId"]
    assert second
    assert ANSWER.startswith(second.strip()), "an answer, and not the rest of the one before"
