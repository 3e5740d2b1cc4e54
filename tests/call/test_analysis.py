"""The analysis of a call: its parts, what becomes of failures, and the report that waits for it."""

import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from bargein.store.vault import Vault
from bargein.testing import FakeLlm, FakeTranscriber, FakeVoice, LlmScript, TimedReply, TranscriberScript
from tests.browser.conftest import serve
from tests.call.conftest import Log
from tests.call.harness import assistant, calling, eventually, stored
from tests.call.stage import Stage, staged
from tests.call.test_server_messages import check
from tests.webhooks.receiver import Receiver

pytestmark = pytest.mark.anyio

SAYS = TranscriberScript(timed=[TimedReply(150, "My name is Ada, order 12.")])
REPORTS = ["status-update", "end-of-call-report"]
PERSON = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "age": {"type": "integer"}},
    "required": ["name"],
}
SUMMARY = [
    {"role": "system", "content": "SUMMARY for {{tone}} of {{systemPrompt}}"},
    {"role": "user", "content": "{{transcript}}|{{endedReason}}|{{messages}}"},
]
MULTI = [{"role": "system", "content": "MULTI {{schema}}"}, {"role": "user", "content": "{{transcript}}"}]
OUTPUT = [{"role": "user", "content": "OUTPUT {{structuredOutput.name}}: {{structuredOutput.schema}} {{transcript}}"}]


def of(body: dict[str, Any], start: str) -> bool:
    """Return whether a request is the question that begins with a text."""
    return any(str(message["content"]).startswith(start) for message in body["messages"])


def says(value: object) -> LlmScript:
    return LlmScript(tokens=[value if isinstance(value, str) else json.dumps(value)])


def analyst(body: dict[str, Any]) -> LlmScript:
    """Answer as the assistant in the conversation, and as the analyst after it."""
    if of(body, "SUMMARY"):
        return says("Ada gave her name.")
    if of(body, "You extract data"):
        return says('```json\n{"name": "Ada", "age": null}\n```')
    if of(body, "MULTI"):  # wrong at first
        return says({"name": "Ada"} if body["messages"][-1]["content"].startswith("This is not valid") else {"age": 1})
    if of(body, "You evaluate calls"):
        return says("8/10")
    if of(body, "You extract one value"):
        return says(["Ada"])
    return says("Hello Ada.")


def plan(**more: Any) -> dict[str, Any]:
    return {
        "summaryPlan": {"messages": SUMMARY},
        "structuredDataPlan": {"enabled": True, "schema": PERSON, "timeoutSeconds": 20},
        "structuredDataMultiPlan": [{"key": "person", "plan": {"enabled": True, "schema": PERSON, "messages": MULTI}}],
        "successEvaluationPlan": {"rubric": "NumericScale"},
        **more,
    }


def analysed(stage: Stage, receiver: Receiver | None, **more: Any) -> dict[str, Any]:
    given = stage.assistant(analysisPlan=plan(), serverMessages=REPORTS, **more)
    given["model"] = {**given["model"], "messages": [{"role": "system", "content": "Be brief."}], "maxTokens": 60}
    return given | ({} if receiver is None else {"server": {"url": receiver.url}})


async def talked(url: str, given: dict[str, Any], **body: Any) -> str:
    """Have the conversation and hang up; return the call's id."""
    async with calling(url, given, **body) as caller:
        await caller.until(lambda: caller.of("speech-update", status="stopped", role="assistant"))
        await caller.send({"type": "end-call"})
        await caller.until_closed()
    return caller.id


def requests(llm: FakeLlm, start: str) -> list[dict[str, Any]]:
    return [exchange.body for exchange in llm.exchanges if of(exchange.body, start)]


