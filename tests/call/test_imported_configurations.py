"""Assistants and squads of the kinds that people have for Vapi: each is brought in, and holds a call without a key.

The structure and the fields of each file are those of public configurations; names, texts and addresses are made up.
No vendor has a key, so the embedded models take their places (`BARGEIN_SUBSTITUTE_PROVIDERS`); here they are light
stand-ins, except for the model.
"""

import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
from structlog.testing import capture_logs

from bargein.providers.embedded.llm import DemoModel
from bargein.server.api.warnings import WARNING_HEADER
from bargein.testing import FakeLlm, LlmScript
from tests.call.harness import Caller, eventually, joining, running
from tests.call.test_inbound import Speaking
from tests.webhooks.receiver import Receiver

pytestmark = pytest.mark.anyio

FOLDER = Path(__file__).resolve().parent.parent / "data" / "imports"
QUESTION = "What are your opening hours?"
ASKS_AFTER_MS = 1500
AT_ONCE = 6
"""The most calls at once: callers, fakes and server are one process."""
CUSTOMER = {"name": "Kim", "number": "+14155550123"}
OWN_MODEL = "OWN_MODEL"
"""Stands for the address of an owner's model in the files."""
SERVERS = re.compile(r"https://[a-z]+\.example")
"""The owners' servers in the files; here one on loopback takes their places."""
EXPECTED = frozenset({
    "a part without a key runs on the embedded model",
    "a part of a call's analysis is left out",  # no embedded model analyses calls
    "the tools of an MCP server are not available",  # of one that does not exist
})  # fmt: skip
"""The warnings that the log may have."""

TOLD: dict[str, set[str]] = {
    "api-request-tools": {"voice.voiceId", "voice.version"},
    "export-of-the-dashboard": {
        "backchannelingEnabled",
        "backgroundDenoisingEnabled",
        "model.emotionRecognitionEnabled",
        "voice.fillerInjectionEnabled",
        "voice.inputMinCharacters",
        "voice.inputPunctuationBoundaries",
    },
    "first-generation": {"backchannelingEnabled", "dialKeypadFunctionEnabled"},
    "fallbacks": {"backgroundSpeechDenoisingPlan.smartDenoisingPlan"},
    "privacy-and-tracing": {"voice.subtitleType"},
    "realtime-model": {"model"},
    "vendors-tools": {f"model.tools.{number}" for number in range(1, 5)},  # the sixth, sms, works
}
"""By file: the fields that have no effect here, of which the answer's header tells."""
REPORTED = frozenset({"first-generation", "analysis", "squad-by-name"})
"""The files with an owner's server, in the older and the newer form and for a whole squad."""


class Asking(Speaking):
    """Stand-ins of the embedded models: each caller asks one question, and the demonstration model answers it."""

    class _Transcriber(Speaking._Transcriber):
        def __init__(self) -> None:
            self._fed = 0
            self._due = anyio.Event()
            self._tell: Any = None

        def open(self, on_transcript: Any) -> Any:
            self._tell = on_transcript
            return self

        def feed(self, customer: Any, *_: Any) -> None:
            self._fed += customer.size
            if self._fed >= ASKS_AFTER_MS * 16:
                self._due.set()

        async def run(self) -> None:
            await self._due.wait()
            self._tell(QUESTION, True)
            await anyio.sleep_forever()

    model: Any = DemoModel()


@dataclass
class Brought:
    """A configuration that was brought in.

    Attributes:
        name: its file's.
        given: the first assistant, as the file has it.
        call: the call's record.
        told: the problems that the answers' headers tell, by the field.
        problems: what is not as it must be.
    """

    name: str
    given: dict[str, Any]
    call: dict[str, Any]
    told: dict[str, list[str]] = field(default_factory=dict[str, list[str]])
    problems: list[str] = field(default_factory=list[str])

    @property
    def is_squad(self) -> bool:
        return "squadId" in self.call

    @property
    def first_message(self) -> str:
        return self.given.get("firstMessage", "").replace("{{customer.name}}", CUSTOMER["name"])

    def was_answered(self, caller: Caller) -> bool:
        """Return whether the assistant has said something after the question that is not its first message."""
        asked = caller.when("transcript", role="user", transcriptType="final")[0]
        finals = [
            one["transcript"]
            for at, one in caller.messages
            if at > asked and (one["type"], one.get("role")) == ("transcript", "assistant")
        ]
        return any(text not in self.first_message for text in finals)

    def check_told(self) -> None:
        """Note what the headers tell that is not true, or do not tell."""
        if self.is_squad:
            return  # a header has no room for the problems of three assistants
        substituted = {path for path, texts in self.told.items() if any("takes its place" in text for text in texts)}
        parts = {
            part
            for part in ("model", "voice", "transcriber")
            if self.given[part]["provider"] not in ("vapi", "custom-llm")
        }
        if parts - substituted or {path for path in substituted if "." not in path} - parts:
            self.problems.append(f"not told: {sorted(parts ^ substituted)}")
        others = {path for path, texts in self.told.items() if any("takes its place" not in text for text in texts)}
        if others != TOLD.get(self.name, set()):
            self.problems.append(f"told: {sorted(others)}")

    def check_record(self) -> None:
        """Note what the record lacks of the call."""
        if self.call["endedReason"] != "customer-ended-call":
            self.problems.append(f"{self.call['endedReason']}: {self.call.get('endedMessage')}")
        messages = self.call.get("artifact", {}).get("messages", [])
        said = [(one["role"], one["message"]) for one in messages if one["role"] in ("user", "bot")]
        first = next((text for role, text in said if role == "bot"), "")
        private = self.given.get("compliancePlan", {}).get("hipaaEnabled")
        if private and messages:
            self.problems.append("something of a private call was kept")
        elif not private and (
            ("user", QUESTION) not in said or (self.first_message and first not in self.first_message)
        ):
            self.problems.append(f"{said}")


