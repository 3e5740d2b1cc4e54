"""The runs of voice in a clip as a call detects them, and the classifier's input for each of them at every age."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from bargein.audio import pcm
from bargein.audio.pcm import Float32Array
from bargein.audio.voice import WINDOW_MS, WINDOW_SAMPLES, VoiceGate
from bargein.call.hearing.overlap import AGES_MS, LEAD_MS
from bargein.providers.embedded.interruption_classifier import features
from bargein.providers.embedded.moonshine_model import MoonshineModel
from bargein.providers.embedded.runtime import Session
from bargein.providers.embedded.vad import StreamState
from bargein.turns.interruption.explicit import BRIDGED_DIP_MS
from training.interruption_classifier.circumstances import Heard

RATE_HZ = 16_000
_PER_MS = RATE_HZ // 1000


@dataclass(frozen=True, slots=True)
class Run:
    """One run of voice.

    Attributes:
        onset_ms: start of the run, in the sound.
        rows: features of the run, for each of `AGES_MS`.
    """

    onset_ms: float
    rows: Float32Array


def probabilities(silero: Session, heard: Heard) -> Float32Array:
    """Return the voice detector's probability for each window; a clip from a telephone is processed at 8 kHz."""
    narrow = heard.narrow is not None
    rate_hz = 8_000 if narrow else RATE_HZ
    sound = pcm.to_float(heard.narrow) if heard.narrow is not None else heard.sound
    window_size = WINDOW_SAMPLES[rate_hz]
    stream_state, begins = StreamState(rate_hz), range(0, sound.size - window_size + 1, window_size)
    return np.array([stream_state.infer(silero, sound[at : at + window_size]) for at in begins], dtype=np.float32)


def runs(silero: Session, model: MoonshineModel, heard: Heard, most: int) -> Iterator[Run]:
    """Yield the first `most` runs of voice that are long enough for every age."""
    answers = probabilities(silero, heard)
    gate, offset_ms, found = VoiceGate(), -1e9, 0
    for number, answer in enumerate(answers):
        edge = gate.push(float(answer), (number + 1) * WINDOW_MS)
        if edge is None:
            continue
        if not edge.voiced:
            offset_ms = edge.at_ms
        elif edge.at_ms - offset_ms > BRIDGED_DIP_MS and found < most:
            if (edge.at_ms + AGES_MS[-1]) * _PER_MS > heard.sound.size:
                return
            found += 1
            yield Run(edge.at_ms, _rows(model, heard.sound, answers, edge.at_ms))


def _rows(model: MoonshineModel, sound: Float32Array, answers: Float32Array, onset_ms: int) -> Float32Array:
    before, first = np.zeros(LEAD_MS * _PER_MS, dtype=np.float32), onset_ms // WINDOW_MS
    begin = onset_ms * _PER_MS  # the sound begins with silence: this is where the lead begins
    whole = np.concatenate((before, sound))
    rows = [
        features(
            model,
            whole[begin : begin + (LEAD_MS + age_ms) * _PER_MS],
            tuple(map(float, answers[first : first + age_ms // WINDOW_MS])),
            age_ms,
        )
        for age_ms in AGES_MS
    ]
    return np.stack(rows)
