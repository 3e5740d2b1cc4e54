"""The words that were heard of an interrupted answer: history, messages and audio agree."""

import json
from dataclasses import dataclass, field
from typing import Any

import anyio
import numpy as np
import pytest
from training.interruption_classifier.stage import (
    WORD_MS,
    Archive,
    StageClock,
    StageLeg,
    StageModel,
    StageVoice,
    call_record,
    run_on_stage,
)

from bargein.audio import pcm
from bargein.call.context import AgentSetup, Providers
from bargein.call.plan.compile import compile_plan
from bargein.call.session import CallSession
from bargein.ports import NullRecorder
from bargein.wire.assistant import Assistant

FRAME_MS = 20
LONG = 40
"""The number of words that the assistant would say."""


class Loudness:
    """A detector that takes every sound for a voice."""

    def open(self, rate_hz: int, on_probability: Any) -> "Loudness":
        del rate_hz
        self.on_probability = on_probability
        return self

    def push(self, window: Any, end_ms: float) -> None:
        self.on_probability(float(np.abs(window).max() > 0.01), end_ms)

    def close(self) -> None: ...


class Deaf:
    """A transcriber without any transcripts; it keeps the questions."""

    def __init__(self) -> None:
        self.questions: list[str] = []

    def open(self, on_transcript: Any) -> "Deaf":
        del on_transcript
        return self

    def feed(self, customer: Any, assistant: Any) -> None: ...

    def expect(self, question: str) -> None:
        self.questions.append(question)

    def voice_started(self, lead_ms: int) -> None: ...

    def voice_stopped(self) -> None: ...

    def voice_paused(self) -> None: ...

    def voice_resumed(self) -> None: ...

    async def run(self) -> None:
        await anyio.sleep_forever()


class Untimed(StageVoice):
    """The same voice without word timings."""

    async def speak(self, text: str) -> Any:
        async for chunk in super().speak(text):
            yield type(chunk)(chunk.pcm, chunk.rate_hz)


@dataclass
class ReceivedByClient:
    """The messages and audio that the client of a simulated call received."""

    messages: list[dict[str, Any]] = field(default_factory=list)
    heard_ms: float = 0.0
    counting: bool = True

    def receive_message(self, text: str) -> None:
        message = json.loads(text)
        self.messages.append(message)
        # What comes after the cut is another answer's.
        self.counting = self.counting and message["type"] != "user-interrupted"

    def receive_audio(self, samples: np.ndarray) -> None:
        if self.counting and np.abs(samples).max() > 50:
            self.heard_ms += samples.size / 16

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [message for message in self.messages if message["type"] == kind]


async def cut_after(voice: StageVoice, received: ReceivedByClient, sounding_ms: int, transcriber: Deaf) -> None:
    """Run a call in which a voice interrupts a long speech after so much of it."""
    given = {
        "firstMessage": voice.text,
        "firstMessageInterruptionsEnabled": True,
        "stopSpeakingPlan": {"voiceSeconds": 0.2},
        "clientMessages": [
            "conversation-update",
            "transcript",
            "user-interrupted",
            "voice-input",
            "assistant.speechStarted",
        ],
    }
    assistant = Assistant.model_validate(given)
    setup = AgentSetup(call=call_record(0), assistant=assistant, assistant_json=given, plan=compile_plan(assistant))
    leg = StageLeg(telephone=False, on_audio=received.receive_audio, on_message=received.receive_message)
    archive, clock = Archive(), StageClock()
    providers = Providers(detector=Loudness(), transcriber=transcriber, model=StageModel("Go on."), voice=voice)
    session = CallSession(
        setup, providers, leg, clock=clock, records=archive, sink=archive, recorder=NullRecorder()
    )  # fmt: skip
    quiet = np.zeros(16 * FRAME_MS, dtype=np.float32)
    loud = 0.3 * np.sin(np.arange(16 * FRAME_MS) / 5, dtype=np.float32)
    async with anyio.create_task_group() as tasks:
        await session.record_start()
        tasks.start_soon(session.run)
        for _ in range((sounding_ms + 1500) // FRAME_MS):
            await anyio.sleep(FRAME_MS / 1000)
            speaks = received.heard_ms >= sounding_ms and received.counting
            session.receive_audio(leg.encode(pcm.from_float(loud if speaks else quiet)))
        session.hang_up("customer-ended-call")


def tone() -> np.ndarray:
    return 0.3 * np.sin(np.arange(LONG * WORD_MS * 16) / 7).astype(np.float32)


@pytest.mark.parametrize("sounding_ms", [1000, 1170, 2400, 5000])
@pytest.mark.parametrize(("voice", "within"), [(StageVoice, 1), (Untimed, 2)])
def test_history_and_messages_agree_with_what_sounded(voice: type[StageVoice], within: int, sounding_ms: int) -> None:
    received = ReceivedByClient()
    speaker, transcriber = voice(tone()), Deaf()
    run_on_stage(cut_after, speaker, received, sounding_ms, transcriber)
    (_,) = received.of("user-interrupted")
    after = received.messages[received.messages.index(received.of("user-interrupted")[0]) :]
    history = next(message for message in after if message["type"] == "conversation-update")
    remembered = history["messages"][-1]["message"]
    sounded = received.heard_ms / WORD_MS
    assert sounding_ms + 120 <= received.heard_ms <= sounding_ms + 320, "it was cut when the plan says"
    assert abs(len(remembered.split()) - int(sounded)) <= within, "what is remembered is what sounded"
    assert len(remembered.split()) <= sounded + 1, "and hardly ever more"
    assert remembered in transcriber.questions, "and what the transcriber is told the caller answers"
    transcript = next(m for m in after if m["type"] == "transcript" and m["transcriptType"] == "final")
    assert transcript["transcript"] == remembered, "the transcript says the same"
    progress = [
        m
        for m in received.of("assistant.speechStarted")
        if received.messages.index(m) < received.messages.index(history)
    ]
    assert progress[-1]["timing"]["wordsSpoken"] == len(remembered.split()), "and so does the count of words"
    assert progress[-1]["text"].startswith(remembered)
    said = [message["input"] for message in received.of("voice-input")]
    assert said[0].startswith(remembered), "it is the beginning of what the voice was given"
