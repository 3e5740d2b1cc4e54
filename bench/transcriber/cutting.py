"""The utterances of a sound, cut as the audio input of a call cuts them for the transcriber."""

import anyio
import numpy as np

from bargein.audio import pcm
from bargein.audio.pcm import Int16Array
from bargein.audio.voice import PauseGate, UtteranceGate, VoiceGate
from bargein.call.hearing.audio_input import PAUSE_MS, UTTERANCE_HANG_MS
from bargein.ports import TRANSCRIBER_RATE_HZ
from bargein.providers.embedded.expected_answer import OPEN, ExpectedAnswer
from bargein.providers.embedded.moonshine_model import NO_WORDS, Transcript
from bargein.providers.embedded.stt import MoonshineStream
from bargein.providers.embedded.vad import SileroDetector, StreamState

_WINDOW = 512
_SETTLE = 4


class _Numbering:
    """A decoder that numbers the audio that it gets instead of transcribing it."""

    def __init__(self) -> None:
        self.audio: list[Int16Array] = []

    async def decode(self, audio: Int16Array, *, partial: bool, expected: ExpectedAnswer = OPEN) -> Transcript:
        del expected
        if partial:
            return NO_WORDS
        self.audio.append(audio)
        return Transcript(str(len(self.audio) - 1), 0.0)


async def utterances(detector: SileroDetector, samples: Int16Array) -> list[Int16Array]:
    """Return the audio of each final transcript of a sound at 16 kHz."""
    decoder, finals = _Numbering(), list[int]()

    def on_transcript(text: str, final: bool, /, *_: object, **__: object) -> None:  # noqa: FBT001 - the port's callback
        if final and text:
            finals.append(int(text))

    stream = MoonshineStream(decoder, on_transcript)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(stream.run)
        await _feed(stream, detector, samples)
        tasks.cancel_scope.cancel()
    return [decoder.audio[number] for number in finals]


async def _feed(stream: MoonshineStream, detector: SileroDetector, samples: Int16Array) -> None:
    session, state = detector.load(), StreamState(TRANSCRIBER_RATE_HZ)
    voice, pause, utterance = VoiceGate(), PauseGate(PAUSE_MS), UtteranceGate(UTTERANCE_HANG_MS)
    floats = pcm.to_float(samples)
    for at in range(0, samples.size - _WINDOW + 1, _WINDOW):
        window = samples[at : at + _WINDOW]
        stream.feed(window, np.zeros_like(window))
        end_ms = (at + _WINDOW) * 1000 / TRANSCRIBER_RATE_HZ
        edge = voice.push(state.infer(session, floats[at : at + _WINDOW]), end_ms)
        paused = pause.push(edge, end_ms)
        if paused:
            stream.voice_paused()
        elif paused is False:
            stream.voice_resumed()
        change = utterance.push(edge, end_ms)
        if change is not None and change.started:
            stream.voice_started(round(end_ms) - change.at_ms)
        elif change is not None:
            stream.voice_stopped()
        if paused is not None or change is not None:
            for _ in range(_SETTLE):
                await anyio.lowlevel.checkpoint()
