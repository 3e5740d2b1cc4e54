"""Resolving and checking the agent that a call, chat or handoff names."""

from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import httpx
import pytest

from bargein.call.plan.variables import Extracted, Values, Variables
from bargein.call.tools.transfer import HandoffError
from bargein.clock import LoopClock
from bargein.server.agents.handoff import HandoffResolver
from bargein.server.agents.resolve import ResolvedAgent, first_agent, last_assistant, resolve_call, resolve_chat
from bargein.server.agents.squads import MissingAgentError
from bargein.server.agents.validate import check_participants
from bargein.store import Store
from bargein.wire.errors import WireError
from bargein.wire.ownership import made_by

if TYPE_CHECKING:
    from bargein.server.agents.assemble import AgentAssembler, ReadyAgent

pytestmark = pytest.mark.anyio

SOCKET = {"provider": "vapi.websocket"}
WAIT_FUNCTION = {"startSpeakingPlan": {"smartEndpointingPlan": {"provider": "livekit", "waitFunction": "1 +"}}}


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    opened = await Store.open(tmp_path / "bargein.db", LoopClock())
    yield opened
    await opened.close()


def squad(*members: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"members": list(members), **more}


async def test_a_calls_own_overrides_are_applied_to_its_assistant(store: Store) -> None:
    stored = await store.assistants.create({"name": "Ada", "firstMessage": "Hi."})
    overrides = {"firstMessage": "Hello.", "variableValues": {"city": "Berlin"}}
    call = {"assistantId": stored["id"], "assistantOverrides": overrides}
    agent = await resolve_call(call, store)
    assert agent.assistant_json == {"id": stored["id"], "name": "Ada", "firstMessage": "Hello."}
    assert agent.assistant_id == stored["id"]
    assert agent.variables().values["city"] == "Berlin"


async def test_a_calls_squad_is_changed_by_three_layers_in_order(store: Store) -> None:
    stored = await store.assistants.create({"name": "Ada", "firstMessage": "0", "model": {"provider": "vapi"}})
    member = {
        "assistantId": stored["id"],
        "assistantOverrides": {"firstMessage": "1", "endCallMessage": "1", "variableValues": {"a": 1, "b": 1}},
        "assistantDestinations": [{"type": "assistant", "assistantName": "Eve"}],
    }
    call = {
        "squad": squad(member, membersOverrides={"endCallMessage": "2", "voicemailMessage": "2"}),
        "squadOverrides": {"voicemailMessage": "3", "variableValues": {"b": 2}},
        "assistantOverrides": {"firstMessage": "not for squads", "variableValues": {"a": 3}},
    }
    agent = await resolve_call(made_by(call, "owner"), store)
    messages = [agent.assistant_json[name] for name in ("firstMessage", "endCallMessage", "voicemailMessage")]
    assert messages == ["1", "2", "3"]
    assert agent.assistant_json["model"]["tools"] == [
        {"type": "handoff", "destinations": [{"type": "assistant", "assistantName": "Eve"}]}
    ]
    values = agent.variables().values
    assert (values["a"], values["b"]) == (3, 2)


async def test_a_chat_is_answered_by_the_first_member_without_handoffs(store: Store) -> None:
    first = {
        "assistant": {"name": "Ada", "model": {"provider": "vapi"}},
        "assistantOverrides": {"firstMessage": "1"},
        "assistantDestinations": [{"type": "assistant", "assistantName": "Eve"}],
    }
    record = {"squad": squad(first, {"assistantId": "gone"}), "assistantOverrides": {"firstMessage": "2"}}
    agent = await resolve_chat(made_by(record, "owner"), store)
    assert agent.assistant_json == {"name": "Ada", "model": {"provider": "vapi"}, "firstMessage": "2"}


@pytest.mark.parametrize(
    ("call", "kind"),
    [
        ({"assistantId": "gone"}, "assistant"),
        ({"squadId": "gone"}, "squad"),
        ({"squad": squad({"assistant": {}}, {"assistantId": "gone"})}, "assistant"),
    ],
)
async def test_a_call_that_names_what_is_not_stored_has_no_agent(store: Store, call: dict[str, Any], kind: str) -> None:
    with pytest.raises(MissingAgentError) as caught:
        await resolve_call(call, store)
    assert (caught.value.kind, caught.value.id) == (kind, "gone")
    assert caught.value.as_bad_request().messages == f"There is no {kind} with the id gone."
    assert (await first_agent(call, store)).assistant_json == {}


@pytest.mark.parametrize("record", [{}, {"squad": {}}, {"squad": squad()}, {"squad": squad({})}])
async def test_a_chat_that_names_no_assistant_is_refused(store: Store, record: dict[str, Any]) -> None:
    with pytest.raises(WireError, match="Need either `assistant`, `assistantId`"):
        await resolve_chat(record, store)


async def test_the_last_assistant_is_the_one_that_took_over_or_the_first_with_its_templates_filled_in(
    store: Store,
) -> None:
    made = {"id": "c", "assistant": {"firstMessage": "{{customer.name}}"}, "customer": {"name": "Eve"}}
    call = made_by(made, "owner")
    assert await last_assistant(call, store, 0) == {"firstMessage": "Eve"}
    taken = {**call, "activeAssistant": {"name": "Ada"}}
    assert await last_assistant(taken, store, 0) == {"name": "Ada"}


