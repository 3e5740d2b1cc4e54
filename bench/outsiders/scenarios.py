"""The conversations that the clients hold, as files of their own formats, with recordings of people."""

import json
from pathlib import Path

import numpy as np
import soundfile
import soxr

from bench.interruption.conditions import RATE_HZ, SPEECH_DBFS
from bench.interruption.recordings import at_level, read

QUESTION = "interrupt/intent_10222c57.flac"
INTERRUPTION = "interrupt/intent_3da49d22.flac"
BACKCHANNEL = "backchannel/sc_right_4620dc14_nohash_1.flac"
COUGH = "noise/cough_bmc_S9.flac"

_NARROW_HZ = 8_000
"""streamdouble resamples only with a package that it does not require."""


def write_scenarios(data: Path, folder: Path) -> tuple[Path, Path]:
    """Write the recordings as WAV files, and both scenarios; return the paths of voicebench's and streamdouble's.

    JSON is YAML, so the files are JSON.

    Args:
        data: folder of a collection with the recordings above.
        folder: folder for all files.
    """
    for clip in (QUESTION, INTERRUPTION, BACKCHANNEL, COUGH):
        samples = at_level(read(data / clip), SPEECH_DBFS)
        soundfile.write(folder / _wav(clip), np.clip(samples, -1, 1), RATE_HZ, subtype="PCM_16")
        narrow = np.clip(soxr.resample(samples, RATE_HZ, _NARROW_HZ), -1, 1)
        soundfile.write(folder / f"8khz-{_wav(clip)}", narrow, _NARROW_HZ, subtype="PCM_16")
    voicebench, streamdouble = folder / "voicebench.yaml", folder / "streamdouble.yaml"
    voicebench.write_text(json.dumps(_for_voicebench(), indent=1), encoding="utf-8")
    streamdouble.write_text(json.dumps(_for_streamdouble(), indent=1), encoding="utf-8")
    return voicebench, streamdouble


def _wav(clip: str) -> str:
    return Path(clip).with_suffix(".wav").name


def _for_voicebench() -> dict[str, object]:
    """A question, an interruption of its answer, and a backchannel and a cough during the next answer."""
    return {
        "name": "interruption",
        "sample_rate": RATE_HZ,
        "frame_ms": 20,
        "tail_ms": 500,
        "max_duration_ms": 45_000,
        "adapter": {"type": "websocket"},
        "defaults": {"response_timeout_ms": 10_000},  # the first call of a server loads its models
        "turns": [
            {"id": "question", "audio": {"file": _wav(QUESTION)}, "start": {"after": "session_start", "delay_ms": 500}},
            {
                "id": "interruption", "audio": {"file": _wav(INTERRUPTION)}, "expect": "stop", "max_stop_ms": 1_000,
                "start": {"after": "agent_speech_start", "delay_ms": 1_500},
            },
            {
                "id": "backchannel", "audio": {"file": _wav(BACKCHANNEL)}, "expect": "ignore", "max_stop_ms": 1_500,
                "start": {"after": "agent_speech_start", "delay_ms": 1_500},
            },
            {
                "id": "cough", "audio": {"file": _wav(COUGH)}, "expect": "ignore", "max_stop_ms": 1_500,
                "start": {"after": "previous_turn_end", "delay_ms": 1_500},
            },
        ],
        "assert": {"min_barge_in_success_rate": 1, "max_false_barge_ins": 0, "max_missed_responses": 0},
    }  # fmt: skip


def _for_streamdouble() -> dict[str, object]:
    """An interruption of the first answer, over which the agent must send a `clear`; then the next answer."""
    return {
        "name": "interruption",
        "steps": [
            {"wait_for": {"event": "audio", "timeout": 20}},
            {"wait": 2},
            {"expect": "no clear"},
            {"say": f"8khz-{_wav(INTERRUPTION)}"},
            {"expect": "clear"},
            {"wait": 3},
            {"expect": "audio"},
            {"expect": "no_violations"},
        ],
    }
