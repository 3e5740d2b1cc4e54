"""The results of the interruption benchmark: stops, figures with their spread, targets, pages."""

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from bench.interruption.answers import answers
from bench.interruption.conditions import CLEAN, TELEPHONE, Condition
from bench.interruption.endings import Ending, Point, Turn, cut_offs_at, dead_air_at, points, turns
from bench.interruption.figures import paired, percentile, share, summary
from bench.interruption.playback import Outcome, Playback, false_stop, hit
from bench.interruption.plots import pictures
from bench.interruption.publish import main, merged, publish, write
from bench.interruption.report import as_html, as_text
from bench.interruption.scenes import Scene
from bench.interruption.targets import TARGETS, met, table

from tests.bench.collection import make

SCENE = Scene(
    part="command", kind="interrupt.command", clip="interrupt/tone.wav", onset_ms=100, offset_ms=900, inject_ms=300,
    condition=CLEAN,
)  # fmt: skip


def heard(*stretches: tuple[float, float], messages_ms: tuple[float, ...] = ()) -> Playback:
    """Return the playback of speech in these spans, received in real time in pieces of 20 ms."""
    playback = Playback(messages_ms=list(messages_ms))
    for begin, end in stretches:
        for at in np.arange(begin, end, 20):
            playback.audio(20, float(at), 20)
    return playback


def test_an_audible_pause_separates_stretches_of_speech() -> None:
    assert heard((0, 1000), (1180, 2000), (2200, 3000)).stretches == [(0, 2000), (2200, 3000)]
    late = heard((0, 1000), (1180, 2000))
    assert late.dry == [(1000, 180)]
    burst = Playback()
    assert [burst.audio(20, 0, 20) for _ in range(3)] == [0, 20, 40]
    burst.audio(20, 50, 0)
    assert burst.stretches == [(0, 60)]
    assert burst.end_ms == 80
    assert burst.dry == []


def test_the_current_and_the_past_speech() -> None:
    playback = heard((1000, 2000), (3000, 4000))
    assert playback.speaks_since(3500) == 3000
    assert playback.speaks_since(4300) is None
    assert Playback().speaks_since(0) is None
    assert playback.stretch_at(2100) == (1000, 2000)
    assert playback.stretch_at(2500) is None
    assert playback.stop_after(1500, 2300) == 2000
    assert playback.stop_after(1500, 2100) is None, "not yet certain"


def test_a_stop_is_counted_from_the_onset_to_the_last_sound() -> None:
    outcome = heard((0, 5400), messages_ms=(5380,)).outcome(SCENE, 5000, 7500, 3.0)
    assert (outcome.stop_ms, outcome.message_ms, outcome.early, outcome.over_speech) == (300, 280, False, True)
    assert (outcome.gap_ms, outcome.resumed_ms, outcome.late_ms, outcome.void) == (None, None, 3.0, False)
    assert outcome.exposed_ms == 300
    in_a_pause = heard((0, 5400), messages_ms=(5480,)).outcome(SCENE, 5000, 7500, 0)
    assert in_a_pause.stop_ms == 380, "cut in a pause between two words: the cut counts"


def test_speech_after_a_pause_gives_the_length_of_the_gap() -> None:
    outcome = heard((0, 5400), (6300, 9000)).outcome(SCENE, 5000, 7500, 0)
    assert (outcome.stop_ms, outcome.gap_ms, outcome.resumed_ms) == (300, 900, 400)
    soon = heard((0, 5400), (5700, 9000)).outcome(SCENE, 5000, 7500, 0)
    assert (soon.gap_ms, soon.resumed_ms) == (300, 0)


