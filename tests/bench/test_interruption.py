"""The interruption benchmark measures known times, counts what it says, and plays the same scenes each time."""

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
from bench.interruption.caller import Outcome, SceneCaller
from bench.interruption.figures import false_stop, hit, summary
from bench.interruption.report import write_html
from bench.interruption.scenes import Condition, Scene, scenes, steady_speech

from bargein.client.connection import Server
from bargein.clock import LoopClock
from tests.client.stub import Cut, Script, StubServer

RATE_HZ = 16_000
SCENE = Scene(
    part="command",
    kind="interrupt.command",
    clip="interrupt/tone.wav",
    onset_ms=150,
    offset_ms=900,
    inject_ms=700,
    condition=Condition(),
)


@pytest.fixture
def collection(tmp_path: Path) -> Path:
    """A tone for a command, and a few rows more."""
    rows = [
        ("interrupt/tone.wav", "interrupt.command", 0.15, 0.9),
        ("interrupt/word.wav", "interrupt.word", 0.1, 0.5),
        ("backchannel/yes.wav", "backchannel.word", 0.1, 0.4),
        ("noise/rain.wav", "noise.rain", 0.0, 0.0),
        ("assistant/a.wav", "assistant.speech", 0.1, 0.9),
    ]
    t = np.arange(RATE_HZ) / RATE_HZ
    for path, _, onset, offset in rows:
        (tmp_path / path).parent.mkdir(exist_ok=True)
        tone = np.where((t >= onset) & (t < (offset or 1)), 0.3 * np.sin(2 * np.pi * 440 * t), 0)
        soundfile.write(tmp_path / path, tone, RATE_HZ)
    with (tmp_path / "MANIFEST.tsv").open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file, delimiter="\t")
        table.writerow(["path", "class", "duration_s", "energy_onset_s", "speech_onset_s", "speech_offset_s"])
        for path, kind, onset, offset in rows:
            table.writerow([path, kind, 1.0, onset or "", onset or "", offset or ""])
    return tmp_path


async def played(collection: Path, script: Script) -> tuple[Outcome, StubServer]:
    async with StubServer(script) as stub:
        caller = SceneCaller(SCENE, collection, LoopClock(), np.ones(1, dtype=np.float32))
        return await caller.play(Server(url=stub.url), {}), stub


@pytest.mark.anyio
@pytest.mark.parametrize("after_ms", [100, 450, 1200])
async def test_a_server_that_stops_at_a_known_time_is_measured_to_ten_milliseconds(
    collection: Path, after_ms: int
) -> None:
    script = Script(cuts=[Cut(message_ms=after_ms, silence_ms=after_ms)], greeting_ms=8000)
    outcome, stub = await played(collection, script)
    (done,) = stub.done
    assert outcome.over_speech
    assert not outcome.early
    assert outcome.stop_ms == pytest.approx(done.silence_ms, abs=10)
    assert outcome.message_ms == pytest.approx(done.message_ms, abs=10)
    assert done.silence_ms >= after_ms - 10


@pytest.mark.anyio
async def test_a_server_that_talks_on_is_seen_to(collection: Path) -> None:
    outcome, _ = await played(collection, Script(cuts=[Cut(message_ms=None)], greeting_ms=8000))
    assert outcome.over_speech
    assert outcome.stop_ms is None
    assert outcome.message_ms is None
    assert not outcome.stopped
    assert outcome.exposed_ms > 2000


def test_what_counts_as_a_hit_and_as_a_false_stop() -> None:
    good = Outcome(scene=SCENE, stop_ms=300, message_ms=280, over_speech=True, exposed_ms=300)
    assert hit(good)
    assert not hit(replace(good, stop_ms=2001))
    assert not hit(replace(good, stop_ms=None))
    assert not hit(replace(good, early=True))
    aloud = replace(good, scene=replace(SCENE, part="listening"))
    assert false_stop(aloud)
    assert false_stop(replace(aloud, stop_ms=None, message_ms=1700)), "until a second after its end"
    assert not false_stop(replace(aloud, stop_ms=None, message_ms=1800))
    assert not false_stop(replace(aloud, stop_ms=None, message_ms=None))
    assert false_stop(replace(aloud, stop_ms=None, message_ms=None, early=True))


def test_figures_are_computed_from_what_is_not_void(tmp_path: Path) -> None:
    def outcome(number: int, part: str, stop_ms: float | None) -> Outcome:
        scene = replace(SCENE, part=part, clip=f"{part}/{number}", kind=f"{part}.x")
        return Outcome(scene=scene, stop_ms=stop_ms, message_ms=stop_ms, over_speech=True, exposed_ms=30_000)

    outcomes = [outcome(n, "command", 200 + 10 * n) for n in range(10)] + [outcome(10, "command", None)]
    outcomes += [outcome(n, "listening", 400 if n == 0 else None) for n in range(4)]
    outcomes += [outcome(n, "noise", None) for n in range(2)]
    outcomes.append(replace(outcomes[0], over_speech=False))
    told = summary(outcomes)
    assert (told["trials"], told["void"]) == (18, 1)
    assert told["command"]["recall"]["value"] == pytest.approx(10 / 11, abs=1e-4)
    assert told["command"]["recall"]["low"] < 10 / 11 <= told["command"]["recall"]["high"]
    assert told["command"]["stop_p50_ms"]["value"] == pytest.approx(245)
    assert told["command"]["within_300_ms"] == pytest.approx(10 / 11, abs=1e-4)
    assert told["listening"]["stopped"]["value"] == 0.25
    assert told["listening"]["stops_per_minute"] == 0.5
    assert told["noise"]["stops"] == 0
    report = {"bargein": "1", "at": "today", "plan": None, "calls_at_once": 1, "figures": told, "outcomes": []}
    write_html(tmp_path / "report.html", report)
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "0.909" in page
    assert "<svg" in page


def test_the_same_seed_gives_the_same_scenes(collection: Path) -> None:
    parts = ("command", "word", "listening", "noise", "echo")
    first = scenes(collection, parts, 1.0, 2)
    assert first == scenes(collection, parts, 1.0, 2)
    by_part = {part: [s for s in first if s.part == part] for part in parts}
    assert {part: len(found) for part, found in by_part.items()} == {
        "command": 2, "word": 2, "listening": 2, "noise": 4, "echo": 20,
    }  # fmt: skip
    assert len({s.inject_ms for s in by_part["command"]}) == 2
    assert all(2_000 <= s.inject_ms <= 12_000 for part in parts[:4] for s in by_part[part])
    assert {s.condition.level_dbfs for s in by_part["noise"]} == {-26.0, -36.0}
    assert scenes(collection, parts[:4], 0.0, 1) == []


def test_the_assistant_of_the_benchmark_makes_no_pause(collection: Path) -> None:
    speech = steady_speech(collection)
    frames = speech[: speech.size // 320 * 320].reshape(-1, 320)
    quiet = np.sqrt(np.mean(frames**2, axis=1)) < 0.003
    assert speech.size > 0.7 * RATE_HZ
    assert not np.any(np.convolve(quiet, np.ones(8), "valid") >= 8)