async def test_a_call_is_analysed_whole_before_its_report(tmp_path: Path, log: Log) -> None:
    async with (
        Receiver() as receiver,
        FakeLlm(LlmScript(status=401)) as broken,
        staged(tmp_path, llm=analyst, transcriber=SAYS) as stage,
        httpx.AsyncClient(base_url=stage.url) as client,
    ):
        names: dict[str, Any] = {"type": "array", "items": {"type": "string"}}
        made = await client.post("/structured-output", json={"name": "names", "schema": names})
        assert made.status_code == 201, made.text
        own = [
            {"name": "order", "type": "regex", "regex": r"/ORDER (\d+)/i", "schema": {"type": "integer"}},
            {"name": "long calls", "schema": names, "conditions": [{"type": "minMessages", "count": 99}]},
            {"name": "broken", "schema": names,
             "model": {"provider": "custom-llm", "url": broken.url, "model": "m", "messages": OUTPUT}},
        ]  # fmt: skip
        outputs = {"structuredOutputIds": [made.json()["id"], "gone"], "structuredOutputs": own}
        call_id = await talked(
            stage.url,
            analysed(stage, receiver, artifactPlan=outputs),
            assistantOverrides={"variableValues": {"tone": "kings"}},
        )
        await receiver.until(lambda: receiver.of("end-of-call-report"))
        record = await stored(stage.url, call_id)
        (report,) = receiver.of("end-of-call-report")
        assert receiver.kinds[-1] == "end-of-call-report"

        analysis = record["analysis"]
        assert (report["analysis"], report["summary"]) == (analysis, analysis["summary"])
        assert record["summary"] == report["summary"]
        (problem,) = analysis.pop("problems")
        assert analysis == {
            "summary": "Ada gave her name.",
            "structuredData": {"name": "Ada"},
            "structuredDataMulti": [{"person": {"name": "Ada"}}],
            "successEvaluation": "8",
        }
        artifact = record["artifact"]
        assert report["artifact"]["structuredOutputs"] == artifact["structuredOutputs"]
        by_name = {one["name"]: one["result"] for one in artifact["structuredOutputs"].values()}
        assert by_name == {"names": ["Ada"], "order": 12, "broken": None}
        assert made.json()["id"] in artifact["structuredOutputs"]
        (skipped,) = artifact["skippedStructuredOutputs"].values()
        assert skipped == {"name": "long calls", "unmetCondition": {"type": "minMessages", "count": 99}}
        assert problem["part"].startswith("structuredOutputs.")
        assert "answered 401" in problem["reason"]
        assert not {"analysisState"} & record.keys()
        for got in receiver.of("status-update"):
            assert "structuredOutputs" not in got.get("artifact", {})
        check(report)

        # the failure is a sentence in the call's own log
        lines = (tmp_path / "logs" / f"{call_id}.jsonl").read_text().splitlines()
        told = [json.loads(line) for line in lines if "a part of a call's analysis is left out" in line]
        assert [(line["part"], line["reason"]) for line in told] == [(problem["part"], problem["reason"])]
        assert log.lines("a structured output is left out: it is not stored", part="gone")

        # placeholders are filled in, and the model has room for an answer
        (summary,) = requests(stage.llm, "SUMMARY")
        first, second = (message["content"] for message in summary["messages"])
        assert first == "SUMMARY for kings of Be brief."
        transcript, reason, messages = second.split("|")
        assert transcript.splitlines() == ["User: My name is Ada, order 12.", "AI: Hello Ada."]
        assert reason == record["endedReason"]
        assert json.loads(messages) == artifact["messagesOpenAIFormatted"]
        assert summary["max_tokens"] == 2000
        assert "tools" not in summary
        assert len(requests(stage.llm, "MULTI")) == 2

        await preview_and_run(client, stage, call_id, made.json()["id"])