def test_a_stop_before_the_onset_is_early() -> None:
    scene = replace(SCENE, onset_ms=600)
    assert heard((0, 5100)).outcome(scene, 5000, 8000, 0).early
    assert heard((0, 9000), messages_ms=(5100,)).outcome(scene, 5000, 8000, 0).early
    barely = heard((0, 5500)).outcome(scene, 5000, 8000, 0)
    assert (barely.early, barely.stop_ms) == (False, -100)
    assert heard((0, 3000)).outcome(scene, 5000, 8000, 0).void


def test_hits_and_false_stops() -> None:
    scene = replace(SCENE, onset_ms=150)
    good = Outcome(scene=scene, stop_ms=300, message_ms=280, over_speech=True, exposed_ms=300)
    assert hit(good)
    assert not hit(replace(good, stop_ms=2001))
    assert not hit(replace(good, stop_ms=None))
    assert not hit(replace(good, early=True))
    backchannel = replace(good, scene=replace(scene, part="listening"))
    assert false_stop(backchannel)
    assert false_stop(replace(backchannel, stop_ms=None, message_ms=1700)), "until a second after its end"
    assert not false_stop(replace(backchannel, stop_ms=None, message_ms=1800))
    assert not false_stop(replace(backchannel, stop_ms=None, message_ms=None))
    assert false_stop(replace(backchannel, stop_ms=None, message_ms=None, early=True))
    assert replace(good, late_ms=26).void


def outcome(number: int, part: str, stop_ms: float | None, condition: Condition = CLEAN) -> Outcome:
    scene = replace(SCENE, part=part, clip=f"{part}/{number}", kind=f"{part}.x", condition=condition)
    return Outcome(scene=scene, stop_ms=stop_ms, message_ms=stop_ms, over_speech=True, exposed_ms=30_000)


def outcomes() -> list[Outcome]:
    some = [outcome(n, "command", 200 + 10 * n) for n in range(10)] + [outcome(10, "command", None)]
    some += [outcome(n, "listening", 400 if n == 0 else None) for n in range(4)]
    some[-4] = replace(some[-4], gap_ms=500, resumed_ms=450, skipped_words=1.5)
    some += [outcome(n, "noise", None) for n in range(2)]
    return [*some, replace(some[0], over_speech=False)]


def test_void_outcomes_are_not_counted() -> None:
    result = summary(outcomes())
    assert (result["trials"], result["void"], result["late"]) == (18, 1, 0)
    assert result["command"]["recall"]["value"] == pytest.approx(10 / 11, abs=1e-4)
    assert result["command"]["recall"]["low"] < 10 / 11 <= result["command"]["recall"]["high"]
    assert result["command"]["stop_p50_ms"]["value"] == pytest.approx(245)
    assert result["command"]["within_300_ms"] == pytest.approx(10 / 11, abs=1e-4)
    assert result["true"] == result["command"]
    assert result["listening"]["stopped"]["value"] == 0.25
    assert result["listening"]["stops_per_minute"]["value"] == 0.5
    assert result["listening"]["recovery"] == {
        "stops": 1, "went_on": 1, "within_600_ms": 1, "within_1000_ms": 1, "gap_p50_ms": 500, "gap_p95_ms": 500,
        "skipped_words_p50": 1.5,
    }  # fmt: skip
    assert result["noise"]["stops"] == 0
    assert summary([])["trials"] == 0


def test_the_interval_is_over_clips() -> None:
    values = np.random.default_rng(1).normal(100, 10, (400, 1))
    mean, median = share(values), percentile(values, 50)
    assert mean.value == pytest.approx(values.mean())
    assert mean.low == pytest.approx(values.mean() - 1.96 * 0.5, abs=0.2)
    assert mean.high == pytest.approx(values.mean() + 1.96 * 0.5, abs=0.2)
    assert median.value == pytest.approx(np.median(values))
    holes = np.array([[1.0, 2.0], [3.0, float("nan")]])
    assert share(holes).value == 2
    assert percentile(holes, 100).value == 3
    twice = share(np.repeat(values, 2, axis=1))
    assert twice.low == pytest.approx(mean.low), "repeats of a clip do not narrow the interval"
    assert twice.high == pytest.approx(mean.high)
    assert share(np.full((3, 1), float("nan"))).value is None


