"""`/eval` and `/eval/run` against a fake model: what is asked of it, and what its answers are judged to be."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from bargein.fleet.jobs import MOST_LONG_JOBS
from bargein.server.app import create_app
from bargein.server.calls.owner_jobs import SERVER_MESSAGE
from bargein.server.evals import runs
from bargein.testing import FakeLlm, HttpPeer, LlmScript
from bargein.testing.http_peer import Exchange
from bargein.testing.settings import make_settings
from bargein.wire import contract
from tests.call.harness import eventually
from tests.server.conftest import BASE, OWNER, VISITOR, Serve

pytestmark = pytest.mark.anyio

WEATHER: dict[str, Any] = {
    "type": "function",
    "function": {"name": "get_weather", "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}},
}
FUNCTION = WEATHER["function"]
Body = dict[str, Any]


class Model:
    """A fake model that answers the assistant's requests in order, and judges as told."""

    def __init__(self) -> None:
        self.answers: list[LlmScript] = []
        self.verdicts: list[str] = []
        self.judged: list[list[Body]] = []
        self.asked: list[Body] = []

    def reply(self, body: dict[str, Any]) -> LlmScript:
        if body["model"] == "judge":
            self.judged.append(body["messages"])
            return LlmScript(tokens=(self.verdicts.pop(0),))
        self.asked.append(body)
        return self.answers.pop(0)


@pytest.fixture
def model() -> Model:
    return Model()


@pytest.fixture
async def llm(model: Model) -> AsyncIterator[FakeLlm]:
    async with FakeLlm(model.reply) as opened:
        yield opened


@pytest.fixture
async def client(serve: Serve) -> AsyncIterator[httpx.AsyncClient]:
    async with serve(allow_private_addresses=True) as opened:
        yield opened


def assistant(llm: FakeLlm) -> Body:
    system = {"role": "system", "content": "You serve {{name}}."}
    return {
        "name": "Desk",
        "model": {
            "provider": "custom-llm", "url": llm.url, "model": "m", "messages": [system], "tools": [WEATHER],
            "timeoutSeconds": 5,
        },
    }  # fmt: skip


def ai(llm: FakeLlm, *messages: Body) -> Body:
    return {
        "type": "ai",
        "model": {"provider": "custom-llm", "url": llm.url, "model": "judge", "messages": list(messages)},
    }


def user(text: str) -> Body:
    return {"role": "user", "content": text}


def judged(plan: Body, **more: Any) -> Body:
    return {"role": "assistant", "judgePlan": plan, **({"continuePlan": more} if more else {})}


def evaluation(*messages: Body) -> Body:
    return {"type": "chat.mockConversation", "messages": list(messages)}


async def run(client: httpx.AsyncClient, **body: Any) -> Body:
    """Begin a run and return it once it has ended."""
    begun = await client.post("/eval/run", json={"type": "eval", **body})
    assert begun.status_code == 201, begun.text
    assert begun.json()["status"] == "queued"
    assert not contract.problems("EvalRun", begun.json())
    return await ended(client, begun.json()["id"])


async def ended(client: httpx.AsyncClient, run_id: str) -> Body:
    async def look() -> Body:
        return (await client.get(f"/eval/run/{run_id}")).json()

    found = await eventually(look, lambda one: one["status"] == "ended", seconds=10)
    assert not contract.problems("EvalRun", found)
    return found


async def test_evals_are_stored_changed_and_listed(client: httpx.AsyncClient) -> None:
    body = evaluation(user("Hi."), judged({"type": "exact", "content": "Hello."})) | {"name": "Greeting"}
    made = await client.post("/eval", json=body)
    assert made.status_code == 201, made.text
    path = f"/eval/{made.json()['id']}"
    assert not contract.problems("Eval", made.json())
    assert made.json() | body == made.json()
    page = (await client.get("/eval?limit=1&sortOrder=ASC")).json()
    assert (page["results"], page["metadata"]["totalItems"]) == ([made.json()], 1)
    assert (await client.get("/eval?id=other")).json()["results"] == []
    changed = await client.patch(path, json={"name": None, "messages": [user("Hi.")]})
    assert (changed.status_code, "name" in changed.json()) == (200, False)
    assert (await client.patch(path, json={"messages": [judged({"type": "regex", "content": "("})]})).status_code == 400
    assert (await client.get(path)).json()["messages"] == [user("Hi.")]
    assert (await client.delete(path)).json()["id"] == path[6:]
    assert (await client.get(path)).status_code == 404