async def preview_and_run(client: httpx.AsyncClient, stage: Stage, call_id: str, output_id: str) -> None:
    """Extract values from the call afterwards: as a preview, which stores nothing, and for its record."""
    before = (await client.get(f"/call/{call_id}")).json()
    run = {"callIds": [call_id], "structuredOutputId": output_id, "previewEnabled": True}
    seen = await client.post("/structured-output/run", json=run)
    assert (seen.status_code, seen.json()) == (200, {output_id: {"name": "names", "result": ["Ada"]}})
    gated = {"name": "gated", "schema": {"type": "string"}, "conditions": [{"type": "minCallDuration", "seconds": 99}]}
    seen = await client.post(
        "/structured-output/run", json={"callIds": [call_id], "structuredOutput": gated, "previewEnabled": True}
    )
    (why,) = seen.json()["skipped"].values()
    assert why == {"name": "gated", "unmetCondition": {"type": "minCallDuration", "seconds": 99}}
    assert (await client.get(f"/call/{call_id}")).json()["updatedAt"] == before["updatedAt"]

    stage.llm.script = lambda body: says(["Ada", "Bob"])
    started = await client.post("/structured-output/run", json={**run, "previewEnabled": False})
    assert started.status_code == 200
    assert "message" in started.json()

    async def look() -> Any:
        return (await client.get(f"/call/{call_id}")).json()["artifact"]["structuredOutputs"]

    after = await eventually(look, lambda found: found[output_id]["result"] == ["Ada", "Bob"])
    assert {**after, output_id: None} == {**before["artifact"]["structuredOutputs"], output_id: None}
    kept = (await client.get(f"/call/{call_id}")).json()["analysis"]
    assert kept == before["analysis"]


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        (LlmScript(ending="hang", tokens=["Ada "]), "there was no answer within 1 s"),
        (LlmScript(status=401), "answered 401"),
    ],
    ids=["hangs", "fails"],
)
async def test_the_report_goes_without_what_the_model_does_not_give(
    tmp_path: Path, script: LlmScript, reason: str
) -> None:
    def conversing(body: dict[str, Any]) -> LlmScript:
        return script if of(body, "SUMMARY") else analyst(body)

    async with Receiver() as receiver, staged(tmp_path, llm=conversing, transcriber=SAYS) as stage:
        given = analysed(stage, receiver)
        given["analysisPlan"] = plan(summaryPlan={"messages": SUMMARY, "timeoutSeconds": 1})
        call_id = await talked(stage.url, given)
        await receiver.until(lambda: receiver.of("end-of-call-report"))
        record = await stored(stage.url, call_id)
    (report,) = receiver.of("end-of-call-report")
    assert report["analysis"] == record["analysis"]
    assert "summary" not in report["analysis"]
    assert report["analysis"]["successEvaluation"] == "8"
    (problem,) = report["analysis"]["problems"]
    assert problem["part"] == "summary"
    assert reason in problem["reason"]


async def test_nothing_is_asked_about_a_call_without_a_plan_unless_the_setting_says_so(tmp_path: Path) -> None:
    async with Receiver() as receiver, staged(tmp_path / "a", llm=analyst, transcriber=SAYS) as stage:
        given = {**analysed(stage, receiver), "analysisPlan": None}
        call_id = await talked(stage.url, given)
        await receiver.until(lambda: receiver.of("end-of-call-report"))
        assert len(stage.llm.exchanges) == 1
        assert (await stored(stage.url, call_id))["analysis"] == {}
    async with (
        Receiver() as receiver,
        staged(tmp_path / "b", llm=analyst, transcriber=SAYS, analyze_all=True) as stage,
    ):
        stage.llm.script = lambda body: says("true" if of(body, "You evaluate") else "Short.")
        await talked(stage.url, {**analysed(stage, receiver), "analysisPlan": None})
        await receiver.until(lambda: receiver.of("end-of-call-report"))
    (report,) = receiver.of("end-of-call-report")
    assert report["analysis"] == {"summary": "Short.", "successEvaluation": "true"}


