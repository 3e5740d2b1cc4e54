"""The runs of voice in a clip as a call detects them, and the classifier's input for each of them at every age."""

from collections import deque
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from bargein.audio import pcm
from bargein.audio.pcm import Float32Array
from bargein.audio.voice import WINDOW_MS, WINDOW_SAMPLES, VoiceGate
from bargein.call.hearing.overlap import AGES_MS, LEAD_MS, window_levels_db, windows_before_onset
from bargein.providers.embedded.interruption_classifier import features
from bargein.providers.embedded.moonshine_model import MoonshineModel
from bargein.providers.embedded.runtime import Session
from bargein.providers.embedded.vad import StreamState
from bargein.turns.interruption.explicit import BRIDGED_DIP_MS
from training.interruption_classifier.circumstances import Heard

RATE_HZ = 16_000
_PER_MS = RATE_HZ // 1000
_WINDOW = WINDOW_MS * _PER_MS


@dataclass(frozen=True, slots=True)
class Run:
    """One run of voice.

    Attributes:
        onset_ms: beginning of the run, in the sound.
        known_ms: age of the run at which the detector recognised it.
        rows: features of the run, for each of `AGES_MS`; NaN at the ages that were not asked for.
    """

    onset_ms: float
    known_ms: float
    rows: Float32Array


def _probabilities(silero: Session, heard: Heard) -> Iterator[float]:
    """Yield the voice detector's probability for each window; a clip from a telephone is processed at 8 kHz."""
    narrow = heard.narrow is not None
    rate_hz = 8_000 if narrow else RATE_HZ
    sound = pcm.to_float(heard.narrow) if heard.narrow is not None else heard.sound
    window_size = WINDOW_SAMPLES[rate_hz]
    stream_state = StreamState(rate_hz)
    for at in range(0, sound.size - window_size + 1, window_size):
        yield stream_state.infer(silero, sound[at : at + window_size])


def runs(
    silero: Session, model: MoonshineModel, heard: Heard, most: int, ages_ms: Collection[int] = AGES_MS
) -> Iterator[Run]:
    """Yield the first `most` runs of voice that are long enough for every age, with their features at `ages_ms`."""
    levels_db = window_levels_db(heard.sound[: heard.sound.size // _WINDOW * _WINDOW], _WINDOW)
    answers: list[float] = []
    waiting: deque[tuple[int, int]] = deque()
    gate, offset_ms, found = VoiceGate(), -1e9, 0
    for answer in _probabilities(silero, heard):
        answers.append(answer)
        end_ms = len(answers) * WINDOW_MS
        edge = gate.push(answer, end_ms)
        if edge is not None and not edge.voiced:
            offset_ms = edge.at_ms
        elif edge is not None and edge.at_ms - offset_ms > BRIDGED_DIP_MS and found < most:
            earlier_ms = WINDOW_MS * windows_before_onset(answers, levels_db[: len(answers)].tolist())
            found += 1
            waiting.append((int(max(edge.at_ms - earlier_ms, offset_ms, 0)), end_ms))
        if waiting and end_ms >= waiting[0][0] + AGES_MS[-1]:
            onset_ms, known_ms = waiting.popleft()
            yield Run(onset_ms, known_ms - onset_ms, _rows(model, heard.sound, answers, onset_ms, ages_ms))
        if found == most and not waiting:
            return


def _rows(
    model: MoonshineModel, sound: Float32Array, answers: Sequence[float], onset_ms: int, ages_ms: Collection[int]
) -> Float32Array:
    before, first = np.zeros(LEAD_MS * _PER_MS, dtype=np.float32), onset_ms // WINDOW_MS
    begin = onset_ms * _PER_MS  # the sound begins with silence: this is where the lead begins
    whole = np.concatenate((before, sound))
    rows = {
        age_ms: features(
            model,
            whole[begin : begin + (LEAD_MS + age_ms) * _PER_MS],
            tuple(answers[first : first + age_ms // WINDOW_MS]),
            age_ms,
        )
        for age_ms in ages_ms
    }
    unasked = np.full_like(next(iter(rows.values())), np.nan)
    return np.stack([rows.get(age_ms, unasked) for age_ms in AGES_MS])
