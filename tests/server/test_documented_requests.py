"""Requests as Vapi's own pages show them, some of which differ from its OpenAPI document."""

import itertools
from typing import Any

import httpx
import pytest

from bargein.call.plan.compile import compile_plan
from bargein.providers.neuphonic.tts import NeuphonicVoiceConfig
from bargein.server.analysis.plan import plan_parts
from bargein.server.analysis.rubrics import RUBRICS
from bargein.turns.endpointing.wait_function import wait_ms
from bargein.wire.assistant import Assistant
from bargein.wire.errors import WireError, parse_request

pytestmark = pytest.mark.anyio


OPENAI = {"provider": "openai", "model": "gpt-4o"}
WITH_TRANSFER_ASSISTANT: dict[str, Any] = {
    "type": "number",
    "number": "+15551230000",
    "transferPlan": {
        "mode": "warm-transfer-experimental",
        "transferAssistant": {
            "firstMessage": "A caller needs you.",
            "firstMessageMode": "assistant-speaks-first",
            "maxDurationSeconds": 120,
            "silenceTimeoutSeconds": 30,
            "model": {**OPENAI, "messages": [{"role": "system", "content": "Ask whether they have time."}]},
        },
    },
}
OLDER_ANALYSIS: dict[str, Any] = {
    "summaryPrompt": "Briefly.",
    "summaryRequestTimeoutSeconds": 9,
    "structuredDataPrompt": "Find the name.",
    "structuredDataSchema": {"type": "object", "properties": {"name": {"type": "string"}}},
    "structuredDataRequestTimeoutSeconds": 8,
    "successEvaluationPrompt": "Was it good?",
    "successEvaluationRubric": "PassFail",
    "successEvaluationRequestTimeoutSeconds": 7,
}
FUNCTION: dict[str, Any] = {"name": "book", "description": "Books.", "parameters": {"type": "object", "properties": {}}}
BOOKS: dict[str, Any] = {"type": "function", "function": FUNCTION}


def smart(**plan: Any) -> dict[str, Any]:
    return {"startSpeakingPlan": {"smartEndpointingPlan": plan}}


@pytest.mark.parametrize(
    "assistant",
    [
        smart(provider="livekit", waitFunction="t < 30 ? (x * 500 + 300) : (20 + 500 * x)"),
        smart(provider="krisp", threshold=0.5),
        smart(provider="krisp"),
        {"keypadInputPlan": {"enabled": True, "timeoutSeconds": 2, "delimiters": ["#"]}},
        {"keypadInputPlan": {"enabled": True, "delimiters": ["#", "*"], "variableName": "pin"}},
        {"keypadInputPlan": {"enabled": True, "delimiters": [], "triggerResponseEnabled": False}},
        {"transcriber": {"provider": "speechmatics", "language": "en"}},
        {"transcriber": {"provider": "11labs", "keyterms": ["Bargein"]}},
        {"model": {**OPENAI, "tools": [{"type": "apiRequest", "url": "https://e.com"}]}},
        {"model": {**OPENAI, "knowledgeBaseId": "kb-1"}},
        {"compliancePlan": {"hipaaEnabled": True, "forceStoreOnHipaaEnabled": True}},
        {"voice": {"provider": "neuphonic", "voiceId": "v"}},
        {"model": {**OPENAI, "tools": [{"type": "transferCall", "destinations": [WITH_TRANSFER_ASSISTANT]}]}},
        {"analysisPlan": OLDER_ANALYSIS},
    ],
)
async def test_an_assistant_of_a_page_is_stored_as_it_is(client: httpx.AsyncClient, assistant: dict[str, Any]) -> None:
    answer = await client.post("/assistant", json=assistant)
    assert answer.status_code == 201, answer.text
    assert answer.json().items() >= assistant.items()


@pytest.mark.parametrize(
    ("assistant", "message"),
    [
        ({"keypadInputPlan": {"delimiters": ["1"]}}, "delimiters must be one of the following values: #, *"),
        ({"keypadInputPlan": {"delimiters": 1}}, "keypadInputPlan.delimiters must be a string or must be an array"),
        ({"keypadInputPlan": {"variableName": ""}}, "keypadInputPlan.variableName must be longer than or equal to 1"),
        (smart(provider="krisp", threshold=2), "smartEndpointingPlan.threshold must not be greater than 1"),
        ({"transcriber": {"provider": "11labs", "keyterms": [1]}}, "keyterms must be a string"),
        ({"analysisPlan": {"summaryPrompt": 1}}, "analysisPlan.summaryPrompt must be a string"),
        ({"analysisPlan": {"summaryRequestTimeoutSeconds": 0}}, "summaryRequestTimeoutSeconds must not be less than 1"),
        ({"analysisPlan": {"successEvaluationRubric": "Best"}}, "successEvaluationRubric must be one of the following"),
        ({"compliancePlan": {"forceStoreOnHipaaEnabled": 1}}, "forceStoreOnHipaaEnabled must be a boolean value"),
        (
            {
                "hooks": [
                    {
                        "on": "call.ending",
                        "do": [
                            {
                                "type": "transfer",
                                "destination": {
                                    **WITH_TRANSFER_ASSISTANT,
                                    "transferPlan": {
                                        "mode": "warm-transfer-experimental",
                                        "transferAssistant": {"nam": "x"},
                                    },
                                },
                            }
                        ],
                    }
                ]
            },
            "transferPlan.transferAssistant.property nam should not exist",
        ),
    ],
)
def test_other_values_are_refused(assistant: dict[str, Any], message: str) -> None:
    with pytest.raises(WireError) as caught:
        parse_request(Assistant, assistant)
    assert message in str(caught.value)