@pytest.mark.parametrize(
    ("messages", "problem"),
    [
        ([], "messages must contain at least 1 elements"),
        ([{"role": "user"}], "messages.0.content should not be null or undefined"),
        ([{"role": "assistant"}], "messages.0.content should not be null or undefined"),
        (
            [{**user("Hi."), "judgePlan": {"type": "exact", "content": "a"}}],
            "messages.0.property judgePlan should not exist",
        ),
        ([{"role": "tool", "judgePlan": {"type": "exact", "content": "a"}}], "messages.0.content should not be null"),
        ([judged({"type": "exact"})], "messages.0.judgePlan needs content or toolCalls"),
        ([judged({"type": "best"})], "messages.0.judgePlan.type must be one of the following values: exact, regex, ai"),
        ([judged({"type": "regex", "content": "/(?=a)/"})], "messages.0.judgePlan.content must not have a lookahead"),
        (
            [judged({"type": "regex", "toolCalls": [{"name": "a", "arguments": {"b": {"c": "["}}}]})],
            "messages.0.judgePlan.toolCalls.0.arguments.b.c must be a regular",
        ),
        (
            [judged({"type": "ai", "model": {"provider": "nobody", "model": "m", "messages": []}})],
            "messages.0.judgePlan.model.provider must be one of",
        ),
        (
            [judged({"type": "exact", "content": "a"}, exitOnFailureEnabled="yes")],
            "messages.0.continuePlan.exitOnFailureEnabled must be a boolean",
        ),
    ],
)
async def test_a_wrong_eval_is_refused(client: httpx.AsyncClient, messages: list[Body], problem: str) -> None:
    answer = await client.post("/eval", json=evaluation(*messages))
    assert answer.status_code == 400
    assert any(one.startswith(problem) for one in answer.json()["message"]), answer.text


async def test_a_wrong_run_is_refused(client: httpx.AsyncClient, llm: FakeLlm) -> None:
    one, target = evaluation(user("Hi.")), {"type": "assistant", "assistant": assistant(llm)}
    unknown = "7b1c0f9e-6d1f-4c55-9a43-0e6a4a6f4d11"
    for body, problem in (
        ({"target": target}, "Need either `eval` or `evalId`."),
        ({"target": target, "eval": one, "evalId": unknown}, "Need either `eval` or `evalId`."),
        ({"target": target, "evalId": unknown}, f"There is no eval with the id {unknown}."),
        ({"target": {"type": "assistant"}, "eval": one}, "target needs either assistantId or assistant"),
        (
            {"target": {"type": "squad", "assistantId": unknown}, "eval": one},
            "target.property assistantId should not exist",
        ),
        ({"target": target | {"squadId": unknown}, "eval": one}, "target.property squadId should not exist"),
        (
            {"target": {"type": "assistant", "assistantId": unknown}, "eval": one},
            f"There is no assistant with the id {unknown}.",
        ),
        ({"target": target, "eval": evaluation({"role": "user"})}, "eval.messages.0.content should not be null"),
    ):
        answer = await client.post("/eval/run", json={"type": "eval", **body})
        assert answer.status_code == 400, answer.text
        message = answer.json()["message"]
        assert (message if isinstance(message, str) else message[0]).startswith(problem)
    assert (await client.get("/eval/run")).json()["results"] == []