def test_lines_are_compared_clip_by_clip() -> None:
    line = TELEPHONE[1]
    some = [outcome(n, "command", 300 + 20 * n) for n in range(8)]
    some += [outcome(n, "command", 330 + 20 * n, line) for n in range(7)] + [outcome(7, "command", None, line)]
    some += [outcome(0, "listening", None), outcome(0, "listening", 300, line), outcome(9, "command", 900, line)]
    (row,) = paired(some)
    assert (row["condition"], row["trials"]) == (line.name, 9)
    assert row["stop_ms"] == {"value": 30, "low": 30, "high": 30}
    assert row["recall"]["value"] == pytest.approx(-1 / 8)
    assert row["listening"]["value"] == 1


TURN = Turn(kind="eot.digits", clip="a", heard=(), begin_ms=100, end_ms=2000, holds=((500, 900), (1200, 1500)))


def test_a_turn_is_cut_off_by_an_answer_into_one_of_its_pauses() -> None:
    assert Ending(turn=TURN, policy="default", starts_ms=(800, 2600)).cut_off
    assert not Ending(turn=TURN, policy="default", starts_ms=(2600,)).cut_off
    assert Ending(turn=replace(TURN, holds=()), policy="default", starts_ms=(1000,)).cut_off
    done = Ending(turn=TURN, policy="default", starts_ms=(800, 2600))
    assert done.dead_air_ms == 600
    assert done.taken
    silent = Ending(turn=TURN, policy="default", starts_ms=())
    assert silent.dead_air_ms is None
    assert not silent.taken


def test_figures_between_two_policies_are_interpolated() -> None:
    endings = [
        Ending(turn=TURN, policy="slow", starts_ms=(3000,)), Ending(turn=TURN, policy="slow", starts_ms=()),
        Ending(turn=TURN, policy="quick", starts_ms=(600, 2200)), Ending(turn=TURN, policy="quick", starts_ms=(2400,)),
    ]  # fmt: skip
    quick, slow = points(endings)
    assert quick == Point("quick", 0.5, 300, 2, 0)
    assert slow == Point("slow", 0, 1000, 2, 0.5)
    assert cut_offs_at([slow, quick], 300) == 0.5
    assert cut_offs_at([slow, quick], 650) == pytest.approx(0.25)
    assert cut_offs_at([slow, quick], 200) is None
    assert cut_offs_at([slow, quick], 5000) == 0
    assert dead_air_at([slow, quick], 0.05) == pytest.approx(930)
    assert dead_air_at([quick], 0.05) is None
    worse = Point("worse", 0.6, 900, 2, 0)
    assert cut_offs_at([slow, quick, worse], 650) == pytest.approx(0.25), "a worse policy does not count"


def test_the_pauses_of_turns_come_from_the_spans_in_their_json(tmp_path: Path) -> None:
    digits, read = turns(make(tmp_path), 1.0)
    assert (digits.begin_ms, digits.end_ms, digits.holds) == (100, 1900, ((300, 500), (900, 1400)))
    assert digits.heard == ((1300, "one two"), (2300, "three")), "the first pause is too short"
    assert (read.begin_ms, read.end_ms, read.holds) == (100, 800, ())
    assert read.heard == ((1200, "eot_read/a.wav"),)
    assert turns(tmp_path, 0.0) == []


