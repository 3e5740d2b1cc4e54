"""The scoring of ends of turns: its arithmetic, and that a recording gives the events of a call."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from bench.endpointing import classes
from bench.endpointing.corpus import LEAD_MS, Turn, last_sound_s, turns
from bench.endpointing.listener import Kept, TurnListener
from bench.endpointing.scoring import Scores, answered_at, columns, points, with_intervals

from bargein.turns.events import TranscriptReceived, VoiceStarted, VoiceStopped
from tests.speech import SPEECH
from tests.turns.talking import waiting

EVENTS = [VoiceStarted(532, 500), VoiceStopped(1032, 1000), TranscriptReceived(1400, "Tell me more.", final=True)]


def test_a_turn_is_answered_when_the_plan_says() -> None:
    assert answered_at(EVENTS, waiting(), 5000) == 1400 + 100 + 400
    assert answered_at(EVENTS, waiting(on_punctuation_ms=0, wait_ms=0), 5000) == 1400
    assert answered_at(EVENTS[:2], waiting(), 5000) is None


def test_a_caller_who_continues_before_the_answer_sounds_is_not_cut_off() -> None:
    goes_on = [
        *EVENTS,
        VoiceStarted(1800, 1770),
        VoiceStopped(2300, 2268),
        TranscriptReceived(2600, "Please.", final=True),
    ]
    assert answered_at(goes_on, waiting(), 5000) == 2600 + 100 + 400


def test_the_columns_are_the_best_of_all_plans() -> None:
    late_ms = np.array([[200.0, 200.0, 500.0, np.nan], [600.0, 600.0, 600.0, 800.0]])
    scores = Scores(np.isnan(late_ms), late_ms)
    cut, mean_ms = points(scores)
    assert cut.tolist() == [0.25, 0.0]
    assert mean_ms.tolist() == [300.0, 650.0]
    found = columns(scores)
    assert found["cutoffs_at_300_ms"] == found["cutoffs_at_600_ms"] == 0.25
    assert found["latency_ms_at_5_percent"] == found["latency_ms_at_10_percent"] == 650.0
    assert np.isnan(columns(scores.of(np.array([3])))["cutoffs_at_300_ms"]) or scores.cut[0, 3]
    row = with_intervals(scores)
    assert row["turns"] == 4
    assert row["cutoffs"]["low"] <= row["cutoffs"]["value"] <= row["cutoffs"]["high"]


def test_a_turn_ends_where_its_energy_falls() -> None:
    sound = np.concatenate((np.zeros(1600), np.ones(8000) * 0.1, np.zeros(4000))).astype(np.float32)
    assert last_sound_s(sound) == pytest.approx(0.6, abs=0.011)


@pytest.mark.anyio
async def test_a_recording_gives_the_events_of_a_call() -> None:
    turn = next(t for t in turns(SPEECH) if t.name == "eot_digits/jackson_0.flac")
    events = await TurnListener(Kept(None)).events(turn)
    started = [e for e in events if isinstance(e, VoiceStarted)]
    assert LEAD_MS - 40 < started[0].onset_ms < LEAD_MS + 400
    finals = [e for e in events if isinstance(e, TranscriptReceived) and e.final]
    assert finals[0].text.lower().startswith(("3-1-8", "three, one, eight"))
    stopped = [e for e in events if isinstance(e, VoiceStopped)]
    assert abs(stopped[-1].offset_ms - turn.end_ms) < 150
    assert 300 < finals[-1].at_ms - stopped[-1].offset_ms < 800


def test_the_command_prints_and_writes_the_figures(tmp_path: Path) -> None:
    """A single clip keeps the test short."""
    rows = (SPEECH / "MANIFEST.tsv").read_text(encoding="utf-8").splitlines()
    name = "eot_digits/jackson_0.flac"
    kept = [rows[0], *(row for row in rows if row.startswith(name))]
    (tmp_path / "eot_digits").mkdir()
    (tmp_path / "MANIFEST.tsv").write_text("\n".join(kept) + "\n", encoding="utf-8")
    for path in (name, name.replace(".flac", ".json")):
        (tmp_path / path).symlink_to(SPEECH / path)
    command = [sys.executable, "-m", "bench.endpointing", "--data", str(tmp_path), "--policy", "timers"]
    done = subprocess.run([*command, "--json", str(tmp_path / "out.json")], check=True, capture_output=True, text=True)
    assert "cut-offs at 300 ms" in done.stdout
    assert json.loads((tmp_path / "out.json").read_text(encoding="utf-8"))["timers"]["all but sentences"]["turns"] == 1


def test_a_class_is_scored_by_its_cut_offs_and_the_dead_air_of_the_others() -> None:
    def answered(late_ms: int | None, *, finished: bool = True) -> classes.Answered:
        turn = Turn("a", "word", "someone", np.zeros(16_000, np.int16), 500, finished)
        return classes.Answered(turn, late_ms)

    found = [answered(400), answered(500), answered(-90), answered(None), answered(900, finished=False)]
    (line,) = classes.table(found)
    assert line.split() == ["word", "5", "20.0", "%", "450", "495", "ms", "1", "without", "an", "answer"]
