"""The checks under faults report what is broken: each checker gets a server, a receiver or figures that break it."""

import json
from dataclasses import replace
from pathlib import Path
from random import Random

import httpx
import pytest
from bench.capacity.caller import Heard, Ticker
from bench.torture.__main__ import main
from bench.torture.fuzz.mutations import encoded, mutated
from bench.torture.fuzz.onsets import Onsets
from bench.torture.fuzz.surfaces import BrokenPromiseError, check_answer
from bench.torture.kill import Ledger
from bench.torture.outages import Watched
from bench.torture.owner import OwnerServer
from bench.torture.peers import Case, Observed, allowed_silence_s, cases, table
from bench.torture.report import BEGIN, END, PartResult, publish, summary, write_json
from bench.torture.servers import LogWatch
from bench.torture.soak import Minute, problems, rises

from bargein.clock import LoopClock
from bargein.testing.http_peer import Exchange, HttpPeer

ENDED = {"status": "ended", "endedReason": "worker-died", "endedAt": "2026-01-01T00:00:00.000Z"}


def told(owner: OwnerServer, kind: str = "end-of-call-report", key: str = "k", reason: str = "worker-died") -> None:
    owner.receive({"type": kind, "status": "ended", "endedReason": reason, "call": {"id": "c"}}, key)


def broken_after(owner: OwnerServer, *records: tuple[int, dict[str, str]]) -> list[str]:
    ledger = Ledger(owner)
    call = ledger.tell("c", began=True)
    ledger.on_kill()
    for status, record in records:
        ledger.on_record("c", status, record)
    ledger.check(call)
    return ledger.broken


def test_a_call_that_ended_once_and_was_reported_breaks_nothing() -> None:
    owner = OwnerServer()
    told(owner)
    told(owner)  # again with the same key
    told(owner, "status-update", "s")
    assert broken_after(owner, (200, {"status": "in-progress"}), (200, ENDED), (200, ENDED)) == []


def test_a_lost_report_is_found() -> None:
    assert any("without an end-of-call-report" in line for line in broken_after(OwnerServer(), (200, ENDED)))


@pytest.mark.parametrize("kind", ["end-of-call-report", "status-update"])
def test_a_report_that_is_doubled_with_another_key_is_found(kind: str) -> None:
    owner = OwnerServer()
    told(owner)
    told(owner, kind, "a")
    told(owner, kind, "b")
    assert any("different Idempotency-Keys" in line for line in broken_after(owner, (200, ENDED)))


@pytest.mark.parametrize(
    ("records", "words"),
    [
        ([(404, {})], "is not on record"),
        ([(200, {"status": "in-progress"})], "has not ended on record"),
        ([(200, ENDED), (200, {**ENDED, "endedReason": "customer-ended-call"})], "ended twice"),
        ([(200, ENDED), (200, {"status": "in-progress"})], "is in-progress again"),
    ],
)
def test_a_call_that_does_not_end_once_on_record_is_found(
    records: list[tuple[int, dict[str, str]]], words: str
) -> None:
    owner = OwnerServer()
    told(owner)
    assert any(words in line for line in broken_after(owner, *records))


def test_a_report_with_another_reason_than_the_record_is_found() -> None:
    owner = OwnerServer()
    told(owner, reason="customer-ended-call")
    assert any("on record is worker-died" in line for line in broken_after(owner, (200, ENDED)))


MINUTE = Minute(
    minute=0,
    live=20,
    rss_mb=400,
    descriptors=100,
    threads=16,
    tasks=300,
    cpu_ms_per_call_s=25,
    health_p99_ms=10,
    calls=10,
    interruptions=100,
    missed=0,
    silence_p50_ms=220,
    silence_p95_ms=250,
    reports_lost=0,
)


def minutes(count: int = 60, **per_minute: float) -> list[Minute]:
    """Return minutes in which these fields rise by so much each minute, with a little noise."""
    return [
        replace(
            MINUTE,
            minute=n,
            **{name: getattr(MINUTE, name) + n * rise + (n % 3 - 1) * 0.2 for name, rise in per_minute.items()},
        )
        for n in range(count)
    ]