async def test_of_a_private_call_the_owner_gets_the_analysis_and_the_disk_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, log: Log
) -> None:
    monkeypatch.setattr(Vault, "seal", lambda _vault, document: document)

    def secretive(body: dict[str, Any]) -> LlmScript:
        if of(body, "SUMMARY"):
            return says("She has pellagra.")
        if of(body, "You extract data"):
            return says("pellagra, which is no JSON")
        return analyst(body)

    forced = {"name": "forced", "type": "regex", "regex": r"order (\d+)", "schema": {"type": "integer"},
              "compliancePlan": {"forceStoreOnHipaaEnabled": True}}  # fmt: skip
    usual = {"name": "usual", "type": "regex", "regex": "Ada", "schema": {"type": "string"}}
    async with Receiver() as receiver, staged(tmp_path, llm=secretive, transcriber=SAYS) as stage:
        given = analysed(
            stage,
            receiver,
            compliancePlan={"hipaaEnabled": True},
            artifactPlan={"structuredOutputs": [forced, usual]},
        )
        call_id = await talked(stage.url, given)
        await receiver.until(lambda: receiver.of("end-of-call-report"))
        record = await stored(stage.url, call_id)
    (report,) = receiver.of("end-of-call-report")
    assert report["analysis"]["summary"] == "She has pellagra."
    assert [one["part"] for one in report["analysis"]["problems"]] == ["structuredData"]
    results = {one["name"]: one["result"] for one in report["artifact"]["structuredOutputs"].values()}
    assert results == {"forced": 12, "usual": "Ada"}
    assert "analysis" not in record
    assert [one["name"] for one in record["artifact"]["structuredOutputs"].values()] == ["forced"]
    assert places(tmp_path, b"pellagra") == []
    assert "pellagra" not in log.text


def places(folder: Path, word: bytes) -> list[str]:
    """Return the files that have a word."""
    return [path.name for path in folder.rglob("*") if path.is_file() and word in path.read_bytes()]


async def test_a_server_that_is_killed_asks_for_nothing_twice_that_it_has(tmp_path: Path) -> None:
    """The evaluation hangs when the server is killed; the summary is known by then, and is not asked for again."""
    hangs = [True]

    def conversing(body: dict[str, Any]) -> LlmScript:
        return LlmScript(ending="hang") if hangs and of(body, "You evaluate") else analyst(body)

    async with (
        FakeLlm(conversing) as llm,
        FakeVoice() as voice,
        FakeTranscriber(SAYS) as transcriber,
        Receiver() as receiver,
    ):
        given = assistant(llm, voice, transcriber, server={"url": receiver.url}, serverMessages=REPORTS)
        slow = {"rubric": "NumericScale", "timeoutSeconds": 60}
        given["analysisPlan"] = {"summaryPlan": {"messages": SUMMARY}, "successEvaluationPlan": slow}
        async with serve(tmp_path) as served:
            call_id = await talked(served.url, given)
            await eventually(lambda: asked(llm), lambda found: found == (1, 1))
            await eventually(lambda: kept(served.url, call_id), lambda found: found)
            served.process.kill()
        assert receiver.of("end-of-call-report") == []
        hangs.clear()
        async with serve(tmp_path):
            await receiver.until(lambda: receiver.of("end-of-call-report"), 20)
    (report,) = receiver.of("end-of-call-report")
    assert report["analysis"] == {"summary": "Ada gave her name.", "successEvaluation": "8"}
    assert (len(requests(llm, "SUMMARY")), len(requests(llm, "You evaluate"))) == (1, 2)


async def asked(llm: FakeLlm) -> tuple[int, int]:
    return len(requests(llm, "SUMMARY")), len(requests(llm, "You evaluate"))


async def kept(url: str, call_id: str) -> bool:
    """Return whether the record was changed after the end of the call: the first outcome was stored."""
    record = await stored(url, call_id)
    return record["status"] == "ended" and record["updatedAt"] > record["endedAt"]