def test_a_higher_threshold_of_krisp_waits_longer() -> None:
    def waits(**more: float) -> list[int]:
        plan = compile_plan(parse_request(Assistant, smart(provider="krisp", **more)))
        assert plan.judges_pauses
        return [wait_ms(str(plan.wait_function), x / 10) for x in range(11)]

    assert waits() == waits(threshold=0.5)
    levels = [waits(threshold=threshold) for threshold in (0, 0.2, 0.5, 0.8, 1)]
    for one in levels:
        assert one == sorted(one)
    for lower, higher in itertools.pairwise(levels):
        assert all(less <= more for less, more in zip(lower, higher, strict=True))
        assert lower[3] < higher[3]


@pytest.mark.parametrize(
    ("older", "newer"),
    [
        ("warm-transfer-with-summary", "warm-transfer-say-summary"),
        ("warm-transfer-with-message", "warm-transfer-say-message"),
        ("warm-transfer-with-twiml", "warm-transfer-twiml"),
        ("warm-transfer-say-summary", "warm-transfer-say-summary"),
    ],
)
async def test_older_modes_of_a_transfer_are_taken_as_the_newer(
    client: httpx.AsyncClient, older: str, newer: str
) -> None:
    destination = {"type": "number", "number": "+15551230000", "transferPlan": {"mode": older}}
    tool: dict[str, Any] = {"type": "transferCall", "destinations": [destination]}
    made = await client.post("/tool", json=tool)
    assert made.status_code == 201, made.text
    assert made.json()["destinations"][0]["transferPlan"] == {"mode": newer}
    changed = await client.patch(f"/tool/{made.json()['id']}", json={"destinations": [destination]})
    assert changed.json()["destinations"][0]["transferPlan"] == {"mode": newer}
    metadata = {"transferPlan": {"mode": older}}
    model = {"provider": "openai", "model": "gpt-4o", "tools": [tool]}
    assistant = await client.post("/assistant", json={"model": model, "metadata": metadata})
    assert assistant.json()["model"]["tools"][0]["destinations"][0]["transferPlan"] == {"mode": newer}
    assert assistant.json()["metadata"] == metadata
    unknown = await client.post(
        "/tool", json={**tool, "destinations": [{**destination, "transferPlan": {"mode": "x"}}]}
    )
    assert unknown.status_code == 400


async def test_a_request_without_a_method_is_a_post(client: httpx.AsyncClient) -> None:
    made = await client.post("/tool", json={"type": "apiRequest", "url": "https://e.com", "name": "a"})
    assert (made.status_code, made.json()["method"]) == (201, "POST")


async def test_the_older_path_of_telephone_calls(client: httpx.AsyncClient) -> None:
    nobody = await client.post("/call/phone", json={})
    assert (nobody.status_code, nobody.json()["message"]) == (
        400,
        "Need either `assistant`, `assistantId`, `squad`, or `squadId`",
    )
    assert (await client.post("/call", json={})).json() == nobody.json()
    without_number = await client.post("/call/phone", json={"assistant": {}})
    assert without_number.json()["message"] == "Need either `phoneNumber` or `phoneNumberId`."
    body = {"assistant": {}, "phoneNumberId": "none", "customer": {"number": "+15551230000"}}
    assert (await client.post("/call/phone", json=body)).json() == (await client.post("/call", json=body)).json()


