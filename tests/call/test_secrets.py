"""Secrets are used where they belong, and do not get into messages, logs or journals."""

import base64
import json
from pathlib import Path
from typing import Any, get_args

import anyio
import httpx
import pytest

from bargein.testing import LlmScript, TimedReply, TranscriberScript
from bargein.wire.assistant import ServerMessageType
from bargein.wire.client_messages import CLIENT_MESSAGES
from tests.call.conftest import Log
from tests.call.harness import Caller, bearing, create_call, ended, joining
from tests.call.stage import STORY, Stage, staged
from tests.webhooks.receiver import Receiver

TOLD = ({*CLIENT_MESSAGES} & {*get_args(ServerMessageType)}) - {"function-call", "tool-calls", "transfer-update"}
"""The messages that client and server get in a call without tools and handoffs."""

pytestmark = pytest.mark.anyio

HUSH = "hush"
KEY, PUBLIC = f"{HUSH}-private-key", f"{HUSH}-public-key"


def secret(name: str) -> str:
    return f"{HUSH}-{name}"


def server(url: str, name: str) -> dict[str, Any]:
    """A server with every kind of secret."""
    headers = {"X-Api-Key": secret(f"{name}-header"), "Authorization": f"Bearer {secret(name)}-bearer"}
    address = url.replace("://", f"://user:{secret(name)}-password@") + f"?token={secret(name)}-query"
    return {"url": address, "secret": secret(f"{name}-secret"), "headers": headers, "timeoutSeconds": 1}


def full_of_secrets(stage: Stage, hook: Receiver) -> dict[str, Any]:
    tool = {
        "type": "function",
        "function": {"name": "look_up", "description": "Looks something up."},
        "server": server("http://127.0.0.1:1/tool", "tool"),
    }
    model = server(stage.llm.url, "model")
    return {
        **stage.assistant(),
        "clientMessages": sorted(CLIENT_MESSAGES),
        "model": {
            "provider": "custom-llm",
            "model": "scripted",
            "url": f"{stage.llm.url}?token={secret('model')}-query",  # a password in it would take the bearer's place
            "headers": model["headers"],
            "tools": [tool],
            "timeoutSeconds": 1,
        },
        "voice": {"provider": "custom-voice", "server": server(stage.voice.url, "voice")},
        "transcriber": {"provider": "custom-transcriber", "server": server(stage.transcriber.url, "transcriber")},
        "server": server(hook.url, "server"),
        "serverMessages": [*sorted(TOLD), "end-of-call-report"],
        "serverUrl": f"http://user:{secret('legacy')}@127.0.0.1:1/legacy",
        "serverUrlSecret": secret("server-url-secret"),
        "credentials": [
            {"provider": "openai", "apiKey": secret("openai")},
            {"provider": "twilio", "authToken": secret("twilio"), "accountSid": "AC0"},
            {
                "provider": "custom-llm",
                "apiKey": secret("llm"),
                "authenticationPlan": {
                    "type": "oauth2",
                    "url": "http://127.0.0.1:1/token",
                    "clientId": "me",
                    "clientSecret": secret("oauth"),
                },
            },
            {"provider": "webhook", "authenticationPlan": {"type": "bearer", "token": secret("webhook")}},
        ],
        "hooks": [{"on": "call.ending", "do": [{"type": "tool", "tool": tool}]}],
        "observabilityPlan": {"provider": "langfuse", "metadata": {"secretKey": secret("langfuse")}, "tags": []},
        "metadata": {"apiToken": secret("metadata"), "plan": "gold"},
    }


CUSTOMER = {"number": "+15551234567"}
# Said to interrupt, by words alone
SAYS = TranscriberScript(timed=[TimedReply(200, "Tell me a story."), TimedReply(1500, "Stop that.")])