async def test_a_conversation_is_played_and_every_check_is_told(
    client: httpx.AsyncClient, llm: FakeLlm, model: Model
) -> None:
    stored = (await client.post("/assistant", json=assistant(llm))).json()["id"]
    system = {"role": "system", "content": "Judge {{messages[-1].content}} of {{messages}}"}
    one = evaluation(
        user("Weather in Rome?"),
        judged({"type": "exact", "content": "", "toolCalls": [{"name": "get_weather", "arguments": {"city": "rome"}}]}),
        {"role": "tool", "content": "sunny"},
        judged({"type": "regex", "content": "/SUN/i"}, contentOverride="It is sunny in Rome."),
        {"role": "system", "content": "The caller is in a hurry."},
        user("Thanks."),
        judged(ai(llm, system)),
        {
            "role": "assistant",
            "content": "Anything else?",
            "toolCalls": [{"name": "get_weather", "arguments": {"city": "x"}}],
        },
        {"role": "tool", "content": "rain"},
        user("No."),
        judged({"type": "exact", "content": "Bye."}),
    )
    eval_id = (await client.post("/eval", json=one)).json()["id"]
    model.answers = [
        LlmScript(tokens=("One moment.",), calls=[("get_weather", '{"city": "Rome"}')]),
        LlmScript(tokens=("The sun ", "shines.")),
        LlmScript(tokens=("You are welcome.",)),
        LlmScript(tokens=("See you.",)),
    ]
    model.verdicts = ["Pass."]
    target = {"type": "assistant", "assistantId": stored, "assistantOverrides": {"variableValues": {"name": "Ada"}}}
    found = await run(client, evalId=eval_id, target=target)
    (result,) = found["results"]
    assert (found["endedReason"], result["status"]) == ("mockConversation.done", "fail")
    assert found["cost"] == 0
    assert [one["model"]["model"] for one in found["costs"]] == ["m", "judge"]
    assert all(one["promptTokens"] > 0 and "no price" in one["note"] for one in found["costs"])
    assert found["createdAt"] <= found["startedAt"] <= found["endedAt"]
    passed, call = {"status": "pass"}, {"name": "get_weather", "arguments": {"city": "Rome"}}
    assert [{**one} for one in result["messages"]] == [
        user("Weather in Rome?"),
        {"role": "assistant", "content": "One moment.", "toolCalls": [call], "judge": passed},
        {"role": "tool", "content": "sunny"},
        {"role": "assistant", "content": "The sun shines.", "judge": passed},
        {"role": "system", "content": "The caller is in a hurry."},
        user("Thanks."),
        {"role": "assistant", "content": "You are welcome.", "judge": passed},
        {
            "role": "assistant",
            "content": "Anything else?",
            "toolCalls": [{"name": "get_weather", "arguments": {"city": "x"}}],
        },
        {"role": "tool", "content": "rain"},
        user("No."),
        {
            "role": "assistant",
            "content": "See you.",
            "judge": {"status": "fail", "failureReason": 'expected the text "Bye.", got "See you."'},
        },
    ]
    assert [one["function"]["name"] for one in model.asked[0]["tools"]] == ["get_weather"]
    last = model.asked[-1]["messages"]
    assert [one["role"] for one in last] == [
        "system", "user", "assistant", "tool", "assistant", "system", "user", "assistant", "assistant", "tool", "user",
    ]  # fmt: skip
    assert last[0]["content"] == "You serve Ada."
    assert last[4]["content"] == "It is sunny in Rome."
    assert last[3]["tool_call_id"] == last[2]["tool_calls"][0]["id"]
    ((instructions, asked),) = model.judged
    assert instructions["content"].startswith("Judge You are welcome. of {")
    assert '"The sun shines."' in instructions["content"]
    assert json.loads(asked["content"]) == {"role": "assistant", "content": "You are welcome."}


async def test_a_failed_check_may_end_the_conversation(client: httpx.AsyncClient, llm: FakeLlm, model: Model) -> None:
    model.answers = [LlmScript(tokens=("No.",))]
    check = judged({"type": "exact", "content": "Yes."}, exitOnFailureEnabled=True)
    one = evaluation(user("Yes?"), check, user("And?"), judged({"type": "regex", "content": "."}))
    found = await run(client, eval=one, target={"type": "assistant", "assistant": assistant(llm)})
    (result,) = found["results"]
    assert (found["endedReason"], result["status"], len(result["messages"])) == ("mockConversation.done", "fail", 2)
    assert len(model.asked) == 1


async def test_a_tools_real_result_is_judged(client: httpx.AsyncClient, llm: FakeLlm, model: Model) -> None:
    async with FakeLlm(LlmScript()) as owner:  # its answer is no result of a tool
        tool = {**WEATHER, "server": {"url": owner.url}}
        target = assistant(llm)
        target["model"]["tools"] = [tool]
        model.answers = [LlmScript(tokens=(), calls=[("get_weather", "{}")]), LlmScript(tokens=("Sorry.",))]
        model.verdicts = ["maybe", "fail", "pass"]
        tell = {"role": "user", "content": "Is {{messages[-1]}} good?"}
        one = evaluation(
            user("Weather?"), judged({"type": "exact", "toolCalls": [{"name": "get_weather"}]}),
            {"role": "tool", "judgePlan": ai(llm, tell)}, judged(ai(llm)), {"role": "tool", "judgePlan": ai(llm, tell)},
        )  # fmt: skip
        found = await run(client, eval=one, target={"type": "assistant", "assistant": target})
        assert owner.exchanges
    (result,) = found["results"]
    verdicts = [message["judge"]["status"] for message in result["messages"] if "judge" in message]
    assert (found["endedReason"], verdicts) == ("mockConversation.done", ["pass", "fail", "pass", "fail"])
    assert result["messages"][-1]["judge"]["failureReason"].startswith("the assistant has called no tool")
    first, again, default = model.judged
    assert first[0]["content"].startswith('Is {"role": "tool", "content": "')
    assert [one["role"] for one in again] == ["user", "assistant", "user"]
    assert [one["role"] for one in default] == ["system", "user"]
    assert default[1]["content"].count("\n") == 4  # the whole conversation, a message a line