async def test_older_functions_and_prompts_become_tools_and_messages(client: httpx.AsyncClient) -> None:
    served = {**FUNCTION, "serverUrl": "https://e.com/f", "serverUrlSecret": "s", "async": True}
    older: dict[str, Any] = {
        **OPENAI,
        "systemPrompt": "You book.",
        "functions": [FUNCTION, served],
        "tools": [{"type": "endCall"}],
    }
    tool = {**BOOKS, "server": {"url": "https://e.com/f", "secret": "s"}, "async": True}
    newer: dict[str, Any] = {
        **OPENAI,
        "messages": [{"role": "system", "content": "You book."}],
        "tools": [{"type": "endCall"}, BOOKS, tool],
    }
    made = await client.post("/assistant", json={"model": older})
    assert (made.status_code, made.json()["model"]) == (201, newer)
    said = [{"role": "user", "content": "Hi."}]
    change = {"model": {**OPENAI, "functions": [FUNCTION], "messages": said, "systemPrompt": "Now."}}
    changed = await client.patch(f"/assistant/{made.json()['id']}", json=change)
    messages = [{"role": "system", "content": "Now."}, *said]
    assert changed.json()["model"] == {**OPENAI, "messages": messages, "tools": [BOOKS]}

    call = {"assistant": {"model": older}, "assistantOverrides": {"model": older}}
    called = (await client.post("/call", json={**call, "transport": {"provider": "vapi.websocket"}})).json()
    for part in (called["assistant"], called["assistantOverrides"]):
        assert [one["type"] for one in part["model"]["tools"]] == ["endCall", "function", "function"]
        assert part["model"]["messages"] == newer["messages"]
    member = {"assistant": {"name": "a", "model": older}, "assistantOverrides": {"model": older}}
    squad = (await client.post("/squad", json={"members": [member], "membersOverrides": {"model": older}})).json()
    assert squad["members"][0]["assistant"]["model"] == newer
    assert squad["members"][0]["assistantOverrides"]["model"] == newer
    assert squad["membersOverrides"]["model"] == newer


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"functions": 1}, "model.functions must be an array"),
    ({"functions": [1]}, "model.each value in functions must be an object"),
    ({"functions": [FUNCTION, {}]}, "model.functions.1.name should not be null or undefined"),
    ({"functions": [{"name": "a b"}]}, "model.functions.0.name must match /^[a-zA-Z0-9_-]{1,64}$/"),
    ({"functions": [{**FUNCTION, "nam": 1}]}, "model.functions.0.property nam should not exist"),
    ({"functions": [{**FUNCTION, "serverUrl": 1}]}, "model.functions.0.serverUrl must be a string"),
    ({"functions": [{**FUNCTION, "parameters": []}]}, "model.functions.0.parameters must be an object"),
    ({"functions": [FUNCTION], "tools": 1}, "model.tools must be an array"),
    ({"systemPrompt": 1}, "model.systemPrompt must be a string"),
    ({"systemPrompt": "x", "messages": 1}, "model.messages must be an array"),
    (
        {"systemPrompt": "x", "messages": [{"role": "system", "content": "y"}]},
        "model.systemPrompt cannot be given together with a system message in messages",
    ),
]


@pytest.mark.parametrize(("model", "message"), REFUSED)
async def test_older_fields_that_are_not_valid_are_refused_at_their_place(
    client: httpx.AsyncClient, model: dict[str, Any], message: str
) -> None:
    refused = await client.post("/assistant", json={"model": {**OPENAI, **model}})
    assert refused.status_code == 400
    (found,) = refused.json()["message"]
    assert found.startswith(message), found
    called = await client.post("/call", json={"assistantOverrides": {"model": {**OPENAI, **model}}, "assistant": {}})
    assert called.status_code == 400
    assert f"assistantOverrides.{message}".replace("\\", "\\\\") in called.text


async def test_older_fields_that_say_nothing_are_left_out(client: httpx.AsyncClient) -> None:
    said = [{"role": "system", "content": "Hi."}]
    silent: list[dict[str, Any]] = [
        {"systemPrompt": None, "functions": None},
        {"systemPrompt": "", "functions": []},
        {"systemPrompt": "Hi."},
    ]
    for older in silent:
        made = await client.post("/assistant", json={"model": {**OPENAI, **older, "messages": said}})
        assert made.json()["model"] == {**OPENAI, "messages": said}
    metadata = {"model": {"systemPrompt": "x", "functions": 1}}
    assert (await client.post("/assistant", json={"metadata": metadata})).json()["metadata"] == metadata


async def test_an_older_analysis_plan_has_its_effect(client: httpx.AsyncClient) -> None:
    made = await client.post("/assistant", json={"analysisPlan": OLDER_ANALYSIS})
    call = {"artifact": {"messages": [{"role": "user", "message": "Hi."}, {"role": "bot", "message": "Hello."}]}}
    summary, data, evaluation = plan_parts(made.json(), call)
    assert (summary.messages[0]["content"], summary.timeout_s) == ("Briefly.", 9)
    assert (data.messages[0]["content"], data.timeout_s) == ("Find the name.", 8)
    assert data.schema == OLDER_ANALYSIS["structuredDataSchema"]
    assert (evaluation.messages[0]["content"], evaluation.timeout_s) == ("Was it good?", 7)
    assert evaluation.rubric is RUBRICS["PassFail"]


def test_a_voice_of_neuphonic_without_a_language_speaks_english() -> None:
    config = NeuphonicVoiceConfig.from_json({"provider": "neuphonic", "voiceId": "v"})
    assert config.to_body("Hi.", 16_000)["lang_code"] == "en"