@pytest.mark.parametrize(
    ("name", "rise"),
    [
        ("rss_mb", 0.5),
        ("descriptors", 0.5),
        ("threads", 0.1),
        ("tasks", 1),
        ("cpu_ms_per_call_s", 0.2),
        ("silence_p95_ms", 1),
    ],
)
def test_a_growth_is_found(name: str, rise: float) -> None:
    assert problems(minutes()) == []
    assert problems(minutes(**{name: rise / 100})) == [], "noise"
    (line,) = problems(minutes(**{name: rise}))
    assert line.startswith(f"{name} rose by")


def test_growth_before_the_second_half_is_a_warm_up() -> None:
    grown = [replace(one, rss_mb=400 + min(one.minute, 25) * 10) for one in minutes()]
    assert problems(grown) == []
    assert rises(grown)["rss_mb"] == pytest.approx(0, abs=1e-6)


def test_missed_interruptions_and_lost_reports_of_a_soak_are_found() -> None:
    missed = [replace(one, missed=2) for one in minutes(5)]
    assert problems(missed) == ["10 of 500 interruptions were missed"]
    assert problems([replace(one, reports_lost=1) for one in minutes(5)]) == ["1 end-of-call-reports were lost"]
    assert problems([replace(one, interruptions=0) for one in minutes(5)]) == ["no interruption was measured"]


TRACEBACK = 'Traceback (most recent call last):\n  File "x", line 1, in f\nValueError: boom'