async def test_the_assistant_judges_itself_where_no_model_is_named(
    client: httpx.AsyncClient, llm: FakeLlm, model: Model
) -> None:
    model.answers = [LlmScript(tokens=("Hello.",)), LlmScript(tokens=("hm",)), LlmScript(tokens=("hm",))]
    one = evaluation(user("Hi."), judged({"type": "ai", "autoIncludeMessageHistory": False}))
    found = await run(client, eval=one, target={"type": "assistant", "assistant": assistant(llm)})
    (message,) = found["results"][0]["messages"][1:]
    assert message["judge"] == {
        "status": "fail", "failureReason": 'the judge answered neither pass nor fail, but "hm"',
    }  # fmt: skip
    assert model.asked[1]["messages"][1]["content"] == '{"role": "assistant", "content": "Hello."}\n'


async def test_a_squads_first_member_may_hand_over(client: httpx.AsyncClient, llm: FakeLlm, model: Model) -> None:
    destination = {"type": "assistant", "assistantName": "Sales", "description": "sells"}
    squad = {"members": [
        {"assistant": assistant(llm), "assistantDestinations": [destination]},
        {"assistant": assistant(llm) | {"name": "Sales"}},
    ]}  # fmt: skip
    model.answers = [LlmScript(tokens=(), calls=[("handoff_to_Sales", '{"destination": "Sales"}')])]
    call = {"name": "handoff_to_Sales", "arguments": {"destination": "Sales"}}
    one = evaluation(user("I want to buy."), judged({"type": "exact", "toolCalls": [call]}))
    found = await run(client, eval=one, target={"type": "squad", "squad": squad})
    assert found["results"][0]["status"] == "pass"