def report() -> dict[str, Any]:
    some = outcomes()
    rows = [
        {"part": o.scene.part, "study": "main", "stop_ms": o.stop_ms, "early": o.early, "void": o.void} for o in some
    ]
    point = {"policy": "default", "cut_offs": 0.1, "dead_air_ms": 700, "turns": 10, "unanswered": 0.0}
    plan = {"recall": {"value": 1.0}, "stop_p50_ms": {"value": 300}, "listening": {"value": 0.5}}
    turns = [Ending(turn=replace(TURN, group="one word", holds=()), policy="default", starts_ms=(2400,))]
    said = [
        {"group": "one word", "language": "en", "policy": "default", "dead_air_ms": wait_ms, "cut_off": False}
        for wait_ms in (400, None)
    ]
    column = {
        "version": "1", "settings": "", "transcribed": ["es"], "figures": summary(some), "explicit": summary([]),
        "answers": answers(turns), "phone": summary(some), "languages": {"es": summary(some), "fr": summary([])},
        "outcomes": rows, "turns": said, "lost": ["x"],
        "telephone": paired([*some, outcome(1, "command", 300, TELEPHONE[1])]), "double": [], "real_time": False,
        "late_share": 0.1, "callers_cores": 0.4, "cores_used": 0.5,
        "worst_late_ms": 40, "left_out": 2, "left_silent": 1,
        "plans": [{"plan": "default", **plan}, {"plan": '{"numWords": 2}', **plan}],
        "endings": {
            "points": [point], "cut_offs_at_300_ms": None, "cut_offs_at_600_ms": 0.1, "dead_air_at_5_percent_ms": None,
            "dead_air_at_10_percent_ms": 700, "default_cut_offs": 0.1, "default_dead_air_ms": 700,
            "takes_the_turn": {"eot.digits": [3, 4]},
        },
    }  # fmt: skip
    return {
        "bargein": "1", "at": "2026-11-25T21:15:00Z", "machine": "x", "share": 0.5, "calls_at_once": 8, "plan": None,
        "columns": {
            "bargein": column,
            "pipecat": {**column, "plans": [], "telephone": [], "languages": {}, "settings": "words 2", "version": "2"},
        },
    }  # fmt: skip


def test_the_table_shows_for_each_target_whether_it_is_met() -> None:
    rows = {row[0]: row for row in table(report())}
    assert rows[""] == ["", "target", "bargein 1", "pipecat 2", "met"]
    assert rows["true interruptions stopped within 2 s"][1] == "≥ 100.0 %"
    assert rows["true interruptions stopped within 2 s"][-1] == "no"
    assert rows["commands, onset to silence, p50"][2].startswith("245 (")
    assert rows["commands, onset to silence, p50"][-1] == "yes"
    assert rows["turn of one word: end to answer, p50"] == [
        "turn of one word: end to answer, p50", "≤ 500 ms", "400 ms", "400 ms", "yes",
    ]  # fmt: skip
    assert rows["telephone, commands, stopped within 2 s"][1:3] == ["", "90.9 % (72.7 % to 100.0 %)"]
    assert rows["backchannels by people, share that stops it"][2].startswith("25.0 %")
    assert "turn of one word (synthetic): end to answer, p50" not in rows, "it was not measured"
    assert "one word, stopped within 2 s" not in rows, "it was not measured"
    assert met(TARGETS[0], None) is None
    assert met(TARGETS[0], {"value": 500}) is True
    assert met(TARGETS[0], {"value": 501}) is False
    assert len({target.name for target in TARGETS}) == len(TARGETS)


def test_the_short_table_has_medians_and_95th_percentiles_in_one_row() -> None:
    rows = {row[0]: row for row in table(report(), short=True)}
    assert rows["turn of one word: end to answer, p50 / p95"][1:] == [
        "≤ 500 ms / ≤ 800 ms", "400 ms / 400 ms", "400 ms / 400 ms", "yes",
    ]  # fmt: skip
    assert rows["commands, onset to silence, p50 / p95"][1:3] == ["≤ 250 ms / ≤ 450 ms", "245 ms / 286 ms"]
    assert rows["true interruptions stopped within 2 s"][2] == "90.9 %", "without an interval"
    assert not [name for name in rows if name.startswith("telephone")]


