"""`/eval/simulation`: its resources, and runs whose tester writes."""

import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from bargein.server.evals import runs as eval_runs
from bargein.testing import FakeLlm, HttpPeer, LlmScript
from bargein.testing.http_peer import Exchange
from bargein.wire import contract
from tests.call.harness import eventually
from tests.server.conftest import Serve

pytestmark = pytest.mark.anyio

Body = dict[str, Any]
ABSENT = "7b1c0f9e-6d1f-4c55-9a43-0e6a4a6f4d11"
BASE = "/eval/simulation"
WEATHER: Body = {
    "type": "function",
    "function": {"name": "get_weather", "parameters": {"type": "object", "properties": {}}},
}


class Models:
    """A fake model for every part, which answers by its name: `target`, `tester`, `judge`."""

    def __init__(self) -> None:
        self.answers: dict[str, list[LlmScript]] = {"target": [], "tester": [], "judge": []}
        self.asked: dict[str, list[Body]] = {"target": [], "tester": [], "judge": []}

    def reply(self, body: dict[str, Any]) -> LlmScript:
        name = str(body["model"])
        self.asked[name].append(body)
        left = self.answers[name]
        return left.pop(0) if len(left) > 1 else left[0]


def says(*texts: str) -> list[LlmScript]:
    return [LlmScript(tokens=(text,)) for text in texts]


@pytest.fixture
def models() -> Models:
    return Models()


@pytest.fixture
async def llm(models: Models) -> AsyncIterator[FakeLlm]:
    async with FakeLlm(models.reply) as opened:
        yield opened


@pytest.fixture
async def client(serve: Serve) -> AsyncIterator[httpx.AsyncClient]:
    async with serve(allow_private_addresses=True) as opened:
        yield opened


def model(llm: FakeLlm, name: str, **more: Any) -> Body:
    return {"provider": "custom-llm", "url": llm.url, "model": name, **more}


def output(name: str, kind: str, **more: Any) -> Body:
    return {"name": name, "schema": {"type": kind}, **more}


def scenario(*evaluations: Body, **more: Any) -> Body:
    return {"name": "Weather", "instructions": "Ask for the weather.", "evaluations": [*evaluations], **more}


def personality(llm: FakeLlm) -> Body:
    system = {"role": "system", "content": "You are Ada, in a hurry."}
    return {"name": "Ada", "assistant": {"model": model(llm, "tester", messages=[system])}}


async def made(client: httpx.AsyncClient, path: str, body: Body, kind: str) -> Body:
    answer = await client.post(BASE + path, json=body)
    assert answer.status_code == 201, answer.text
    assert not contract.problems(kind, answer.json())
    return answer.json()


async def ended(client: httpx.AsyncClient, run_id: str, seconds: float = 15) -> Body:
    async def look() -> Body:
        return (await client.get(f"{BASE}/run/{run_id}")).json()

    run = await eventually(look, lambda one: one["status"] == "ended", seconds=seconds)
    assert not contract.problems("SimulationRun", run)
    return run