async def test_no_secret_is_told_logged_or_kept_in_a_journal(tmp_path: Path, log: Log) -> None:
    log.set_level("debug")
    callers: list[Caller] = []
    insights: list[str] = []
    async with (
        Receiver() as hook,
        staged(tmp_path, transcriber=SAYS, llm=_tells_then_fails, api_key=KEY, public_key=PUBLIC) as stage,
    ):
        given = full_of_secrets(stage, hook)

        async def call(assistant: dict[str, Any]) -> None:
            record = await create_call(stage.url, assistant, key=KEY, customer=CUSTOMER)
            async with joining(stage.url, record, key=PUBLIC) as caller, anyio.create_task_group() as tasks:
                callers.append(caller)
                if assistant is given:
                    await caller.until(lambda: caller.messages)
                    tasks.start_soon(_watch, caller, insights)
                await caller.until_closed(12)
            assert await ended(stage.url, record["id"], KEY)

        away = "http://127.0.0.1:1"
        broken = [
            given,
            given | {"model": given["model"] | {"url": server(away, "gone")["url"]}},
            given | {"voice": {"provider": "custom-voice", "server": server(away, "gone")}, **_greeting()},
            given | {"transcriber": {"provider": "custom-transcriber", "server": server(away, "gone")}},
            given | {"voice": {"provider": "11labs", "voiceId": "sarah"}},
            given | {"transcriber": {"provider": "custom-transcriber", "server": {"url": "ws://[::1]:1/?key=" + HUSH}}},
        ]
        async with anyio.create_task_group() as tasks:
            for assistant in broken:
                tasks.start_soon(call, assistant)
        async with httpx.AsyncClient(base_url=stage.url) as client:
            for wrong in (f"{HUSH}-wrong", None):
                assert (await client.get(f"/call/{callers[0].id}", headers=bearing(wrong))).status_code == 401

        _check_they_were_used(stage)
        await hook.until(lambda: len(hook.of("end-of-call-report")) == len(broken))
    assert set(hook.kinds) >= {*TOLD, "end-of-call-report"} - {"speech-update"}
    assert {got.headers["x-vapi-secret"] for got in hook.got} == {secret("server-secret")}
    assert {got.headers["x-api-key"] for got in hook.got} == {secret("server-header")}
    posted = b"".join(got.body for got in hook.got)
    assert HUSH.encode() not in posted, posted[max(0, posted.index(HUSH.encode()) - 300) :][:600]
    whole = next(c for c in callers if c.of("user-interrupted"))
    assert set(whole.kinds()) >= TOLD - {"speech-update"}
    frames = json.dumps([caller.order for caller in callers], default=bytes.hex)
    journals = [path.read_text() for path in (tmp_path / "journals").iterdir()]
    assert len(journals) == len(broken) - 1  # the one that could not begin has none
    assert ['"decision"' in told for told in insights] == [True]
    basic = base64.b64encode(f"user:{secret('voice')}-password".encode()).decode()
    for text in (frames, log.text, *journals, *insights):
        assert basic not in text
        assert HUSH not in text, text[max(0, text.index(HUSH) - 300) :][:600]
    assert all(caller.reason.find(HUSH) < 0 for caller in callers)


def _tells_then_fails(body: dict[str, Any]) -> LlmScript:
    told = [m for m in body["messages"] if m["role"] == "user"]
    return STORY if len(told) == 1 else LlmScript(status=401)


def _greeting() -> dict[str, Any]:
    return {"firstMessage": "Hello.", "firstMessageMode": "assistant-speaks-first"}


async def _watch(caller: Caller, insights: list[str]) -> None:
    async with (
        httpx.AsyncClient() as client,
        client.stream("GET", f"{caller.url}/{caller.id}/insight", headers=bearing(PUBLIC)) as answer,
    ):
        insights.append((await answer.aread()).decode())


def _check_they_were_used(stage: Stage) -> None:
    """Assert that each secret reached its own recipient, and no other secret did."""
    for exchange, name in ((stage.llm.exchanges[0], "model"), (stage.voice.exchanges[0], "voice")):
        assert exchange.headers["x-api-key"] == secret(f"{name}-header")
        assert exchange.path.endswith(f"?token={secret(name)}-query")
        # Who has a call's `monitor` can steer it.
        assert "monitor" not in (exchange.body.get("message") or exchange.body)["call"]
        # The metadata is the owner's, for the owner's own model.
        assert HUSH not in json.dumps({n: v for n, v in exchange.body.items() if n != "metadata"})
    assert stage.voice.exchanges[0].headers["x-vapi-secret"] == secret("voice-secret")
    assert stage.llm.exchanges[0].headers["authorization"] == f"Bearer {secret('llm')}"  # the credential goes first
    assert stage.transcriber.connections[0].headers["x-vapi-secret"] == secret("transcriber-secret")
