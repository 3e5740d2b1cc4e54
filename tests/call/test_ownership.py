"""A caller's call: secrets of the owner reach no address that the owner did not set (`bargein.wire.ownership`)."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from bargein.testing import FakeLlm, LlmScript
from bargein.wire.redact import AUTHOR_MARK
from tests.call.harness import bearing, joining
from tests.call.stage import Stage, staged
from tests.webhooks.receiver import Receiver

pytestmark = pytest.mark.anyio

HUSH = "hush"
KEY, PUBLIC = "a-private-key", "a-public-key"
HELLO = LlmScript(tokens=["Hello. "])


@dataclass
class Scene:
    """A server with the owner's secrets, and an address that is not the owner's."""

    stage: Stage
    owner: Receiver
    other: Receiver
    assistant_id: str
    webhook: str

    async def begin(self, body: dict[str, Any], key: str = PUBLIC) -> dict[str, Any]:
        async with httpx.AsyncClient(headers=bearing(key)) as client:
            answer = await client.post(f"{self.stage.url}/call/web", json=body)
        assert answer.status_code == 201, answer.text
        return answer.json()

    async def run(self, body: dict[str, Any], until: Any, key: str = PUBLIC) -> None:
        async with joining(self.stage.url, await self.begin(body, key), pump=False) as caller:
            await caller.until(until)

    def assert_nothing_leaked(self) -> None:
        assert self.other.got, "the test must reach the other address"
        assert HUSH not in str(self.other.got)
        assert AUTHOR_MARK not in str(self.other.got)


def secret_server(url: str, webhook: str | None = None, name: str = "") -> dict[str, Any]:
    named = {} if webhook is None else {"credentialId": webhook}
    return {"url": url, "secret": f"{HUSH}-secret{name}", "headers": {"X-Key": f"{HUSH}-header{name}"}, **named}


@asynccontextmanager
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    async with (
        staged(tmp_path, llm=HELLO, api_key=KEY, public_key=PUBLIC) as stage,
        Receiver() as owner,
        Receiver() as other,
        httpx.AsyncClient(base_url=stage.url, headers=bearing(KEY)) as client,
    ):
        token = {"type": "bearer", "token": f"{HUSH}-bearer"}
        webhook = (await client.post("/credential", json={"provider": "webhook", "authenticationPlan": token})).json()
        await client.post("/credential", json={"provider": "custom-llm", "apiKey": f"{HUSH}-llm"})
        given = stage.assistant(
            name="Desk",
            firstMessage="Hello.",
            firstMessageMode="assistant-speaks-first",
            server=secret_server(owner.url, webhook["id"]),
            credentials=[{"provider": "custom-llm", "apiKey": f"{HUSH}-inline"}],
        )
        given["model"] |= {"headers": {"X-Model": f"{HUSH}-model"}}
        given["voice"]["server"] |= secret_server(stage.voice.url, webhook["id"], "-voice")
        given["transcriber"]["server"] |= secret_server(stage.transcriber.url, webhook["id"], "-transcriber")
        made = await client.post("/assistant", json=given)
        assert made.status_code == 201, made.text
        yield Scene(stage, owner, other, made.json()["id"], webhook["id"])


GENERATED = "assistant-speaks-first-with-model-generated-message"
SPEAKS = "assistant-speaks-first"


async def test_the_owners_own_assistant_gets_its_secrets_in_a_callers_call(tmp_path: Path) -> None:
    async with scene(tmp_path) as at:
        body = {"assistantId": at.assistant_id, "assistantOverrides": {"firstMessageMode": GENERATED}}
        await at.run(body, lambda: at.owner.got and at.stage.voice.exchanges and at.stage.llm.exchanges)
        told = at.owner.got[0].headers
        assert (told["x-vapi-secret"], told["x-key"]) == ("hush-secret", "hush-header")
        assert told["authorization"] == "Bearer hush-bearer"
        asked = at.stage.llm.exchanges[0].headers
        assert (asked["authorization"], asked["x-model"]) == ("Bearer hush-inline", "hush-model")
        spoken = at.stage.voice.exchanges[0].headers
        assert (spoken["x-vapi-secret"], spoken["authorization"]) == ("hush-secret-voice", "Bearer hush-bearer")


AT_OTHER = {"server": {"url": "OTHER"}}
OVERRIDES: dict[str, Any] = {
    "server": AT_OTHER,
    "server with headers": {"server": {"url": "OTHER", "headers": {"X-Mine": "1"}}},
    "voice.server": {"voice": {"provider": "custom-voice", **AT_OTHER}},
    "transcriber.server": {"transcriber": {"provider": "custom-transcriber", **AT_OTHER}},
    "model.url": {
        "model": {"provider": "custom-llm", "model": "m", "url": "OTHER"},
        "firstMessageMode": GENERATED,
    },
}
"""Overrides that lead a part of the assistant to another address."""


def at_other(value: Any, url: str) -> Any:
    if isinstance(value, dict):
        return {name: at_other(inner, url) for name, inner in value.items()}
    if isinstance(value, list):
        return [at_other(inner, url) for inner in value]
    return url if value == "OTHER" else value


@pytest.mark.parametrize("case", OVERRIDES)
@pytest.mark.parametrize("key", [PUBLIC, KEY])
async def test_an_override_of_an_address_gets_none_of_the_secrets_at_the_old_one(
    tmp_path: Path, case: str, key: str
) -> None:
    async with scene(tmp_path) as at:
        overrides = at_other(OVERRIDES[case], at.other.url)
        await at.run({"assistantId": at.assistant_id, "assistantOverrides": overrides}, lambda: at.other.got, key)
        if case == "model.url" and key == KEY:
            assert at.other.got[0].headers["authorization"] == "Bearer hush-llm"  # the owner's, for the owner's address
            assert "hush-inline" not in str(at.other.got)
            assert "hush-model" not in str(at.other.got)
        else:
            at.assert_nothing_leaked()


@pytest.mark.parametrize("part", ["model", "voice", "transcriber", "server"])
async def test_an_assistant_of_a_caller_gets_no_stored_credential(tmp_path: Path, part: str) -> None:
    async with scene(tmp_path) as at:
        mine = at.stage.assistant(firstMessage="Hello.", firstMessageMode=GENERATED if part == "model" else SPEAKS)
        mine |= {"server": {"url": at.other.url}} if part == "server" else {}
        if part == "model":
            mine["model"]["url"] = at.other.url
        elif part != "server":
            mine[part]["server"]["url"] = at.other.url
        await at.run({"assistant": mine}, lambda: at.other.got)
        at.assert_nothing_leaked()


async def test_a_caller_brings_credentials_for_its_own_addresses(tmp_path: Path) -> None:
    async with scene(tmp_path) as at:
        token = {"type": "bearer", "token": "mine"}
        mine = at.stage.assistant(
            firstMessageMode=GENERATED,
            server={"url": at.other.url, "credentialId": "my-webhook"},
            credentials=[
                {"provider": "webhook", "name": "my-webhook", "authenticationPlan": token},
                {"provider": "custom-llm", "apiKey": "my-key"},
            ],
        )
        await at.run({"assistant": mine}, lambda: at.other.got and at.stage.llm.exchanges)
        assert at.other.got[0].headers["authorization"] == "Bearer mine"
        assert at.stage.llm.exchanges[0].headers["authorization"] == "Bearer my-key"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"assistant": {"credentialIds": ["WEBHOOK"]}}, "assistant.credentialIds"),
        ({"assistant": {"server": {"url": "OTHER", "credentialId": "WEBHOOK"}}}, "assistant.server.credentialId"),
        (
            {"assistantId": "DESK", "assistantOverrides": {"server": {"url": "OTHER", "credentialId": "WEBHOOK"}}},
            "assistantOverrides.server.credentialId",
        ),
        (
            {"assistantId": "DESK", "assistantOverrides": {"tools:append": [
                {"type": "apiRequest", "method": "GET", "url": "OTHER", "credentialId": "WEBHOOK"}]}},
            "assistantOverrides.tools:append.0.credentialId",
        ),
        (
            {"squad": {"members": [{"assistant": {"voice": {"provider": "custom-voice", "server": {
                "url": "OTHER", "credentialId": "WEBHOOK"}}}}]}},
            "squad.members.0.assistant.voice.server.credentialId",
        ),
    ],
)  # fmt: skip
async def test_a_caller_names_no_stored_credential(tmp_path: Path, body: dict[str, Any], field: str) -> None:
    async with scene(tmp_path) as at:
        text = str(body).replace("WEBHOOK", at.webhook).replace("DESK", at.assistant_id)
        given = at_other(eval(text), at.other.url)  # noqa: S307  # a dict of this module
        async with httpx.AsyncClient(headers=bearing(PUBLIC)) as client:
            answer = await client.post(f"{at.stage.url}/call/web", json=given)
        assert answer.status_code == 400
        assert answer.json()["message"] == [f"{field} names a stored credential, which needs the private key"]


@pytest.mark.parametrize("made_with", [PUBLIC, KEY])
@pytest.mark.parametrize("over", ["socket", "control"])
async def test_a_client_that_hands_the_call_over_has_the_rights_of_a_caller(
    tmp_path: Path, made_with: str, over: str
) -> None:
    async with scene(tmp_path) as at:
        call = await at.begin({"assistantId": at.assistant_id}, made_with)
        mine = at.stage.assistant(
            name="Mine", firstMessageMode=GENERATED, server={"url": at.other.url, "credentialId": at.webhook}
        )
        mine["model"]["url"] = at.other.url
        handoff = {"type": "handoff", "destination": {"type": "assistant", "assistant": mine}}
        async with joining(at.stage.url, call, pump=False) as caller:
            await caller.until(lambda: at.owner.got)
            if over == "socket":
                await caller.send(handoff)
            else:
                async with httpx.AsyncClient() as client:
                    assert (await client.post(f"{at.stage.url}/{call['id']}/control", json=handoff)).is_success
            await caller.until(lambda: at.other.got)
        at.assert_nothing_leaked()


async def test_a_handoff_with_overrides_leads_to_another_address_without_the_secrets(tmp_path: Path) -> None:
    async with scene(tmp_path) as at:
        call = await at.begin({"assistantId": at.assistant_id})
        destination = {
            "type": "assistant",
            "assistantId": at.assistant_id,
            "assistantOverrides": {"server": {"url": at.other.url}, "voice": {"server": {"url": at.other.url}}},
        }
        async with joining(at.stage.url, call, pump=False) as caller:
            await caller.until(lambda: at.owner.got)
            await caller.send({"type": "handoff", "destination": destination})
            await caller.until(lambda: at.other.got)
        at.assert_nothing_leaked()


async def test_the_owner_hands_over_with_its_secrets(tmp_path: Path) -> None:
    async with scene(tmp_path) as at, FakeLlm(HELLO) as second:
        call = await at.begin({"assistantId": at.assistant_id})
        mine = at.stage.assistant(name="Mine", firstMessageMode=GENERATED)
        mine["model"]["url"] = second.url
        handoff = {"type": "handoff", "destination": {"type": "assistant", "assistant": mine}}
        async with joining(at.stage.url, call, pump=False) as caller:
            await caller.until(lambda: at.owner.got)
            async with httpx.AsyncClient(headers=bearing(KEY)) as client:
                assert (await client.post(f"{at.stage.url}/{call['id']}/control", json=handoff)).is_success
            await caller.until(lambda: second.exchanges)
        assert second.exchanges[0].headers["authorization"] == "Bearer hush-llm"


async def test_what_a_caller_wrote_is_told_without_its_mark(tmp_path: Path) -> None:
    async with scene(tmp_path) as at:
        tool = {"type": "function", "function": {"name": "find"}, "server": {"url": at.other.url}}
        hook = {"on": "customer.speech.timeout", "do": [{"type": "say", "exact": "Still there, {{x}}?"}]}
        mine = at.stage.assistant(
            firstMessage="Hello.",
            firstMessageMode=SPEAKS,
            server={"url": at.other.url},
            hooks=[hook],
            metadata={"url": "https://my.example", "mine": True},
        )
        mine["model"] |= {"tools": [tool], "messages": [{"role": "system", "content": "Help {{x}}."}]}
        call = await at.begin({"assistant": mine})
        async with joining(at.stage.url, call, pump=False) as caller:
            await caller.until(lambda: at.other.got and at.stage.voice.exchanges)
        async with httpx.AsyncClient(headers=bearing(KEY)) as client:
            record = (await client.get(f"{at.stage.url}/call/{call['id']}")).json()
        everything = str((caller.messages, at.other.got, record, [one.body for one in at.stage.voice.exchanges]))
        assert AUTHOR_MARK not in everything
        assert "endcomment" not in everything
        assert record["assistant"]["hooks"] == [hook]