async def test_the_resources_are_stored_changed_and_listed(client: httpx.AsyncClient, llm: FakeLlm) -> None:
    check = {"structuredOutput": output("told", "boolean"), "comparator": "=", "value": True}
    one = await made(client, "/scenario", scenario(check), "Scenario")
    ada = await made(client, "/personality", personality(llm), "Personality")
    pair = await made(client, "", {"scenarioId": one["id"], "personalityId": ada["id"], "name": "x"}, "Simulation")
    suite = await made(client, "/suite", {"name": "All", "simulationIds": [pair["id"]]}, "SimulationSuite")
    for path, stored in (("/scenario", one), ("/personality", ada), ("", pair), ("/suite", suite)):
        assert (await client.get(BASE + path)).json() == [stored]
        changed = await client.patch(f"{BASE}{path}/{stored['id']}", json={"name": "Other", "path": "a/b"})
        assert (changed.status_code, changed.json()["name"]) == (200, "Other")
        assert (await client.patch(f"{BASE}{path}/{stored['id']}", json={"nmae": 1})).status_code == 400
    assert (await client.get(f"{BASE}?standaloneOnly=true")).json() == []
    assert (await client.get(f"{BASE}?idAny={ABSENT}")).json() == []
    assert len((await client.get(f"{BASE}/scenario?name=Other&idAny={one['id']}")).json()) == 1
    assert (await client.get(f"{BASE}/suite?name=All")).json() == []
    slots = (await client.get(f"{BASE}/concurrency")).json()
    assert not contract.problems("SimulationConcurrencyResponse", slots)
    assert (slots["activeSimulations"], slots["availableToStart"]) == (0, slots["concurrencyLimit"] // 2)
    for path, stored in (("/suite", suite), ("", pair), ("/personality", ada), ("/scenario", one)):
        assert (await client.delete(f"{BASE}{path}/{stored['id']}")).status_code == 200
        assert (await client.get(f"{BASE}{path}/{stored['id']}")).status_code == 404


async def test_wrong_bodies_are_refused(client: httpx.AsyncClient, llm: FakeLlm) -> None:
    good = {"structuredOutput": output("told", "boolean"), "comparator": "=", "value": True}
    target = {"type": "assistant", "assistant": {"model": model(llm, "target")}}
    entry = {"type": "simulation", "scenario": scenario(good), "personality": personality(llm)}
    cases: tuple[tuple[str, Body, str], ...] = (
        ("/scenario", scenario({"comparator": "=", "value": 1}), "evaluations.0 needs either structuredOutputId or"),
        (
            "/scenario",
            scenario({**good, "comparator": ">"}),
            "evaluations.0.value must be a number for the comparator >",
        ),
        (
            "/scenario",
            scenario({**good, "structuredOutput": output("x", "object")}),
            "evaluations.0.structuredOutput.schema.type must",
        ),
        (
            "/scenario",
            scenario(good, latencyExpectations=[{"metric": "sum"}]),
            "latencyExpectations.0.metric must be one of",
        ),
        (
            "/personality",
            {"name": "x", "assistant": {"voice": {"provider": "nobody"}}},
            "assistant.voice.provider must be",
        ),
        (
            "/scenario",
            scenario({"structuredOutputId": ABSENT, "comparator": "=", "value": 1}),
            "There is no structured output with the id",
        ),
        (
            "/scenario",
            scenario(good, {**good, "structuredOutput": output("x", "string", type="regex", regex="(")}),
            "evaluations.1.structuredOutput.regex",
        ),
        ("", {"scenarioId": ABSENT, "personalityId": ABSENT}, "There is no scenario with the id"),
        ("/suite", {"name": "x", "simulationIds": [ABSENT]}, "There is no simulation with the id"),
        (
            "/run",
            {"simulations": [entry], "target": {"type": "assistant"}},
            "target needs either assistantId or assistant",
        ),
        ("/run", {"simulations": [], "target": target}, "simulations must contain at least 1"),
        (
            "/run",
            {"simulations": [{"type": "simulation", "scenarioId": ABSENT}], "target": target},
            "simulations.0.personality or",
        ),
        (
            "/run",
            {"simulations": [{**entry, "simulationId": ABSENT}], "target": target},
            "There is no simulation with the id",
        ),
        (
            "/run",
            {"simulations": [{"type": "simulationSuite"}], "target": target},
            "simulations.0.simulationSuiteId should not be",
        ),
        (
            "/run",
            {"simulations": [entry], "target": target, "iterations": 11},
            "iterations must not be greater than 10",
        ),
        ("/scenario/generate", {}, "Need either `assistantId` or `squadId`."),
    )
    stored = (await client.post(f"{BASE}/scenario", json=scenario(good))).json()["id"]
    unknown = {"evaluations": [{"structuredOutputId": ABSENT, "comparator": "=", "value": 1}]}
    changed = await client.patch(f"{BASE}/scenario/{stored}", json=unknown)
    assert (changed.status_code, "There is no structured output" in changed.text) == (400, True)
    for path, body, problem in cases:
        answer = await client.post(BASE + path, json=body)
        assert answer.status_code == 400, (path, body)
        message = answer.json()["message"]
        assert (message if isinstance(message, str) else message[0]).startswith(problem), message


async def test_a_tester_writes_and_the_conversation_is_evaluated(
    client: httpx.AsyncClient, llm: FakeLlm, models: Models
) -> None:
    heard: list[Body] = []

    async def take(exchange: Exchange) -> None:
        heard.append(exchange.body["message"])
        await exchange.respond(200, b"{}", content_type="application/json")

    models.answers = {
        "tester": says("Weather?", "Thanks. [cough] [hang up]"),
        "target": [LlmScript(tokens=(), calls=[("get_weather", "{}")]), *says("It is 21 degrees.", "Bye.")],
        "judge": says("polite"),
    }
    asked = [{"role": "system", "content": "Judge the tone in {{transcript}}"}]
    tone = output("tone", "string", model=model(llm, "judge", messages=asked))
    patient = output(
        "patient", "boolean", type="regex", regex="/please/", conditions=[{"type": "minMessages", "count": 9}]
    )
    gone = (await client.post("/structured-output", json=output("gone", "boolean"))).json()["id"]
    kept = await client.post("/structured-output", json=output("words", "string", type="regex", regex="/thanks/i"))
    async with HttpPeer(take) as owner:
        ended_hook = {"type": "webhook", "server": {"url": owner.origin}, "include": {"transcript": True}}
        one = scenario(
            {"structuredOutput": tone, "comparator": "=", "value": "POLITE"},
            {
                "structuredOutput": output("degrees", "integer", type="regex", regex=r"(\d+) degrees"),
                "comparator": ">", "value": 30, "required": False,
            },
            {"structuredOutputId": gone, "comparator": "=", "value": 1, "required": False},
            {"structuredOutput": patient, "comparator": "=", "value": True},
            {"structuredOutputId": kept.json()["id"], "comparator": "=", "value": "thanks"},
            {"structuredOutputId": kept.json()["id"], "comparator": "!=", "value": "sorry"},
            toolMocks=[{"toolName": "get_weather", "result": "21 degrees"}],
            targetOverrides={"variableValues": {"name": "Bob"}},
            latencyExpectations=[{"metric": "turn", "aggregation": "p95", "thresholdMs": 1}],
            hooks=[
                {"on": "simulation.run.started", "do": [{"type": "webhook", "server": {"url": owner.origin}}]},
                {"on": "simulation.run.ended", "do": [ended_hook]},
            ],
        )  # fmt: skip
        stored = await made(client, "/scenario", one, "Scenario")
        ada = await made(client, "/personality", personality(llm), "Personality")
        pair = await client.post(BASE, json={"scenarioId": stored["id"], "personalityId": ada["id"]})
        assert (await client.delete(f"/structured-output/{gone}")).status_code == 200
        system = {"role": "system", "content": "You serve {{name}}."}
        target = {"model": model(llm, "target", messages=[system], tools=[WEATHER])}
        begun = await made(
            client,
            "/run",
            {
                "simulations": [{"type": "simulation", "simulationId": pair.json()["id"]}],
                "target": {"type": "assistant", "assistant": target},
                "transport": {"provider": "vapi.webchat"},
            },
            "CreateSimulationRunResponse",
        )
        run = await ended(client, begun["id"])
    (item_id,) = begun["simulationRunItemIds"]
    item = (await client.get(f"{BASE}/run/{begun['id']}/item/{item_id}")).json()
    assert not contract.problems("SimulationRunItem", item)
    assert (run["endedReason"], run["itemCounts"]["passed"], item["status"]) == ("completed", 1, "passed"), item
    results = item["results"]
    assert [(one["passed"], one["extractedValue"]) for one in results["evaluations"]] == [
        (True, "polite"), (False, 21), (False, None), (False, None), (True, "Thanks"), (True, "Thanks"),
    ]  # fmt: skip
    assert results["evaluations"][2]["error"].startswith("There is no structured output")
    assert "minMessages" in results["evaluations"][3]["skipReason"]
    assert (results["passed"], results["latencyEvaluations"][0]["isSkipped"]) == (True, True)
    call = item["metadata"]["call"]
    assert call["transcript"] == "User: Weather?\nAI: It is 21 degrees.\nUser: Thanks.\nAI: Bye.\n"
    assert (await client.get(f"/session/{item['sessionId']}")).json()["status"] == "completed"
    assert "toolMocks" not in (await client.get(f"/session/{item['sessionId']}")).json()
    assert models.asked["target"][0]["messages"][0]["content"] == "You serve Bob."
    assert models.asked["target"][1]["messages"][-1]["content"] == "21 degrees"
    first, second = models.asked["tester"]
    assert [one["role"] for one in first["messages"]] == ["system", "system", "user"]
    assert [one["content"] for one in second["messages"][2:]] == ["Weather?", "It is 21 degrees."]
    assert [one["role"] for one in second["messages"][2:]] == ["assistant", "user"]
    texts = [one["content"] for one in models.asked["judge"][0]["messages"]]
    assert any(one.startswith("Judge the tone in User: Weather?\nAI: It is 21 degrees.") for one in texts)
    assert [one["type"] for one in heard] == ["simulation.run.started", "simulation.run.ended"]
    assert (heard[1]["simulationRunItem"]["status"], heard[1]["transcript"]) == ("passed", call["transcript"])
    assert item["metadata"]["hooks"] == {"simulation.run.started:0": "sent", "simulation.run.ended:0": "sent"}
    assert [one["id"] for one in (await client.get(f"{BASE}/run?status=ended&targetType=assistant")).json()] == [
        run["id"]
    ]
    page = (await client.get(f"{BASE}/run?page=1")).json()
    assert not contract.problems("SimulationRunsPaginatedResponse", page)
    assert page["results"][0]["summary"]["source"]["simulationIds"] == [pair.json()["id"]]


async def test_a_failed_item_says_why_and_the_model_suggests_how_to_pass(
    client: httpx.AsyncClient, llm: FakeLlm, models: Models
) -> None:
    advice = {"analysis": "a", "systemPromptSuggestions": [{"issue": "i", "suggestion": "s"}],
              "toolSuggestions": [], "scenarioSuggestions": []}  # fmt: skip
    plan = {
        "scenarios": [{"name": "n", "instructions": "i", "category": "edge_case", "reasoning": "r"}],
        "coverageNotes": "c",
    }
    stored = (await client.post("/assistant", json={"model": model(llm, "target")})).json()["id"]
    models.answers = {"tester": says("Hi. [hang up]"), "target": says("No."), "judge": says("no", '{"value": "x"}')}
    check = {"structuredOutput": output("told", "boolean", model=model(llm, "judge")), "comparator": "=", "value": True}
    body = {
        "simulations": [{"type": "simulation", "scenario": scenario(check), "personality": personality(llm)}],
        "target": {"type": "assistant", "assistantId": stored},
        "transport": {"provider": "vapi.webchat"},
        "iterations": 2,
    }
    begun = await made(client, "/run", body, "CreateSimulationRunResponse")
    run = await ended(client, begun["id"])
    assert (run["itemCounts"]["total"], run["itemCounts"]["failed"]) == (2, 2)
    items = (await client.get(f"{BASE}/run/{begun['id']}/item?status=failed")).json()
    assert sorted(one["iterationNumber"] for one in items) == [1, 2]
    assert items[0]["failureReason"].startswith("told = True: the model's answer is not valid, twice: ")
    path = f"{BASE}/run/{begun['id']}/item/{items[0]['id']}"
    models.answers["target"] = says("nothing", f"```json\n{json.dumps(advice)}\n```")
    assert (await client.post(f"{path}/generate")).json() == advice
    assert (await client.get(path)).json()["improvementSuggestions"] == advice
    models.answers["target"] = says(json.dumps(plan))
    assert (await client.post(f"{BASE}/scenario/generate", json={"assistantId": stored})).json() == plan
    models.answers["target"] = says("nothing")
    assert (await client.post(f"{path}/generate?force=true")).status_code == 502


async def test_a_run_is_cancelled(
    client: httpx.AsyncClient, llm: FakeLlm, models: Models, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(eval_runs, "_LOOK_S", 0.01)
    models.answers = {"tester": says("Hi."), "target": [LlmScript(tokens=(), ending="hang")], "judge": []}
    body = {
        "simulations": [{"type": "simulation", "scenario": scenario(), "personality": personality(llm)}],
        "target": {"type": "assistant", "assistant": {"model": model(llm, "target", timeoutSeconds=60)}},
        "transport": {"provider": "vapi.webchat"},
    }
    begun = await made(client, "/run", body, "CreateSimulationRunResponse")

    async def asked() -> int:
        return len(models.asked["target"])

    await eventually(asked, bool)
    run = (await client.patch(f"{BASE}/run/{begun['id']}")).json()
    assert (run["status"], run["endedReason"], run["itemCounts"]["canceled"]) == ("ended", "canceled", 1)

    async def gone() -> bool:
        return all(one.gone.is_set() for one in llm.exchanges if one.body["model"] == "target")

    await eventually(gone, bool)
    (item_id,) = begun["simulationRunItemIds"]
    assert (await client.get(f"{BASE}/run/{begun['id']}/item/{item_id}")).json()["status"] == "canceled"
    assert (await client.get(f"{BASE}/run/{begun['id']}/item/{ABSENT}")).status_code == 404
