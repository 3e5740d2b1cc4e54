"""The runs of voice in a clip, as a call would hear them, and what the judge would get of each at every age."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from bargein.audio.pcm import Float32Array
from bargein.audio.voice import WINDOW_MS, WINDOW_SAMPLES, VoiceGate
from bargein.call.overlap import AGES_MS, LEAD_MS
from bargein.providers.embedded.floor import features
from bargein.providers.embedded.moonshine_model import MoonshineModel
from bargein.providers.embedded.runtime import Session
from bargein.turns.interruption import BRIDGED_DIP_MS

RATE_HZ = 16_000
_WINDOW = WINDOW_SAMPLES[RATE_HZ]
_PER_MS = RATE_HZ // 1000


@dataclass(frozen=True, slots=True)
class Run:
    """One run of voice.

    Attributes:
        onset_ms: where it begins, in the sound.
        rows: what is judged of it, for each of `AGES_MS`.
    """

    onset_ms: float
    rows: Float32Array


def probabilities(silero: Session, sound: Float32Array) -> Float32Array:
    """The detector's answer for each window."""
    state, context = np.zeros((2, 1, 128), dtype=np.float32), np.zeros(64, dtype=np.float32)
    answers: list[float] = []
    for at in range(0, sound.size - _WINDOW + 1, _WINDOW):
        window = sound[at : at + _WINDOW]
        feeds = {"input": np.concatenate((context, window))[np.newaxis], "state": state, "sr": np.array(RATE_HZ)}
        output, state = silero.run(feeds)
        answers.append(float(output.ravel()[0]))
        context = window[-64:]
    return np.array(answers, dtype=np.float32)


def runs(silero: Session, model: MoonshineModel, sound: Float32Array, most: int) -> Iterator[Run]:
    """The first `most` runs of voice that are heard long enough to be judged at every age."""
    answers = probabilities(silero, sound)
    gate, offset_ms, found = VoiceGate(), -1e9, 0
    for number, answer in enumerate(answers):
        edge = gate.push(float(answer), (number + 1) * WINDOW_MS)
        if edge is None:
            continue
        if not edge.voiced:
            offset_ms = edge.at_ms
        elif edge.at_ms - offset_ms > BRIDGED_DIP_MS and found < most:
            if (edge.at_ms + AGES_MS[-1]) * _PER_MS > sound.size:
                return
            found += 1
            yield Run(edge.at_ms, _rows(model, sound, answers, edge.at_ms))


def _rows(model: MoonshineModel, sound: Float32Array, answers: Float32Array, onset_ms: int) -> Float32Array:
    begin, first = max(0, onset_ms - LEAD_MS) * _PER_MS, onset_ms // WINDOW_MS
    rows = [
        features(
            model,
            sound[begin : (onset_ms + age_ms) * _PER_MS],
            tuple(map(float, answers[first : first + age_ms // WINDOW_MS])),
            age_ms,
        )
        for age_ms in AGES_MS
    ]
    return np.stack(rows)