def test_errors_in_a_log_are_found_once(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text(f"{TRACEBACK}\n")
    watch = LogWatch(log)
    entries = [
        {"level": "warning", "event": "fine"},
        {"level": "error", "event": "bad"},
        {"level": "info", "event": "worse", "exception": TRACEBACK},
    ]
    with log.open("a") as file:
        file.write("\n".join(json.dumps(entry) for entry in entries) + f"\n{TRACEBACK}\n")
    assert watch.errors() == ["bad: ", "worse: ValueError: boom", "a traceback: ValueError: boom"]
    assert watch.errors() == []


def test_the_table_is_written_between_the_markers(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n")
    kill = PartResult(part="kill", setting="sqlite", figures={"kills": 10}, broken=["a report was lost"])
    results = [replace(kill, command="python -m bench.torture --parts kill", date="2026-01-01")]
    write_json(results, tmp_path / "results.json")
    assert main(["--report", str(tmp_path / "results.json"), "--publish", str(page)]) == 1, "a promise was broken"
    text = page.read_text()
    assert text.startswith("before\n")
    assert text.endswith("after\n")
    assert "old" not in text
    assert "python -m bench.torture --parts kill  # 2026-01-01" in text
    assert summary(results) in text
    assert "| kill (sqlite) | **broken** | kills 10 | 0 |" in text
    assert "- kill (sqlite): a report was lost" in text
    bare = tmp_path / "bare.md"
    bare.write_text("no markers")
    with pytest.raises(ValueError, match=r"bare\.md"):
        publish(results, bare)


VALID = {"type": "say", "content": "Hello.", "list": [1, {"a": "b"}], "flag": True}


def test_the_same_seed_makes_the_same_input_and_others_differ() -> None:
    def made(seed: int) -> bytes:
        random = Random(seed)  # noqa: S311  # test data
        return encoded(mutated(VALID, random), random)

    assert [made(seed) for seed in range(300)] == [made(seed) for seed in range(300)]
    assert len({made(seed) for seed in range(300)}) > 200
    assert VALID == {"type": "say", "content": "Hello.", "list": [1, {"a": "b"}], "flag": True}, "it was not changed"


@pytest.mark.parametrize("status", [500, 502, 504])
def test_a_server_error_is_found(status: int) -> None:
    with pytest.raises(BrokenPromiseError, match=f"answered {status}"):
        check_answer("POST", "/call", httpx.Response(status, text="Internal Server Error"))


def test_an_error_without_vapis_shape_is_found() -> None:
    check_answer("GET", "/x", httpx.Response(404, json={"message": "m", "error": "Not Found", "statusCode": 404}))
    check_answer("GET", "/x", httpx.Response(501, json={"message": "m", "error": "Not Implemented", "statusCode": 501}))
    with pytest.raises(BrokenPromiseError, match="not in Vapi's shape"):
        check_answer("GET", "/x", httpx.Response(422, json={"detail": []}))


def onsets(later_ms: float, *, missed: int = 0) -> Onsets:
    random = Random(1)  # noqa: S311  # test data
    made = Onsets()
    for _ in range(400):
        made.add(0, random.gauss(220, 15), fuzzed=False)
        made.add(0, random.gauss(220, 15) + later_ms, fuzzed=True)
    for _ in range(missed):
        made.add(0, None, fuzzed=True)
    return made


def test_a_neighbour_that_is_interrupted_later_beside_the_fuzzer_is_found() -> None:
    assert onsets(0).problems() == []
    assert onsets(15).problems() == []
    (line,) = onsets(45).problems()
    assert "a neighbour's p95 was at least" in line
    assert onsets(0, missed=20).problems() == ["a neighbour's interruptions were missed 20 times of 400"]


def test_dead_air_a_call_without_an_end_and_a_worker_that_died_are_found() -> None:
    fine = Observed(silent_s=10.4, heard_s=3, ended_s=14, reason="silence-timed-out")
    assert fine.broken() is None
    assert replace(fine, ended_s=None).broken() is None, "a call that goes on and is heard"
    assert replace(fine, silent_s=16.5).broken() == "16 s without a sound"
    assert replace(fine, reason="").broken() == "no end on record 8 s after the call was over"
    died = "call.in-progress.error-vapifault-worker-died"
    assert replace(fine, reason=died).broken() == f"ended as {died}"
    rows = table([(Case("voice", "slow", "middle"), replace(fine, silent_s=30))], 16)
    assert rows[1] == [
        "voice",
        "middle",
        "-",
        "**30 s without a sound** (heard 3 s, silence-timed-out after 14 s)",
        "-",
        "-",
        "-",
        "-",
    ]


def test_a_late_machine_allows_more_silence_by_as_much_as_a_call_without_a_fault_was_late() -> None:
    assert allowed_silence_s(10.5) == 16
    assert allowed_silence_s(14) == 19


def test_every_peer_has_every_fault_at_every_moment() -> None:
    everything = cases(quick=False)
    assert len(set(everything)) == len(everything)
    assert {case.peer for case in cases(quick=True)} == {case.peer for case in everything}
    assert Case("voice", "too fast", "interruption") in everything
    assert Case("model", "broken off", "before connect") in everything


class DeadCaller:
    """A caller whose call ended, or that heard nothing."""

    def __init__(self, *, alive: bool, frames: int) -> None:
        self.alive = alive
        self.heard = Heard(frames=frames)
        self.call_id = "c"


def test_a_call_that_ends_or_is_not_heard_during_an_outage_is_found() -> None:
    watched = Watched(OwnerServer(), {}, [], Ticker(LoopClock()))
    callers = [DeadCaller(alive=True, frames=9), DeadCaller(alive=False, frames=9), DeadCaller(alive=True, frames=0)]
    watched.check_staying(callers)  # type: ignore[arg-type]
    assert watched.broken == [
        "call 1 ended during the outage",
        "call 2: the caller heard nothing during the outage",
    ]


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("record", "reports", "words"),
    [
        ({"status": "ended", "endedReason": "r"}, [], "no end-of-call-report"),
        ({"status": "ended", "endedReason": "r"}, ["a", "b"], "2 different Idempotency-Keys"),
        ({"status": "in-progress"}, ["a"], "is in-progress on record"),
        ({"status": "ended", "endedReason": "other"}, ["a"], "on record is other"),
    ],
)
async def test_what_an_outage_broke_is_found(record: dict[str, str], reports: list[str], words: str) -> None:
    async def answer(exchange: Exchange) -> None:
        await exchange.respond(200, json.dumps(record).encode(), content_type="application/json")

    owner = OwnerServer()
    for key in reports:
        told(owner, key=key, reason="r")
    watched = Watched(owner, {}, [], Ticker(LoopClock()), report_s=0.1)
    watched.callers.append(DeadCaller(alive=True, frames=1))  # type: ignore[arg-type]
    async with HttpPeer(answer) as server:
        await watched.check_ends(server.origin)
    (line,) = watched.broken
    assert words in line


@pytest.mark.anyio
async def test_a_refused_request_that_no_documentation_names_is_found_during_an_outage() -> None:
    async def answer(exchange: Exchange) -> None:
        await exchange.respond(500, b"{}", content_type="application/json")

    watched = Watched(OwnerServer(), {}, [], Ticker(LoopClock()))
    async with HttpPeer(answer) as server:
        await watched.call_during(server.origin)
    assert watched.during == [500]
    assert "POST /call answered 500 during the outage" in watched.broken[0]