def test_variables_that_tools_set_are_shared_and_go_first() -> None:
    found = Extracted()
    agent = ResolvedAgent(record={"id": "c"}, assistant_json={}, values=(Values({"city": "Berlin"}, "owner"),))
    variables = agent.variables(found)
    found.save({"city": "Paris"}, None)
    assert variables.render("{{city}}", 0) == "Paris"
    assert agent.variables().render("{{city}}", 0) == "Berlin"


@pytest.mark.parametrize(
    ("participants", "message"),
    [
        ({}, "Need either `assistant`, `assistantId`, `squad`, or `squadId`"),
        ({"assistantOverrides": {}}, "Need either `assistant`, `assistantId`, `squad`, or `squadId`"),
        ({"assistant": {}, "squadId": "s"}, "Need either an assistant or a squad, not both."),
        ({"assistantId": "gone"}, "There is no assistant with the id gone."),
        ({"squadId": "gone"}, "There is no squad with the id gone."),
        ({"assistant": WAIT_FUNCTION}, "assistant.startSpeakingPlan.smartEndpointingPlan.waitFunction: "),
        (
            {"assistant": {}, "assistantOverrides": WAIT_FUNCTION},
            "assistantOverrides.startSpeakingPlan.smartEndpointingPlan.waitFunction: ",
        ),
        (
            {"squad": squad({"assistant": {}, "assistantOverrides": WAIT_FUNCTION})},
            "squad.members.0.assistant.startSpeakingPlan.smartEndpointingPlan.waitFunction: ",
        ),
        (
            {"squad": squad({"assistant": {}}), "squadOverrides": {"maxDurationSeconds": 1}},
            "squad.members.0.assistant.maxDurationSeconds must not be less than 10",
        ),
    ],
)
async def test_an_agent_that_could_not_be_run_is_found_when_it_is_named(
    store: Store, participants: dict[str, Any], message: str
) -> None:
    with pytest.raises(WireError) as caught:
        await check_participants(made_by(participants, "owner"), store)
    assert caught.value.status == 400
    assert str(caught.value).startswith(message)


async def test_a_call_whose_squad_cannot_be_run_is_refused_when_it_is_created(client: httpx.AsyncClient) -> None:
    made = (await client.post("/assistant", json={"name": "Ada"})).json()
    kept = (await client.post("/squad", json=squad({"assistantId": made["id"]}))).json()
    body = {"squadId": kept["id"], "transport": SOCKET}
    assert (await client.post("/call", json=body)).status_code == 201
    answer = await client.post("/call", json={**body, "squadOverrides": WAIT_FUNCTION})
    assert answer.status_code == 400
    assert answer.json()["message"][0].startswith("squad.members.0.assistant.startSpeakingPlan.")
    await client.delete(f"/assistant/{made['id']}")
    answer = await client.post("/call", json=body)
    assert answer.json()["message"] == f"There is no assistant with the id {made['id']}."


@pytest.mark.parametrize(
    ("destination", "message"),
    [
        ({"type": "number"}, "the destination must be an assistant or a squad."),
        ({"type": "assistant", "assistantName": "Eve"}, "this call has no assistant of that name."),
        ({"type": "assistant", "assistantId": "gone"}, "the assistant does not exist."),
        ({"type": "squad"}, "the squad does not exist."),
        ({"type": "squad", "squadId": "gone"}, "the squad does not exist."),
        ({"type": "squad", "squad": squad()}, "the squad has no members."),
    ],
)
async def test_a_handoff_to_an_agent_that_does_not_exist_fails(
    store: Store, destination: dict[str, Any], message: str
) -> None:
    setup = SimpleNamespace(call={"id": "c"}, assistant_json={}, variables=Variables())
    first = cast("ReadyAgent", SimpleNamespace(setup=setup, owner_channel=None))
    handoffs = HandoffResolver(first, 16_000, store, cast("AgentAssembler", None))
    with pytest.raises(HandoffError) as caught:
        await handoffs.successor(destination, "owner")
    assert str(caught.value) == message


@pytest.mark.parametrize("first_is_private", [True, False])
async def test_a_call_that_is_private_once_stays_so_for_all_that_take_it_over(
    store: Store, first_is_private: bool
) -> None:
    told: list[bool] = []

    class Assembler:
        async def assemble_successor(self, agent: ResolvedAgent, *_: Any, private: bool) -> Any:
            told.append(private)
            setup = SimpleNamespace(assistant_json=agent.assistant_json)
            return SimpleNamespace(setup=setup, providers=None, tool_runner=None)

    private = {"compliancePlan": {"hipaaEnabled": True}}
    setup = SimpleNamespace(call={"id": "c"}, assistant_json=private if first_is_private else {}, variables=Variables())
    first = cast("ReadyAgent", SimpleNamespace(setup=setup, owner_channel=None))
    handoffs = HandoffResolver(first, 16_000, store, cast("AgentAssembler", Assembler()))
    for assistant in ({"name": "open"}, {"name": "closed", **private}, {"name": "open"}):
        await handoffs.successor({"type": "assistant", "assistant": assistant}, "owner")
    assert told == [first_is_private, first_is_private, True]
