"""Reading clips and writing recordings."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from bargein.client.clips import load_clip, write_stereo
from bargein.client.errors import ClientError
from tests.speech import SPEECH, manifest

RATE_HZ = 16_000


def test_a_stereo_recording_is_mixed_to_one_channel_and_resampled(tmp_path: Path) -> None:
    t = np.arange(44_100) / 44_100
    tone = np.where((t >= 0.3) & (t < 0.8), 0.5 * np.sin(2 * np.pi * 440 * t), 0.0)
    soundfile.write(tmp_path / "tone.flac", np.stack((tone, tone), axis=1), 44_100)
    clip = load_clip(tmp_path / "tone.flac", RATE_HZ)
    assert clip.pcm.size == RATE_HZ
    assert clip.onset_ms == pytest.approx(300, abs=10)
    assert clip.offset_ms == pytest.approx(800, abs=10)
    assert np.abs(clip.pcm).max() == pytest.approx(16384, rel=0.05)
    assert clip.name == "tone.flac"


def test_unreadable_and_silent_files_are_errors(tmp_path: Path) -> None:
    (tmp_path / "text.wav").write_text("no sound")
    soundfile.write(tmp_path / "mute.wav", np.zeros(16_000), RATE_HZ)
    for name, error in (("none.wav", "cannot read"), ("text.wav", "cannot read"), ("mute.wav", "only silence")):
        with pytest.raises(ClientError, match=error):
            load_clip(tmp_path / name, RATE_HZ)
    with pytest.raises(ClientError, match="cannot write"):
        write_stereo(tmp_path / "nowhere" / "x.wav", np.zeros(1, np.int16), np.zeros(1, np.int16), RATE_HZ)


def test_the_shorter_track_of_a_stereo_file_is_padded(tmp_path: Path) -> None:
    write_stereo(tmp_path / "x.wav", np.array([1, 2, 3], np.int16), np.array([9], np.int16), RATE_HZ)
    both, rate_hz = soundfile.read(tmp_path / "x.wav", dtype="int16")
    assert rate_hz == RATE_HZ
    assert both.tolist() == [[1, 9], [2, 0], [3, 0]]


def test_onsets_agree_with_the_annotated_onsets() -> None:
    rows = [row for row in manifest() if row["class"] == "interrupt.command"]
    assert len(rows) >= 12
    off_ms = [
        abs(load_clip(SPEECH / row["path"], RATE_HZ).onset_ms - 1000 * float(row["energy_onset_s"])) for row in rows
    ]
    assert np.median(off_ms) <= 5
    assert np.percentile(off_ms, 90) <= 30
