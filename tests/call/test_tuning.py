"""`bargein mark` and `bargein tune`: marks of recorded calls, and the results of other plans."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from bargein.call.record.journal import Head, event_line, head_line
from bargein.call.tuning.marks import Mark, MarkError, Run, marks_path, nearest_run, read_marks, runs_of, write_marks
from bargein.call.tuning.tuning import MarkedCall, PlanResult, tune
from bargein.cli import app
from bargein.turns import Plan
from bargein.turns.events import TranscriptReceived, VoiceStarted, VoiceStopped
from tests.turns.talking import CALL_ID, Call, waiting

WORD_AT, NOISE_AT, LISTENING_AT, EARLY_AT = 4000, 6000, 8000, 500


def recorded(plan: Plan | None = None) -> Call:
    """Return a call that no voice of this length interrupts: a word, a noise and a backchannel over one long answer."""
    call = Call(plan or waiting(voice_ms=5000, num_words=4))
    call.start()
    call.voice(EARLY_AT, EARLY_AT + 100)
    call.settle(call.user_says(1000, "Tell me a story."))
    call.model_says(2900, "once upon a time " * 20, 60_000)
    call.hear(3500, 200)
    call.voice(WORD_AT, WORD_AT + 350)
    call.feed(TranscriptReceived(WORD_AT + 600, "tomorrow", final=True))
    call.voice(NOISE_AT, NOISE_AT + 240)
    call.voice(LISTENING_AT, LISTENING_AT + 600)
    call.feed(TranscriptReceived(LISTENING_AT + 900, "Uh-huh.", final=True))
    call.until(12_000)
    return call


def journal_of(call: Call, folder: Path) -> Path:
    path = folder / "call.jsonl"
    head = head_line(Head(CALL_ID, "2026-01-01T00:00:00.000Z", call.plan))
    path.write_text("\n".join([head, *map(event_line, call.events)]) + "\n", encoding="utf-8")
    return path


def marked(call: Call, *marks: Mark) -> MarkedCall:
    head = Head(CALL_ID, "2026-01-01T00:00:00.000Z", call.plan)
    return MarkedCall(head, tuple(call.events), tuple(runs_of(call.events)), tuple(sorted(marks)))


MARKS = (Mark(WORD_AT, "interruption"), Mark(NOISE_AT, "noise"), Mark(LISTENING_AT, "listening"))


def rows(call: Call, *plans: dict[str, object] | None) -> list[PlanResult]:
    return list(tune([marked(call, *MARKS)], [(str(plan), plan) for plan in plans]))


def test_each_plan_is_tried_on_each_mark_by_itself() -> None:
    as_it_was, quick, slow, wordy, phrases = rows(
        recorded(), None, {"voiceSeconds": 0.2}, {"voiceSeconds": 0.3}, {"numWords": 1}, {"numWords": 2}
    )
    assert (as_it_was.caught, as_it_was.interruptions, as_it_was.stops) == (0, 1, ())
    assert (quick.caught, quick.latencies_ms, quick.stops) == (1, (200,), (("listening", 1), ("noise", 1)))
    assert (slow.caught, slow.latencies_ms, slow.stops) == (1, (300,), (("listening", 1),))
    assert (wordy.caught, wordy.latencies_ms, wordy.stops) == (1, (600,), ())
    assert (phrases.caught, phrases.stops) == (0, ())


def test_a_plan_without_numbers_leaves_it_to_the_evidence() -> None:
    (evidence,) = rows(recorded(), {})
    assert evidence.latencies_ms == (600,), "a word stops it where nothing has judged the voice"
    assert evidence.stops == ()


def test_a_call_that_was_cut_can_be_tried_under_a_slower_plan() -> None:
    call = recorded(waiting(voice_ms=200))
    assert call.cuts()
    as_it_was, slower = rows(call, None, {"voiceSeconds": 0.25})
    assert as_it_was.latencies_ms == (200,)
    assert slower.latencies_ms == (250,)


def test_a_voice_that_was_not_over_the_assistant_says_nothing() -> None:
    call = recorded()
    found = list(tune([marked(call, Mark(EARLY_AT, "interruption"), *MARKS)], [("", {"voiceSeconds": 0.05})]))
    assert found[0].interruptions == 1


def test_an_interruption_that_is_yielded_to_too_late_was_missed() -> None:
    call = recorded()
    call.voice(13_000, 14_000)
    call.feed(TranscriptReceived(15_100, "tomorrow", final=True))
    call.until(18_000)
    row = next(tune([marked(call, Mark(13_000, "interruption"))], [("", {"numWords": 1})]))
    assert (row.interruptions, row.caught, row.percentile(50)) == (1, 0, None)


def test_what_stops_it_after_the_next_mark_is_not_the_first_ones_doing() -> None:
    call = recorded()
    row = next(
        tune(
            [marked(call, Mark(WORD_AT, "noise"), Mark(WORD_AT + 350, "noise"), *MARKS[1:])],
            [("", {"numWords": 1})],
        )
    )
    assert row.others == 4
    assert row.stops == (("noise", 1),)


def test_percentiles_are_of_what_was_caught() -> None:
    row = PlanResult("", 4, 3, (100, 200, 300), 0, ())
    assert (row.percentile(50), row.percentile(95)) == (200, 300)


def test_short_dips_do_not_end_a_run_of_voice() -> None:
    events = [
        VoiceStopped(10, 5), VoiceStarted(132, 100), VoiceStopped(332, 300), VoiceStarted(400, 390),
        VoiceStarted(410, 405), VoiceStopped(900, 880), VoiceStarted(1100, 1050),
    ]  # fmt: skip
    assert runs_of(events) == [Run(100, 880), Run(1050, None)]


def test_a_mark_goes_to_the_voice_that_begins_next_to_it() -> None:
    runs = [Run(1000, 1500), Run(4000, 4100)]
    assert nearest_run(runs, 1900) == runs[0]
    assert nearest_run(runs, 3100) == runs[1]
    with pytest.raises(MarkError, match=r"the nearest begins at 4\.000 s"):
        nearest_run(runs, 9000)
    with pytest.raises(MarkError, match="no voice"):
        nearest_run([], 0)


def test_marks_are_kept_in_order_and_the_last_word_on_a_voice_counts(tmp_path: Path) -> None:
    path = tmp_path / "x.marks.jsonl"
    assert read_marks(path) == []
    write_marks(path, [Mark(500, "noise"), Mark(100, "echo")])
    with path.open("a", encoding="utf-8") as file:
        file.write('\n{"at_ms": 500, "kind": "interruption"}\n')
    assert read_marks(path) == [Mark(100, "echo"), Mark(500, "interruption")]


@pytest.mark.parametrize(
    "line", ["{", "[]", '{"at_ms": 1}', '{"at_ms": 1, "kind": "cough"}', '{"at_ms": "1", "kind": "noise"}']
)
def test_a_file_that_holds_no_marks_is_refused_by_its_line(tmp_path: Path, line: str) -> None:
    path = tmp_path / "x.marks.jsonl"
    path.write_text('{"at_ms": 500, "kind": "noise"}\n' + line + "\n", encoding="utf-8")
    with pytest.raises(MarkError, match="line 2"):
        read_marks(path)


def run(*arguments: str) -> tuple[int, str]:
    done = CliRunner().invoke(app, list(arguments))
    return done.exit_code, done.output


def test_a_person_marks_a_call_and_sees_the_trade_off(tmp_path: Path) -> None:
    path = journal_of(recorded(), tmp_path)
    code, told = run("tune", str(path))
    assert code == 2
    assert "bargein mark" in told
    assert run("mark", str(path), "4.2", "interruption")[1].startswith("the voice that begins at 4.000 s is marked")
    assert run("mark", str(path), "6", "listening")[0] == 0
    assert run("mark", str(path), "6", "noise")[0] == 0
    assert run("mark", str(path), "8", "listening")[0] == 0
    assert read_marks(marks_path(path)) == list(MARKS)
    voices = run("mark", str(path))[1].splitlines()
    assert [line.split() for line in voices if line.endswith(("interruption", "noise"))] == [
        ["4.000", "350", "ms", "interruption"],
        ["6.000", "240", "ms", "noise"],
    ]
    code, told = run("tune", str(path), "--plan", '{"voiceSeconds": 0.2}', "--plan", "{}")
    assert code == 0
    lines = [line.split("  ") for line in told.splitlines()]
    table = {line[0]: [cell for cell in line[1:] if cell] for line in lines}
    assert table["as it was"][0] == "0 of 1"
    quick = [cell.strip() for cell in table['{"voiceSeconds": 0.2}']]
    assert quick == ["1 of 1", "200", "200", "2 of 2: 1 listening, 1 noise"]
    assert table["{} (adaptive)"][-1].strip() == "0 of 2"
    assert run("tune", str(path))[1].count("numWords") == 3
    assert "unmarked" in run("mark", str(path), "6", "none")[1]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["mark", "{}", "4"], "the kind is missing"),
        (["mark", "{}", "4", "cough"], "the kind must be one of"),
        (["mark", "{}", "90", "noise"], "no voice of the caller begins"),
        (["mark", "no-such-call"], "cannot read"),
        (["tune", "no-such-call"], "cannot read"),
        (["tune", "{}", "--plan", "{"], "Expecting"),
        (["tune", "{}", "--plan", '{"numWords": 99}'], "numWords"),
    ],
)
def test_what_cannot_be_done_is_told_in_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], told: str
) -> None:
    monkeypatch.setenv("BARGEIN_DATA_DIR", str(tmp_path))
    path = journal_of(recorded(), tmp_path)
    write_marks(marks_path(path), MARKS)
    code, output = run(*(argument.replace("{}", str(path)) if argument == "{}" else argument for argument in arguments))
    assert code == 2
    assert told in output


def test_a_file_that_is_no_journal_is_named(tmp_path: Path) -> None:
    path = tmp_path / "notes.jsonl"
    path.write_text("hello\n", encoding="utf-8")
    assert "notes.jsonl" in run("tune", str(path))[1]