async def test_a_run_without_a_result_says_why(
    client: httpx.AsyncClient, llm: FakeLlm, model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = {"type": "assistant", "assistant": assistant(llm)}
    check = judged({"type": "exact", "content": "a"})
    no_check = await run(client, eval=evaluation(user("Hi.")), target=target)
    assert (no_check["endedReason"], no_check["results"][0]["status"]) == ("error", "fail")
    assert "checks nothing" in no_check["endedMessage"]

    model.answers = [LlmScript(status=500)]
    failed = await run(client, eval=evaluation(user("Hi."), check), target=target)
    assert failed["endedReason"] == "error"
    assert "500" in failed["endedMessage"]
    assert [one["role"] for one in failed["results"][0]["messages"]] == ["user"]

    keyless = {"type": "assistant", "assistant": {"model": {"provider": "openai", "model": "gpt-4o"}}}
    refused = await run(client, eval=evaluation(user("Hi."), check), target=keyless)
    assert (refused["endedReason"], refused["results"]) == ("error", [])
    assert "OPENAI_API_KEY" in refused["endedMessage"]

    monkeypatch.setattr(runs, "TIMEOUT_S", 0.2)
    model.answers = [LlmScript(tokens=(), ending="hang")]
    late = await run(client, eval=evaluation(user("Hi."), check), target=target)
    assert (late["endedReason"], late["results"][0]["status"]) == ("timeout", "fail")


async def test_a_deleted_run_is_cancelled(
    client: httpx.AsyncClient, llm: FakeLlm, model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runs, "_LOOK_S", 0.01)
    model.answers = [LlmScript(tokens=(), ending="hang")]
    one = evaluation(user("Hi."), judged({"type": "exact", "content": "a"}))
    body = {"type": "eval", "eval": one, "target": {"type": "assistant", "assistant": assistant(llm)}}
    begun = (await client.post("/eval/run", json=body)).json()["id"]

    async def state() -> str:
        return (await client.get(f"/eval/run/{begun}")).json()["status"]

    await eventually(state, lambda status: status == "running")
    await eventually(_value(lambda: llm.exchanges), bool)
    assert (await client.delete(f"/eval/run/{begun}")).json()["id"] == begun
    await eventually(_value(llm.exchanges[0].gone.is_set), bool)
    assert (await client.get(f"/eval/run/{begun}")).status_code == 404


def _value(look: Any) -> Any:
    async def looked() -> Any:
        return look()

    return looked


async def test_a_run_that_a_stopped_server_left_is_played_by_the_next(serve: Serve, llm: FakeLlm, model: Model) -> None:
    model.answers = [LlmScript(tokens=(), ending="hang"), LlmScript(tokens=("Hello.",))]
    one = evaluation(user("Hi."), judged({"type": "exact", "content": "Hello."}))
    body = {"type": "eval", "eval": one, "target": {"type": "assistant", "assistant": assistant(llm)}}
    async with serve(allow_private_addresses=True) as client:
        begun = (await client.post("/eval/run", json=body)).json()["id"]
        await eventually(_value(lambda: len(model.asked)), lambda asked: asked == 1)
    async with serve(allow_private_addresses=True) as client:
        found = await ended(client, begun)
    assert found["results"][0]["status"] == "pass"
    assert len(model.asked) == 2


async def test_evals_need_the_private_key(client_with_keys: httpx.AsyncClient) -> None:
    for path in ("/eval", "/eval/run"):
        assert (await client_with_keys.get(path)).status_code == 401
        assert (await client_with_keys.get(path, headers=VISITOR)).status_code == 403
        assert (await client_with_keys.get(path, headers=OWNER)).status_code == 200


async def test_an_eval_costs_what_the_owners_prices_say(
    serve: Serve, llm: FakeLlm, model: Model, tmp_path: Path
) -> None:
    prices = tmp_path / "prices.json"
    prices.write_text(json.dumps({"model": {"custom-llm/m": {"prompt": 1000, "completion": 2000}}}))
    model.answers = [LlmScript(tokens=("Hello.",))]
    async with serve(allow_private_addresses=True, prices=prices) as client:
        target = {"type": "assistant", "assistant": assistant(llm)}
        check = judged({"type": "exact", "content": "Hello."})
        found = await run(client, eval=evaluation(user("Hi."), check), target=target)
    (cost,) = found["costs"]
    assert cost["completionTokens"] > 0
    spent = (cost["promptTokens"] * 1000 + cost["completionTokens"] * 2000) / 1_000_000
    assert found["cost"] == cost["cost"] == pytest.approx(spent)


async def test_an_owners_message_is_delivered_while_evals_fill_their_slots(
    llm: FakeLlm, model: Model, tmp_path: Path
) -> None:
    heard: list[str] = []

    async def take(exchange: Exchange) -> None:
        heard.append(exchange.body["message"]["type"])
        await exchange.respond(200, b"{}", content_type="application/json")

    async def asked() -> int:
        return len(model.asked)

    async def told() -> list[str]:
        return heard

    model.answers = [LlmScript(tokens=(), ending="hang") for _ in range(MOST_LONG_JOBS)]
    model.answers.append(LlmScript(tokens=("Hello.",)))
    body = {
        "type": "eval",
        "eval": evaluation(user("Hi."), judged({"type": "exact", "content": "Hello."})),
        "target": {"type": "assistant", "assistant": assistant(llm)},
    }
    app = create_app(make_settings(data_dir=tmp_path, allow_private_addresses=True))
    transport = httpx.ASGITransport(app)
    async with (
        HttpPeer(take) as owner,
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url=BASE) as client,
    ):
        store = app.state.services.store
        begun = [(await client.post("/eval/run", json=body)).json()["id"] for _ in range(MOST_LONG_JOBS + 1)]
        await eventually(asked, lambda count: count == MOST_LONG_JOBS, seconds=10)
        told_to = {**assistant(llm), "server": {"url": owner.origin}}
        call = await store.calls.create({"status": "ended", "assistant": told_to})
        message = {"type": "status-update", "status": "ended"}
        await store.jobs.submit(SERVER_MESSAGE, {"callId": call["id"], "message": message}, key="one")
        assert await eventually(told, bool, seconds=3)
        waiting = (await client.get(f"/eval/run/{begun[-1]}")).json()
        assert waiting["status"] == "queued"
