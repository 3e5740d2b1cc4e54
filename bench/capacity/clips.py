"""Utterances of the callers of the capacity benchmark: recordings at one level, cut into frames beforehand."""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bargein.audio.pcm import Int16Array, from_float, to_float
from bargein.audio.voice import WINDOW_SAMPLES
from bargein.client.clips import levels_db, load_clip
from bargein.providers.embedded.runtime import Session
from bargein.providers.embedded.vad import SileroDetector, StreamState

RATE_HZ = 16_000
FRAME_MS = 20
_FRAME_SAMPLES = RATE_HZ * FRAME_MS // 1000

CLIPS = 8
_LEVEL_DBFS = -26.0
_HOP_MS = 5
_BELOW_PEAK_DB = 30.0

_PLACES = 8
_QUIET_FRAMES = 75
_WINDOW = WINDOW_SAMPLES[RATE_HZ]
_FIRST_WINDOWS, _VOICED_WINDOWS = 3, 8
_VOICED = 0.5

_LONGEST_VOICE_MS = 2300
_FIRM_MS = 400
_FIRM_GAP_MS = 30
_INNER_GAP_MS = 220
_ONSETS_AGREE_MS = 20


@dataclass(frozen=True, slots=True)
class Utterance:
    """An utterance of a caller.

    Attributes:
        name: path of its recording.
        frames: 20 ms of `pcm_s16le` at 16 kHz each.
        onset_ms: start of the voice, by energy.
        voice_end_ms: end of the voice.
    """

    name: str
    frames: tuple[bytes, ...]
    onset_ms: float
    voice_end_ms: float


def recorded(folder: Path, count: int = CLIPS) -> list[Utterance]:
    """Return spoken commands of the collection at `folder` (with a MANIFEST.tsv), always the same ones.

    They are chosen so that load, and not the clip, decides how soon the assistant stops: the voice starts abruptly,
    where the manifest's two measures of the onset agree, and its pauses are too short to make two utterances of it.
    Harder clips are the subject of `bench.interruption`.

    Raises:
        FileNotFoundError: there is no such collection.
    """
    with (folder / "MANIFEST.tsv").open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE) if _is_clear(row)]
    chosen: list[Utterance] = []
    for row in sorted(rows, key=lambda row: row["path"]):
        pcm = load_clip(folder / row["path"], RATE_HZ).pcm
        onset_ms = 1000 * float(row["energy_onset_s"])
        if _is_firm(pcm, onset_ms):
            chosen.append(_utterance(row["path"], pcm, onset_ms, 1000 * float(row["speech_offset_s"])))
        if len(chosen) == count:
            break
    return chosen


def heard_at_once(clips: Sequence[Utterance], count: int = CLIPS) -> list[Utterance]:
    """Return the first clips in which the detector finds one continuous voice for every alignment of its windows.

    Frames of 20 ms start a voice at one of eight places in windows of 32 ms. At one place in a hundred the detector
    takes the middle of a vowel for a pause, and `voiceSeconds` of 0.2 is reached 0.2 s later: among a dozen
    interruptions that one would be the 95th percentile at any load.
    """
    session = SileroDetector().load()
    chosen: list[Utterance] = []
    for clip in clips:
        if len(chosen) < count and all(_voice_lasts(session, clip, place) for place in range(_PLACES)):
            chosen.append(clip)
    return chosen


def _voice_lasts(session: Session, clip: Utterance, place: int) -> bool:
    """Return whether the voice is detected within three windows of its onset, and for 250 ms without a gap."""
    before = room_noise(_QUIET_FRAMES + place)
    sound = to_float(np.frombuffer(b"".join((*before, *clip.frames)), dtype="<i2").astype(np.int16))
    onset = int(len(before) * _FRAME_SAMPLES + clip.onset_ms * RATE_HZ / 1000) // _WINDOW
    stream_state, windows = StreamState(RATE_HZ), sound[: sound.size // _WINDOW * _WINDOW].reshape(-1, _WINDOW)
    until = onset + _FIRST_WINDOWS + _VOICED_WINDOWS
    voiced = [stream_state.infer(session, window) >= _VOICED for window in windows[:until]]
    first = next((at for at in range(onset, len(voiced)) if voiced[at]), len(voiced))
    return first < onset + _FIRST_WINDOWS and all(voiced[first : first + _VOICED_WINDOWS])


def room_noise(frames: int = 50) -> tuple[bytes, ...]:
    """Return a second of a microphone's noise in a quiet room: -72 dBFS."""
    random = np.random.default_rng(0)
    return tuple(
        random.integers(-14, 14, _FRAME_SAMPLES, dtype=np.int16).astype("<i2").tobytes() for _ in range(frames)
    )


def _is_clear(row: dict[str, str]) -> bool:
    if row["class"] != "interrupt.command":
        return False
    onset_s, start_s, end_s = (float(row[name]) for name in ("energy_onset_s", "speech_onset_s", "speech_offset_s"))
    return abs(onset_s - start_s) * 1000 <= _ONSETS_AGREE_MS and (end_s - onset_s) * 1000 <= _LONGEST_VOICE_MS


def _is_firm(pcm: Int16Array, onset_ms: float) -> bool:
    levels = levels_db(pcm, RATE_HZ)
    active = levels >= levels.max() - _BELOW_PEAK_DB
    first = round(onset_ms / _HOP_MS)
    last = int(np.flatnonzero(active)[-1])
    return (
        _longest_gap_ms(active[first : first + _FIRM_MS // _HOP_MS]) <= _FIRM_GAP_MS
        and _longest_gap_ms(active[first : last + 1]) <= _INNER_GAP_MS
    )


def _longest_gap_ms(active: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> float:
    edges = np.flatnonzero(np.diff(np.concatenate(([True], active, [True])).astype(np.int8)))
    return 0.0 if edges.size == 0 else float((edges[1::2] - edges[::2]).max()) * _HOP_MS


def _utterance(name: str, pcm: Int16Array, onset_ms: float, end_ms: float) -> Utterance:
    levels = levels_db(pcm, RATE_HZ)
    loud = levels[levels >= levels.max() - _BELOW_PEAK_DB]
    active_dbfs = 10 * np.log10(np.mean(10 ** (loud / 10)))
    level = from_float(to_float(pcm) * np.float32(10 ** ((_LEVEL_DBFS - active_dbfs) / 20)))
    padded = np.zeros(-(-level.size // _FRAME_SAMPLES) * _FRAME_SAMPLES, dtype="<i2")
    padded[: level.size] = level
    frames = tuple(piece.tobytes() for piece in padded.reshape(-1, _FRAME_SAMPLES))
    # The rest of the clip is not needed: the transcriber waits for silence, which the room noise provides.
    return Utterance(name, frames[: int(end_ms // FRAME_MS) + 2], onset_ms, end_ms)