def read(path: Path, own_model: str, own_server: str) -> dict[str, Any]:
    """Return a file's contents, with the addresses of servers on loopback."""
    return json.loads(SERVERS.sub(own_server, path.read_text().replace(OWN_MODEL, own_model)))


async def bring_in(client: httpx.AsyncClient, name: str, given: dict[str, Any]) -> Brought:
    """Store a file's tools and its assistant or squad as they are, and create a call with them."""
    (kind,) = {"assistant", "squad"} & given.keys()
    text = json.dumps(given[kind])
    for tool in given.get("tools", ()):
        made = await client.post("/tool", params={"import": "true"}, json=tool)
        assert made.status_code == 201, f"{name}: {made.text}"
        text = text.replace(tool["id"], made.json()["id"])
    made = await client.post(f"/{kind}", params={"import": "true"}, content=text)
    assert made.status_code == 201, f"{name}: {made.text}"
    body = {f"{kind}Id": made.json()["id"], "customer": CUSTOMER, "transport": {"provider": "vapi.websocket"}}
    call = await client.post("/call", json=body)
    assert call.status_code == 201, f"{name}: {call.text}"
    first = given[kind] if kind == "assistant" else given[kind]["members"][0]["assistant"]
    brought = Brought(name, first, call.json())
    for text in {text for answer in (made, call) for text in answer.headers.get(WARNING_HEADER, "").split("; ")}:
        where, _, problem = text.partition(": ")
        if problem:
            brought.told.setdefault(where, []).append(problem)
    return brought


async def hold(url: str, brought: Brought, limiter: anyio.CapacityLimiter) -> None:
    """Hold a call: the caller asks, is answered, and hangs up; note what is not as it must be."""
    async with limiter, joining(url, brought.call) as caller:
        try:
            await caller.until(lambda: caller.of("transcript", role="user", transcriptType="final"), 25)
            await caller.until(lambda: brought.was_answered(caller), 25)
            await caller.send({"type": "end-call"})
            await caller.until_closed(10)
        except (TimeoutError, AssertionError) as error:
            brought.problems.append(f"{error!r}: {caller.kinds()[-12:]}")


async def check(client: httpx.AsyncClient, brought: Brought) -> None:
    """Note what the call's record and the answers' headers lack."""

    async def record() -> dict[str, Any]:
        return (await client.get(f"/call/{brought.call['id']}")).json()

    brought.call = await eventually(record, lambda call: call["status"] == "ended", 20)
    brought.check_record()
    brought.check_told()


async def test_each_kind_of_configuration_is_brought_in_and_holds_a_whole_call(tmp_path: Path) -> None:
    files = sorted(FOLDER.glob("*.json"))
    assert len(files) >= 16
    with capture_logs() as logs:
        async with (
            FakeLlm(LlmScript(tokens=["From ", "nine ", "to ", "five."])) as own_model,
            Receiver() as own_server,
            running(tmp_path, Asking(), substitute_providers=True) as server,
            httpx.AsyncClient(base_url=server.url, timeout=20) as client,
        ):
            limiter = anyio.CapacityLimiter(AT_ONCE)
            origin = own_server.url.removesuffix("/hook")
            brought = [await bring_in(client, path.stem, read(path, own_model.url, origin)) for path in files]
            async with anyio.create_task_group() as calls:
                for one in brought:
                    calls.start_soon(hold, server.url, one, limiter)
            for one in brought:
                await check(client, one)
            wanted = {one.call["id"] for one in brought if one.name in REPORTED}
            await own_server.until(lambda: wanted <= reported(own_server))
    failed = {one.name: one.problems for one in brought if one.problems}
    assert not failed, failed
    loud = [line for line in logs if line["log_level"] not in ("debug", "info") and line["event"] not in EXPECTED]
    assert loud == []


def reported(server: Receiver) -> set[str]:
    """Return the ids of the calls that an owner's server got a report of."""
    reports = [got.json["message"] for got in server.got if b'"end-of-call-report"' in got.body]
    return {one["call"]["id"] for one in reports if one["type"] == "end-of-call-report"}
