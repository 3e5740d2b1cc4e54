"""Client messages of a live call: valid by Vapi's schema, in Vapi's order, and only those that were requested."""

import json
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import anyio
import pytest
from jsonschema import Draft202012Validator

from bargein.testing import LlmScript, TranscriberScript
from bargein.wire import contract
from bargein.wire.assistant import DEFAULT_CLIENT_MESSAGES
from bargein.wire.client_messages import CLIENT_MESSAGES
from tests.call.clips import Clip, ask, commands
from tests.call.harness import Caller, calling
from tests.call.stage import STORY, Stage, staged
from tests.published import validator
from tests.vapi_schema import message_types, problems, registry, requirement

pytestmark = pytest.mark.anyio

EVERYTHING = sorted(CLIENT_MESSAGES)
OF_TOOLS = {"function-call", "tool-calls", "tool-calls-result", "tool.completed", "transfer-update"}
"""These need a tool, and are tested in `test_tools` and `test_handoff`."""
FINALS = 'transcript[transcriptType="final"]'
CUSTOMER = {"number": "+15551234567", "name": "Ada Lovelace"}
SAYS = ["Tell me a story.", "Hold on, which one?"]


@lru_cache
def required() -> Draft202012Validator:
    """Return a validator of what `user-interrupted` is required to be, its references resolved in Vapi's types."""
    # Some phone numbers fit more than one of the kinds: "one of" is to be read as "any of".
    schema = json.loads(json.dumps(requirement()).replace('"oneOf"', '"anyOf"'))
    return Draft202012Validator(schema, registry=registry())


def check(message: dict[str, Any]) -> None:
    """Assert that a message is valid by its type."""
    kind = message["type"]
    published = validator(contract.messages("ClientMessage")[kind])
    assert [error.message for error in published.iter_errors(message)] == []
    if kind == "user-interrupted":
        assert [error.message for error in required().iter_errors(message)] == []
        assert message["call"]
        assert message["assistant"]
    if kind == "model-output":
        assert isinstance(message["output"], str)
    assert problems(message_types("ClientMessage")[kind], message) == []


async def converse(stage: Stage, clips: list[Clip], **more: Any) -> Caller:
    """Run a call whose answer is interrupted, and that then ends because its model fails."""
    async with calling(stage.url, stage.assistant(**more), customer=CUSTOMER, name="A trial") as caller:
        await ask(caller, clips[0])
        await anyio.sleep(1)
        await caller.say(clips[1].samples)
        assert await caller.until_closed(10) == 1000
    return caller


def fails_after_the_first() -> Any:
    """Answer the first question with a story, and fail at the next."""

    def answer(body: dict[str, Any]) -> LlmScript:
        questions = [m for m in body["messages"] if m["role"] == "user"]
        return STORY if len(questions) == 1 else LlmScript(status=500)

    return answer


async def test_every_message_is_valid_and_only_what_was_asked_for_is_sent(tmp_path: Path) -> None:
    clips = commands(2)
    subscriptions: dict[str, list[str] | None] = {
        "everything": EVERYTHING,
        "default": None,
        "few": [FINALS, "user-interrupted"],
        "nothing": [],
    }
    callers: dict[str, Caller] = {}

    async def call(name: str) -> None:
        asked = subscriptions[name]
        more = {} if asked is None else {"clientMessages": asked}
        callers[name] = await converse(stage, clips, **more)

    script = TranscriberScript(utterances=SAYS)
    async with (
        staged(tmp_path, llm=fails_after_the_first(), transcriber=script) as stage,
        anyio.create_task_group() as tasks,
    ):
        for name in subscriptions:
            tasks.start_soon(call, name)

    for caller in callers.values():
        for _, message in caller.messages:
            check(message)
    assert set(callers["everything"].kinds()) == set(CLIENT_MESSAGES) - OF_TOOLS
    assert set(callers["default"].kinds()) == (set(CLIENT_MESSAGES) & DEFAULT_CLIENT_MESSAGES) - OF_TOOLS
    assert "assistant.speechStarted" not in callers["default"].kinds()
    assert set(callers["few"].kinds()) == {"transcript", "user-interrupted"}
    assert {m["transcriptType"] for m in callers["few"].of("transcript")} == {"final"}
    assert {m["transcriptType"] for m in callers["everything"].of("transcript")} == {"partial", "final"}
    assert callers["nothing"].kinds() == []
    assert callers["nothing"].audio
    _check_the_interruption(callers["everything"])
    _check_the_progress(callers["everything"])


