"""Requests as Vapi's own pages show them, some of which differ from its OpenAPI document."""

import itertools
from typing import Any

import httpx
import pytest

from bargein.call.plan.compile import compile_plan
from bargein.turns.endpointing.wait_function import wait_ms
from bargein.wire.assistant import Assistant
from bargein.wire.errors import WireError, parse_request

pytestmark = pytest.mark.anyio


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
        {"model": {"provider": "openai", "model": "gpt-4o", "tools": [{"type": "apiRequest", "url": "https://e.com"}]}},
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
