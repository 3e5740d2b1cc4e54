"""The limits of a token hold for the whole call: for each message by which its client can name another assistant."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from bargein.testing import LlmScript, TranscriberScript
from bargein.wire.limits import CALLER_LIMITS
from tests.call.harness import Caller, bearing, joining
from tests.call.stage import ASKS, Stage, staged
from tests.server.test_jwt import KEY, signed

pytestmark = pytest.mark.anyio

SILENT = TranscriberScript()


@dataclass
class Office:
    """A server with three stored assistants and a squad; each says its name when it takes over."""

    stage: Stage
    ids: dict[str, str]
    squad_id: str

    def token(self, **restrictions: Any) -> str:
        return signed(restrictions=restrictions)

    async def post(self, path: str, body: dict[str, Any], key: str | None) -> httpx.Response:
        async with httpx.AsyncClient() as client:
            return await client.post(f"{self.stage.url}{path}", json=body, headers=bearing(key))

    async def call(self, token: str, name: str = "Ada", **more: Any) -> dict[str, Any]:
        answer = await self.post("/call/web", {"assistantId": self.ids[name], **more}, token)
        assert answer.status_code == 201, answer.text
        assert CALLER_LIMITS not in answer.text
        return answer.json()


def speaker(stage: Stage, name: str, **more: Any) -> dict[str, Any]:
    return stage.speaker(f"{name} here.", name=name, **more)


@asynccontextmanager
async def office(tmp_path: Path, transcriber: TranscriberScript = SILENT, **more: Any) -> AsyncIterator[Office]:
    async with staged(tmp_path, transcriber=transcriber, api_key=KEY, **more) as stage:
        made = Office(stage, {}, "")
        for name in ("Bea", "Cay", "Ada"):
            one = speaker(stage, name)
            if name == "Ada":
                destination = {"type": "assistant", "assistantId": made.ids["Bea"]}
                one["model"] = {**one["model"], "tools": [{"type": "handoff", "destinations": [destination]}]}
            made.ids[name] = (await made.post("/assistant", one, KEY)).json()["id"]
        members = [{"assistantId": made.ids[name]} for name in ("Bea", "Cay")]
        made.squad_id = (await made.post("/squad", {"members": members}, KEY)).json()["id"]
        yield made


def started(caller: Caller) -> list[str]:
    return [m["newAssistant"]["name"] for m in caller.of("assistant.started")]


def refusals(caller: Caller) -> list[dict[str, Any]]:
    return [m for _, m in caller.messages if m.get("statusCode") == 403]


def forbidden(made: Office) -> list[dict[str, Any]]:
    """Return destinations that a token for Ada alone does not allow."""
    to = {"type": "assistant", "assistantId": made.ids["Bea"]}
    mine = {"type": "assistant", "assistantId": made.ids["Ada"]}
    return [
        to,
        {"type": "assistant", "assistantName": "Bea", "assistantId": made.ids["Bea"]},
        {"type": "assistant", "assistant": speaker(made.stage, "Own")},
        {"type": "assistant", "assistant": {"name": "Own"}, "assistantId": made.ids["Ada"]},
        {"type": "squad", "squadId": made.squad_id},
        {"type": "squad", "squad": {"members": [{"assistantId": made.ids["Ada"]}]}},
        {**mine, "assistantOverrides": {"tools:append": [{"type": "handoff", "destinations": [to]}]}},
        {**mine, "assistantOverrides": {"server": {"url": made.stage.llm.url}}},
        {**mine, "assistantOverrides": {"hooks": [
            {"on": "call.timeElapsed", "options": {"seconds": 1}, "do": [{"type": "transfer", "destination": to}]}
        ]}},
    ]  # fmt: skip


async def test_a_limited_token_hands_over_to_nobody_else(tmp_path: Path) -> None:
    async with office(tmp_path) as made:
        call = await made.call(made.token(allowedAssistantIds=[made.ids["Ada"]]), roomDeleteOnUserLeaveEnabled=False)
        for again in (False, True):
            # The second time the page has left the call and come back.
            async with joining(made.stage.url, call) as caller:
                if not again:
                    await caller.until(lambda: caller.messages)
                messages = [{"type": "handoff", "destination": one} for one in forbidden(made)]
                messages += [{**one, "type": "transfer"} for one in messages if one["destination"]["type"] != "squad"]
                for count, message in enumerate(messages, 1):
                    await caller.send(message)
                    await caller.until(lambda count=count: len(refusals(caller)) == count)
                assert "This token may not be used with this assistant." in json.dumps(refusals(caller))
                assert "transfer-update" not in caller.kinds()
                # The call goes on, and what the token allows is done.
                allowed = {"type": "assistant", "assistantId": made.ids["Ada"]}
                await caller.send({"type": "handoff", "destination": allowed})
                await caller.until(lambda: caller.of("transfer-update"))
        # Without the private key, the control URL has the same limits; with it, none.
        async with joining(made.stage.url, call) as caller:
            message = {"type": "handoff", "destination": {"type": "assistant", "assistantId": made.ids["Bea"]}}
            await made.post(f"/{caller.id}/control", message, None)
            await caller.until(lambda: refusals(caller))
            await made.post(f"/{caller.id}/control", message, KEY)
            await caller.until(lambda: started(caller) == ["Bea"])


async def test_an_assistant_of_its_own_is_refused_alone_if_others_are_allowed(tmp_path: Path) -> None:
    async with office(tmp_path) as made:
        call = await made.call(made.token(allowTransientAssistant=False))
        async with joining(made.stage.url, call) as caller:
            await caller.until(lambda: caller.messages)
            own = {"type": "assistant", "assistant": speaker(made.stage, "Own")}
            await caller.send({"type": "handoff", "destination": own})
            await caller.until(lambda: refusals(caller))
            stored = {"type": "squad", "squadId": made.squad_id}
            await caller.send({"type": "handoff", "destination": stored})
            await caller.until(lambda: started(caller) == ["Ada", "Bea"])


async def test_the_owners_tool_may_hand_a_limited_call_over(tmp_path: Path) -> None:
    def script(body: dict[str, Any]) -> LlmScript:
        calls = [("handoff_to_x", "{}")] if body["messages"][-1]["role"] == "user" else []
        name = next((tool["function"]["name"] for tool in body.get("tools", [])), "")
        return LlmScript(tokens=["So."]) if not calls or not name else LlmScript(tokens=[], calls=[(name, "{}")])

    async with office(tmp_path, ASKS, llm=script) as made:
        call = await made.call(made.token(allowedAssistantIds=[made.ids["Ada"]]))
        async with joining(made.stage.url, call) as caller:
            await caller.until(lambda: started(caller) == ["Ada", "Bea"], 15)


async def test_a_token_without_limits_hands_over_to_any_stored_assistant_and_its_own(tmp_path: Path) -> None:
    async with office(tmp_path) as made:
        call = await made.call(signed())
        async with joining(made.stage.url, call) as caller:
            await caller.until(lambda: caller.messages)
            for destination, name in (
                ({"type": "assistant", "assistantId": made.ids["Cay"]}, "Cay"),
                ({"type": "assistant", "assistant": speaker(made.stage, "Own")}, "Own"),
            ):
                await caller.send({"type": "handoff", "destination": destination})
                await caller.until(lambda name=name: started(caller)[-1] == name)


async def test_a_request_names_nobody_else_in_what_it_contains(tmp_path: Path) -> None:
    async with office(tmp_path) as made:
        token = made.token(allowedAssistantIds=[made.ids["Ada"]], allowTransientAssistant=True)
        to = {"type": "assistant", "assistantId": made.ids["Bea"]}
        tool = {"type": "handoff", "destinations": [to]}
        own = speaker(made.stage, "Own")
        bodies: list[dict[str, Any]] = [
            {"assistantId": made.ids["Ada"], "assistantOverrides": {"tools:append": [tool]}},
            {"assistant": {**own, "model": {**own["model"], "tools": [tool]}}},
            {"squad": {"members": [{"assistant": own, "assistantDestinations": [to]}]}},
            {"squad": {"members": [{"assistant": own}, {"assistantId": made.ids["Bea"]}]}},
        ]
        for body in bodies:
            assert (await made.post("/call/web", body, token)).status_code == 403, body
        session = {"squad": {"members": [{"assistantId": made.ids["Bea"]}]}}
        session_id = (await made.post("/session", session, KEY)).json()["id"]
        for body in ({"sessionId": session_id}, bodies[1]):
            assert (await made.post("/chat/web", {"input": "Hi.", **body}, token)).status_code == 403, body


async def test_the_limits_of_a_call_outlive_a_restart(tmp_path: Path) -> None:
    async with office(tmp_path) as made:
        call = await made.call(made.token(allowedAssistantIds=[made.ids["Ada"]]))
        other = {"type": "assistant", "assistantId": made.ids["Bea"]}
    async with staged(tmp_path, transcriber=SILENT, api_key=KEY) as stage, httpx.AsyncClient() as client:
        stored = (await client.get(f"{stage.url}/call/{call['id']}", headers=bearing(KEY))).json()
        assert CALLER_LIMITS not in stored
        # the fakes that the assistant used with the first server are gone
        providers = {name: stage.assistant()[name] for name in ("model", "voice", "transcriber")}
        url = f"{stage.url}/assistant/{made.ids['Ada']}"
        (await client.patch(url, json=providers, headers=bearing(KEY))).raise_for_status()
        async with joining(stage.url, call) as caller:
            await caller.until(lambda: caller.messages)
            await caller.send({"type": "handoff", "destination": other})
            await caller.until(lambda: refusals(caller))