def test_pages_and_pictures_show_the_figures(tmp_path: Path) -> None:
    result = report()
    assert set(pictures(result)) == {"latency", "answers", "false-stops", "trade-off", "endings"}
    page, text = as_html(result), as_text(result)
    for part in (
        "NOT in real time",
        "1 scenes could not be played",
        "calls left silent",
        "245",
        "mu-law",
        "eot.digits 3 of 4",
        "by language",
        "its own transcriber",
        "pipecat is set to: words 2",
        "Turns by their kind",
    ):
        assert part in page
        assert part in text
    assert page.count("<svg") == 5
    write(result, tmp_path / "out")
    assert json.loads((tmp_path / "out/figures.json").read_text(encoding="utf-8")) == result
    assert sorted(path.suffix for path in (tmp_path / "out").iterdir()) == [".html", ".json", ".md", *[".svg"] * 5]


def test_publishing_replaces_the_text_between_the_markers(tmp_path: Path) -> None:
    (tmp_path / "docs/measurements").mkdir(parents=True)
    (tmp_path / "README.md").write_text("# a\n<!-- figures -->\nold\n<!-- /figures -->\nb\n", encoding="utf-8")
    (tmp_path / "docs/measurements/interruption.md").write_text("no marks\n", encoding="utf-8")
    endpointing, comparison = tmp_path / "docs/measurements/endpointing.md", tmp_path / "docs/comparison.md"
    for page in (endpointing, comparison):
        page.write_text("<!-- figures -->\n<!-- /figures -->\n", encoding="utf-8")
    publish(report(), tmp_path)
    readme = (tmp_path / "README.md").read_text(encoding="utf-8")
    assert readme.startswith("# a\n<!-- figures -->\n| ")
    assert readme.endswith(".\n<!-- /figures -->\nb\n")
    assert "old" not in readme
    assert (tmp_path / "docs/measurements/interruption.md").read_text(encoding="utf-8") == "no marks\n"
    assert "| one word | people | bargein | 1 | 0.0 % | 400 ms |" in endpointing.read_text(encoding="utf-8")
    assert "**Bargein: the end of a turn**" in endpointing.read_text(encoding="utf-8")
    assert "commands, onset to silence, p50 / p95" in comparison.read_text(encoding="utf-8")
    assert len(list((tmp_path / "docs/images").glob("interruption-*.svg"))) == 5


def test_the_reports_of_split_runs_are_merged(tmp_path: Path) -> None:
    first, second = report(), report()
    (tmp_path / "README.md").write_text("<!-- figures --><!-- /figures -->\n", encoding="utf-8")
    lines = first["columns"]["bargein"]["telephone"]
    first["columns"]["bargein"] |= {"telephone": [], "explicit": summary([])}
    second["columns"]["bargein"]["explicit"] = summary(outcomes())
    first["columns"]["bargein"] |= {"languages": {}, "transcribed": []}
    whole = merged([first, second])["columns"]["bargein"]
    assert whole["telephone"] == lines
    assert (list(whole["languages"]), whole["transcribed"]) == (["es", "fr"], ["es"])
    for number, one in enumerate((first, second)):
        (tmp_path / f"{number}.json").write_text(json.dumps(one), encoding="utf-8")
    assert main([str(tmp_path / "0.json"), str(tmp_path / "1.json"), "--into", str(tmp_path)]) == 0
    assert "voiceSeconds 0.2, p50" in (tmp_path / "README.md").read_text(encoding="utf-8")


def test_every_server_of_the_largest_comparison_is_drawn() -> None:
    result = report()
    column = result["columns"]["pipecat"]
    result["columns"] |= {f"server {number}": column for number in range(4)}
    for name, svg in pictures(result).items():
        assert svg.count("server 3") >= 1, name
    answered = pictures(result)["answers"]
    assert len(set(re.findall(r'<polyline[^>]* stroke="(#\w+)"', answered))) == len(result["columns"])
