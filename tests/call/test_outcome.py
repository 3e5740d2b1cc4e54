"""The artifact of a call: by its plan, with the right addresses, and the same from a replay of its journal."""

import json
from pathlib import Path
from typing import Any

import pytest

from bargein.call.record.end import CallEnd
from bargein.call.record.journal import read
from bargein.call.record.outcome import CallSummary, artifact_of, artifact_plan_of, ended_fields
from bargein.call.record.replay import replay
from bargein.store.journals import journal_path
from bargein.turns import State
from bargein.turns.commands import EndCall, Remember
from bargein.turns.events import HangUp, Tick
from bargein.wire.artifact_urls import ArtifactUrls
from bargein.wire.call import CallUrls
from tests.call.harness import stored
from tests.call.stage import STORY, staged
from tests.call.test_journal import SAYS, cut_call

pytestmark = pytest.mark.anyio

CALL = {"id": "an-id", "monitor": CallUrls.of("https://voice.example", "an-id").monitor()}
HISTORY = (
    Remember("user", "What time is it?", 1000, 2000),
    Remember("assistant", "Noon.", 2600, 3100, "a-turn"),
)


def told(history: tuple[Remember, ...] = HISTORY) -> CallSummary:
    account = CallSummary()
    account.apply(State(call_id="an-id", now_ms=3500, history=HISTORY), Tick(3500), HISTORY)
    state = State(call_id="an-id", now_ms=4000, history=history)
    account.apply(state, HangUp(4000, "customer-ended-call"), (EndCall("customer-ended-call"),))
    return account


def artifact(plan: dict[str, Any] | None = None, call: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    return artifact_of(call or CALL, {} if plan is None else {"artifactPlan": plan}, told(**more), epoch_ms=1_000_000)


def test_messages_have_their_times() -> None:
    user, bot = artifact()["messages"]
    assert user == {
        "role": "user",
        "message": "What time is it?",
        "time": 1_001_000,
        "endTime": 1_002_000,
        "secondsFromStart": 1,
        "duration": 1000,
    }
    assert (bot["role"], bot["secondsFromStart"], bot["duration"], bot["source"]) == ("bot", 2.6, 500, "model")


def test_the_transcript_bears_the_plans_names() -> None:
    assert artifact()["transcript"] == "User: What time is it?\nAI: Noon.\n"
    names = {"assistantName": "Clock", "userName": "Caller"}
    assert artifact({"transcriptPlan": names})["transcript"] == "Caller: What time is it?\nClock: Noon.\n"
    assert "transcript" not in artifact({"transcriptPlan": {"enabled": False}})


def test_where_recordings_and_logs_are() -> None:
    base = "https://voice.example/call/an-id"
    whole = artifact()
    assert whole["recording"] == {
        "stereoUrl": f"{base}/stereo-recording",
        "mono": {
            "combinedUrl": f"{base}/mono-recording",
            "assistantUrl": f"{base}/assistant-recording",
            "customerUrl": f"{base}/customer-recording",
        },
    }
    assert whole["recordingUrl"] == f"{base}/mono-recording"
    assert whole["stereoRecordingUrl"] == f"{base}/stereo-recording"
    assert whole["logUrl"] == f"{base}/call-logs"


@pytest.mark.parametrize(
    ("plan", "missing"),
    [
        ({"recordingEnabled": False}, ("recording", "recordingUrl", "stereoRecordingUrl")),
        ({"loggingEnabled": False}, ("logUrl",)),
    ],
)
def test_what_was_not_wanted_has_no_address(plan: dict[str, Any], missing: tuple[str, ...]) -> None:
    assert set(artifact()) - set(artifact(plan)) == set(missing)


def test_a_call_that_does_not_tell_where_it_is_has_no_addresses() -> None:
    for monitor in ({}, None, {"controlUrl": "https://voice.example/somewhere/else"}):
        assert ArtifactUrls.of({"id": "an-id", "monitor": monitor}) is None
        assert "recording" not in artifact(call={"id": "an-id", "monitor": monitor})
    listen = {"listenUrl": "ws://127.0.0.1:8700/an-id/listen"}
    assert ArtifactUrls.of({"id": "an-id", "monitor": listen}) == ArtifactUrls(
        "an-id", "http://127.0.0.1:8700/call/an-id"
    )


def test_a_shortened_history_is_told_in_full_only_if_asked_for() -> None:
    assert len(artifact(history=HISTORY[1:])["messages"]) == 1
    whole = artifact({"fullMessageHistoryEnabled": True}, history=HISTORY[1:])
    assert [message["role"] for message in whole["messages"]] == ["user", "bot"]
    assert whole["transcript"].startswith("User: What time is it?")


def test_the_values_of_the_call() -> None:
    assert artifact()["variableValues"] == {}
    call = {**CALL, "assistantOverrides": {"variableValues": {"name": "Ada", "age": 36}}}
    assert artifact(call=call)["variableValues"] == {"name": "Ada", "age": 36}


def test_the_legacy_field_counts_where_the_plan_says_nothing() -> None:
    assert artifact_plan_of({"recordingEnabled": False}).recording_enabled is False
    assert (
        artifact_plan_of({"recordingEnabled": False, "artifactPlan": {"recordingEnabled": True}}).recording_enabled
        is True
    )
    assert artifact_plan_of({"artifactPlan": {"recordingEnabled": True}}).recording_enabled is True
    assert artifact_plan_of({}).recording_enabled is None


async def test_a_journal_gives_the_artifact_of_the_live_call(tmp_path: Path) -> None:
    async with staged(tmp_path, transcriber=SAYS, llm=STORY) as stage:
        caller = await cut_call(stage)
        record = await stored(stage.url, caller.id)
    lines = journal_path(tmp_path, caller.id).read_text().splitlines(keepends=True)
    head, events = read(lines)
    account = CallSummary()
    for moment in replay(head, events):
        account.apply(moment.state, moment.event, moment.commands)
    assert account.ended is not None
    assert account.ended.reason == record["endedReason"]
    first = record["messages"][0]
    again = ended_fields(
        record,
        record["assistant"],
        account,
        epoch_ms=round(first["time"] - first["secondsFromStart"] * 1000),
        ended_at_ms=0,
        end=CallEnd(account.ended.reason, account.ended.detail),
    )
    stored_of_it = {name: value for name, value in record["artifact"].items() if not name.startswith("presigned")}
    assert json.loads(json.dumps(again["artifact"])) == stored_of_it
    assert head.started_at == record["startedAt"]
    metrics = record["artifact"]["performanceMetrics"]
    assert metrics["numAssistantInterrupted"] == len(caller.of("user-interrupted")) > 0
    assert metrics["turnLatencies"]
    for turn in metrics["turnLatencies"]:
        parts = [turn[f"{part}Latency"] for part in ("transcriber", "endpointing", "model", "voice")]
        assert min(parts) >= 0
        assert turn["turnLatency"] >= sum(parts)
