"""The journal, whose replay gives the same call, the record of a call, and the live feed."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
from typer.testing import CliRunner

from bargein.call import session
from bargein.call.record.journal import read
from bargein.call.record.replay import replay
from bargein.cli import app
from bargein.store.journals import journal_path
from bargein.testing import LlmScript, TimedReply, TranscriberScript
from bargein.turns import commands as told
from tests.call.harness import Caller, calling, create_call, ended, joining, running, stored
from tests.call.stage import STORY, Stage, staged

pytestmark = pytest.mark.anyio

SAYS = TranscriberScript(
    timed=[
        TimedReply(200, "Tell me a story."),
        TimedReply(1200, "Uh-huh.", "partial"),
        TimedReply(1500, "Uh-huh."),
        TimedReply(2100, "What", "partial"),
        TimedReply(2400, "What?"),
    ]
)


@contextmanager
def watched_steps(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[tuple[Any, Any]]]:
    """The steps of the engine in live calls: each event with its commands."""
    steps: list[tuple[Any, Any]] = []
    engine = session.step

    def step(state: Any, event: Any, plan: Any) -> Any:
        state, commands = engine(state, event, plan)
        steps.append((event, commands))
        return state, commands

    monkeypatch.setattr(session, "step", step)
    yield steps
    monkeypatch.setattr(session, "step", engine)


async def cut_call(stage: Stage, **more: Any) -> Caller:
    """Run a call whose answer is interrupted by a word, and hang up at the next answer."""
    async with calling(stage.url, stage.assistant(**more)) as caller:
        await caller.until(lambda: caller.of("user-interrupted"))
        await caller.until(lambda: len(caller.of("speech-update", role="assistant", status="started")) == 2)
        await caller.send({"type": "end-call"})
        await caller.until_closed()
    assert await ended(stage.url, caller.id) == "customer-ended-call"
    return caller


async def test_a_journal_runs_again_to_the_same_call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with watched_steps(monkeypatch) as steps:
        async with staged(tmp_path, transcriber=SAYS) as stage:
            caller = await cut_call(stage)
    path = journal_path(tmp_path, caller.id)
    with path.open() as lines:
        head, events = read(lines)
        again = [(moment.event, moment.commands) for moment in replay(head, events)]
    assert head.call_id == caller.id
    assert again == steps
    sent = [c.message for _, commands in again for c in commands if isinstance(c, told.Send)]
    cuts = [message.turn_id for message in sent if isinstance(message, told.UserInterrupted)]
    assert cuts == [m["turnId"] for m in caller.of("user-interrupted")]
    ends = [c.reason for _, commands in again for c in commands if isinstance(c, told.EndCall)]
    assert ends == ["customer-ended-call"]
    _replay_on_the_command_line(tmp_path, caller.id)


def _replay_on_the_command_line(data_dir: Path, call_id: str) -> None:
    run, path = CliRunner(), str(journal_path(data_dir, call_id))
    shown = run.invoke(app, ["replay", path])
    assert shown.exit_code == 0, shown.output
    assert f"call {call_id}" in shown.output
    assert "=> STOPPED [#0]" in shown.output
    assert "=> ANSWERING" in shown.output
    assert 'caller said "What?"' in shown.output
    assert "sent user-interrupted #0" in shown.output
    assert "call ended: customer-ended-call" in shown.output
    by_id = run.invoke(app, ["replay", call_id], env={"BARGEIN_DATA_DIR": str(data_dir)})
    assert by_id.output == shown.output
    # Who wants two words would not have been stopped by one.
    other = run.invoke(app, ["replay", path, "--plan", '{"numWords":2}'])
    assert other.exit_code == 0, other.output
    assert "under another plan" in other.output
    assert "numWords 2" in other.output
    assert "STOPPED" not in other.output
    for wrong in (["replay", "nobody"], ["replay", path, "--plan", '{"numWords":99}'], ["replay", path, "--plan", "?"]):
        assert run.invoke(app, wrong).exit_code == 2


async def test_those_who_watch_a_call_see_its_decisions(tmp_path: Path) -> None:
    told_by: list[dict[str, Any]] = []
    async with (
        staged(tmp_path, transcriber=SAYS) as stage,
        calling(stage.url, stage.assistant()) as caller,
        httpx.AsyncClient(base_url=stage.url) as client,
        anyio.create_task_group() as tasks,
    ):
        await caller.until(lambda: caller.messages)

        async def watch() -> None:
            async with client.stream("GET", f"/{caller.id}/insight") as answer:
                assert answer.headers["content-type"].startswith("text/event-stream")
                lines = [line async for line in answer.aiter_lines()]
            told_by.extend(json.loads(line.removeprefix("data: ")) for line in lines if line)

        tasks.start_soon(watch)
        # Whoever only looks in for a moment disturbs nobody.
        async with client.stream("GET", f"/{caller.id}/insight") as answer:
            await anext(answer.aiter_bytes())
        await caller.until(lambda: caller.of("user-interrupted"))
        await caller.send({"type": "end-call"})
        await caller.until_closed()
        missing = await client.get("/nobody/insight")
    assert missing.status_code == 404
    assert told_by[0]["kind"] == "clock"
    voices = [t for t in told_by if t["kind"] == "voice"]
    assert voices
    assert all(len(v["at_ms"]) == len(v["probability"]) for v in voices)
    assert all(0 <= p <= 1 for v in voices for p in v["probability"])
    times = [at for v in voices for at in v["at_ms"]]
    assert times == sorted(times)
    (stopped,) = [t for t in told_by if t["kind"] == "decision" and t["what"] == "stopped"]
    assert stopped["turnId"] == caller.of("user-interrupted")[0]["turnId"]
    assert stopped["why"]


def lasting(record: dict[str, Any]) -> dict[str, Any]:
    """Return a record without the presigned addresses, which differ in each answer."""
    artifact = {name: value for name, value in record["artifact"].items() if not name.startswith("presigned")}
    return {**record, "artifact": artifact}


async def test_assistants_and_calls_outlast_the_server(tmp_path: Path) -> None:
    async with staged(tmp_path, transcriber=SAYS, llm=STORY) as stage:
        async with httpx.AsyncClient(base_url=stage.url) as client:
            made = (await client.post("/assistant", json=stage.assistant(name="Keeper"))).json()
        over = await cut_call(stage)
        before = lasting(await stored(stage.url, over.id))
        waiting = await create_call(stage.url, stage.speaker("Still here."))
        await stage.server.stop()
        async with running(tmp_path) as again, httpx.AsyncClient(base_url=again.url) as client:
            assert (await client.get(f"/assistant/{made['id']}")).json() == made
            assert (await client.get("/assistant")).json() == [made]
            assert lasting(await stored(again.url, over.id)) == before
            assert [c["id"] for c in (await client.get("/call")).json()] == [waiting["id"], over.id]
            async with joining(again.url, waiting) as caller:
                await caller.until(lambda: caller.of("transcript", transcript="Still here."))
            body = {"assistantId": made["id"], "transport": {"provider": "vapi.websocket"}}
            call = (await client.post("/call", json=body)).json()
            async with joining(again.url, call) as caller:
                await caller.until(lambda: caller.of("user-interrupted"))


async def test_the_record_of_a_call_holds_what_was_heard(tmp_path: Path) -> None:
    llm = LlmScript(tokens=STORY.tokens)
    async with staged(tmp_path, transcriber=SAYS, llm=llm) as stage:
        caller = await cut_call(stage)
        record = await stored(stage.url, caller.id)
    user, bot, *rest = record["messages"]
    assert (user["role"], user["message"]) == ("user", "Tell me a story.")
    heard = caller.of("transcript", role="assistant", transcriptType="final")[0]["transcript"]
    assert (bot["role"], bot["message"]) == ("bot", heard)
    assert (rest[0]["role"], rest[0]["message"]) == ("user", "What?")
    assert bot["duration"] == pytest.approx(bot["endTime"] - bot["time"])
    assert record["artifact"]["messages"] == record["messages"]
    assert record["artifact"]["transcript"].startswith(f"User: Tell me a story.\nAI: {heard}\nUser: What?\n")
    assert record["startedAt"] < record["endedAt"]
    assert caller.of("status-update", status="ended")[0]["call"]["endedReason"] == record["endedReason"]
