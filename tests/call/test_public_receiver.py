"""A whole inbound call with a typical receiver: one server for everything that Vapi posts."""

import hmac
import json
from pathlib import Path
from typing import Any

import pytest

from bargein.testing import LlmScript, TranscriberScript
from tests.call.clips import ask, commands
from tests.call.harness import joining
from tests.call.stage import STORY, Stage, staged
from tests.call.test_inbound import CUSTOMER, NUMBER, ring
from tests.call.test_server_messages import check
from tests.webhooks.receiver import Got, Receiver, as_json

pytestmark = pytest.mark.anyio

SECRET = "a-secret-of-both"
ORDER = {
    "type": "function",
    "function": {
        "name": "find_order",
        "description": "Finds an order.",
        "parameters": {"type": "object", "properties": {"number": {"type": "string"}}, "required": ["number"]},
    },
}
SHIPS = {"status": "packed", "ships": "Monday"}
# Without partials: the voice alone decides.
SAYS = TranscriberScript(utterances=["Where is my order four two?", "Wait, which one?"], partials=False)


def model(body: dict[str, Any]) -> LlmScript:
    """Look up the order, report the result at length, and answer the next question briefly."""
    if body["messages"][-1]["role"] == "tool":
        return STORY
    if sum(m["role"] == "user" for m in body["messages"]) == 1:
        return LlmScript(tokens=[], calls=[("find_order", '{"number": "42"}')])
    return LlmScript(tokens=["The ", "blue ", "one."])


class PublicReceiver:
    """The receiver; it authenticates by the secret only, and gets the called number from `assistant-request`."""

    def __init__(self) -> None:
        self.stage: Stage | None = None
        self.refused = 0

    def __call__(self, got: Got) -> Any:
        if not hmac.compare_digest(got.headers.get("x-vapi-secret", ""), SECRET):
            self.refused += 1
            return as_json({"error": "Unauthorized"}, 401)
        message = got.message
        match message["type"]:
            case "assistant-request":
                return {"assistant": self.assistant(message["phoneNumber"]["number"])}
            case "tool-calls":
                return {"results": [self.looked_up(one) for one in message["toolCallList"]]}
            case _:
                return {}

    def assistant(self, number: str) -> dict[str, Any]:
        assert self.stage is not None
        given = self.stage.assistant(name=f"desk of {number}")
        return given | {"model": given["model"] | {"tools": [ORDER]}}

    def looked_up(self, call: dict[str, Any]) -> dict[str, Any]:
        arguments = call.get("arguments") or call["function"]["arguments"]
        arguments = json.loads(arguments) if isinstance(arguments, str) else arguments
        assert arguments == {"number": "42"}
        return {"toolCallId": call["id"], "result": json.dumps(SHIPS)}


async def test_one_server_carries_a_whole_call_with_a_tool_and_an_interruption(tmp_path: Path) -> None:
    clips, public = commands(2), PublicReceiver()
    async with Receiver([public]) as receiver, staged(tmp_path, llm=model, transcriber=SAYS) as stage:
        public.stage = stage
        call = await ring(stage.url, server={"url": receiver.url, "secret": SECRET})
        assert call["status"] == "queued", call
        async with joining(stage.url, call) as caller:
            await ask(caller, clips[0])
            await caller.until(lambda: len(caller.audio) > 40)
            await caller.say(clips[1].samples)
            await caller.until(lambda: caller.of("user-interrupted"))
            await caller.until(lambda: caller.of("transcript", role="assistant", transcript="The blue one."))
            await caller.send({"type": "end-call"})
            await caller.until_closed()
        (report,) = await receiver.until(lambda: receiver.of("end-of-call-report"))
        asked_again = (await stage.llm.exchange(1)).body["messages"]
        asked_last = (await stage.llm.exchange(2)).body["messages"]
    assert public.refused == 0
    check_messages(receiver, call)
    check_tool(receiver, asked_again)
    check_interruption(receiver, caller.of("user-interrupted"), asked_last)
    assert report["endedReason"] == "customer-ended-call"
    assert [m["role"] for m in report["artifact"]["messages"] if m["role"] in ("user", "bot")] == [
        "user", "bot", "user", "bot",
    ]  # fmt: skip
    assert report["artifact"]["messages"][-1]["message"] == "The blue one."


def check_messages(receiver: Receiver, call: dict[str, Any]) -> None:
    """Assert that all messages name their call, and come in order."""
    for message in (got.message for got in receiver.got):
        assert message["call"]["id"] == call["id"]
        assert message["phoneNumber"]["number"] == NUMBER["number"]
        assert message["customer"] == CUSTOMER
        assert message["type"] == "assistant-request" or message["assistant"]["name"] == f"desk of {NUMBER['number']}"
        check(message)
    kinds = receiver.kinds
    assert (kinds[0], kinds[-1]) == ("assistant-request", "end-of-call-report")
    assert [m["status"] for m in receiver.of("status-update")] == ["queued", "in-progress", "ended"]
    assert receiver.of("conversation-update")
    assert SECRET.encode() not in b"".join(got.body for got in receiver.got)


def check_tool(receiver: Receiver, messages: list[dict[str, Any]]) -> None:
    """Assert that the tool is called once, and that the model gets its result."""
    (called,) = receiver.of("tool-calls")
    (wanted,) = called["toolCallList"]
    assert wanted["function"]["name"] == "find_order"
    assert messages[-1]["role"] == "tool"
    assert json.loads(messages[-1]["content"]) == SHIPS
    assert messages[-1]["tool_call_id"] == wanted["id"]


def check_interruption(receiver: Receiver, told: list[dict[str, Any]], messages: list[dict[str, Any]]) -> None:
    """Assert that server and client get the same interruption, and the model only the words that were heard."""
    (cut,) = receiver.of("user-interrupted")
    assert cut["turnId"]
    assert [one["turnId"] for one in told] == [cut["turnId"]]
    heard, asked = messages[-2:]
    assert (heard["role"], asked) == ("assistant", {"role": "user", "content": "Wait, which one?"})
    words = heard["content"].split()
    assert words == [f"word{n:02d}" for n in range(len(words))]
    assert 0 < len(words) < 40