def _check_the_interruption(caller: Caller) -> None:
    (message,) = caller.of("user-interrupted")
    assert message["turnId"] == caller.of("model-output")[0]["turnId"]
    assert message["customer"] == CUSTOMER
    assert "phoneNumber" not in message  # it has none
    call = message["call"]
    assert (call["id"], call["status"], call["type"]) == (caller.id, "in-progress", "vapi.websocketCall")
    assert call["name"] == "A trial"
    assert call["transport"]["audioFormat"]["sampleRate"] == 16_000
    assert {"orgId", "createdAt", "updatedAt"} <= call.keys()
    assert "monitor" not in call  # its addresses would let anybody steer the call
    assert message["assistant"]["stopSpeakingPlan"] == {"numWords": 0, "voiceSeconds": 0.2}
    assert message["assistant"]["model"]["provider"] == "custom-llm"
    assert abs(message["timestamp"] - caller.of("status-update")[0]["timestamp"]) < 60_000


def _check_the_progress(caller: Caller) -> None:
    """Assert that `assistant.speechStarted` counts the words up to the interruption, and no further."""
    turn = caller.of("speech-update", role="assistant")[0]["turn"]
    said = [m for m in caller.of("assistant.speechStarted") if m["turn"] == turn]  # without the last words
    spoken = [m["timing"]["wordsSpoken"] for m in said]
    assert spoken == sorted(spoken)
    assert len(spoken) > 2
    assert {m["source"] for m in said} == {"custom-voice"}
    heard = caller.of("transcript", role="assistant", transcriptType="final")[0]["transcript"]
    assert spoken[-1] == len(heard.split())


async def test_around_a_cut_the_messages_come_in_vapis_order(tmp_path: Path) -> None:
    clips = commands(2)
    # Without partials: with them a word of the caller's may be known before the cut.
    script = TranscriberScript(utterances=SAYS, partials=False)
    async with (
        staged(tmp_path, transcriber=script) as stage,
        calling(stage.url, stage.assistant(clientMessages=EVERYTHING)) as caller,
    ):
        await ask(caller, clips[0])
        await anyio.sleep(1)
        await caller.say(clips[1].samples)
        await caller.until(lambda: caller.of("transcript", role="user", transcript=SAYS[1]))
    texts = [m for m in caller.order if isinstance(m, dict)]
    at = next(n for n, m in enumerate(texts) if m["type"] == "user-interrupted")
    before = [_label(m) for m in texts[:at]]
    after = [_label(m) for m in texts[at + 1 :]]
    assert before[:2] == ["status-update", "assistant.started"]
    start = before.index("speech-update assistant started")
    assert "speech-update user started" in before[start:]
    assert before.index("model-output") < before.index("voice-input") < start
    assert "assistant.speechStarted" in before[start:]
    expected = [
        "speech-update assistant stopped",
        "transcript assistant final",
        "conversation-update",
        "transcript user final",
    ]
    assert [label for label in after if label in expected][:4] == expected
    assert after[:3] == expected[:3]

    turn = texts[at]["turnId"]
    frames_and_texts = caller.order[caller.order.index(texts[at]) + 1 :]
    until_next = [m for m in frames_and_texts if isinstance(m, bytes) or _label(m) == "speech-update assistant started"]
    assert not until_next or not isinstance(until_next[0], bytes), "no sound after it until the next turn sounds"
    assert not [m for m in texts[at + 1 :] if m.get("turnId") == turn]
    assert not [m for m in texts[at + 1 :] if m["type"] == "assistant.speechStarted" and m["turn"] == _turn(texts[at:])]
    stamps = [m["timestamp"] for m in texts]
    assert all(a <= b for a, b in pairwise(stamps))


def _turn(texts: list[dict[str, Any]]) -> int:
    """Return the number of the interrupted turn."""
    return next(m["turn"] for m in texts if _label(m) == "speech-update assistant stopped")


def _label(message: dict[str, Any]) -> str:
    """Return a message's type, with the field that distinguishes it."""
    parts = (message["type"], message.get("role"), message.get("status"), message.get("transcriptType"))
    return message["type"] if message["type"] == "status-update" else " ".join(str(part) for part in parts if part)
