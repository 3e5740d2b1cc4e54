"""Control messages to a live call: over its socket, and over its control URL."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import anyio
import httpx
import numpy as np
import pytest

from bargein.testing import LlmScript, TimedReply, TranscriberScript
from tests.call.harness import Caller, calling, ended, stored
from tests.call.stage import Stage, holds_for, staged

pytestmark = pytest.mark.anyio

GREETING = "Hello, this is the front desk."
SILENT = TranscriberScript()
Steer = Callable[[Caller, dict[str, Any]], Awaitable[None]]


async def by_socket(caller: Caller, message: dict[str, Any]) -> None:
    await caller.send(message)


async def by_url(caller: Caller, message: dict[str, Any]) -> None:
    async with httpx.AsyncClient() as client:
        answer = await client.post(caller.call["monitor"]["controlUrl"], json=message)
    assert answer.status_code == 200, answer.text


STEERS = pytest.mark.parametrize("steer", [by_socket, by_url], ids=["socket", "control URL"])


def spoken(caller: Caller) -> list[str]:
    """Return what the assistant has said, as far as it was heard."""
    return [m["transcript"] for m in caller.of("transcript", role="assistant", transcriptType="final")]


async def until_spoken(caller: Caller, text: str, seconds: float = 10) -> None:
    await caller.until(lambda: text in spoken(caller), seconds)


def asked(stage: Stage) -> list[list[dict[str, str]]]:
    """Return the messages of each request to the model."""
    return [exchange.body["messages"] for exchange in stage.llm.exchanges]


@STEERS
async def test_say_is_said_after_what_is_being_said(tmp_path: Path, steer: Steer) -> None:
    async with (
        staged(tmp_path, transcriber=SILENT) as stage,
        calling(stage.url, stage.speaker(GREETING)) as caller,
    ):
        await caller.until(lambda: caller.audio)
        await steer(caller, {"type": "say", "content": "And one thing more."})
        await steer(caller, {"type": "say", "message": "Goodbye now.", "endCallAfterSpoken": True})
        assert await caller.until_closed(10) == 1000
        assert spoken(caller) == [GREETING, "And one thing more.", "Goodbye now."]
        assert not caller.of("user-interrupted")
        assert not caller.of("model-output")
        assert caller.messages[-1][1]["endedReason"] == "assistant-ended-call-after-message-spoken"
        assert await ended(stage.url, caller.id) == "assistant-ended-call-after-message-spoken"
        heard_ms = sum(len(frame) for _, frame in caller.audio) / caller.sound.bytes_per_ms
        words = sum(len(text.split()) for text in spoken(caller))
        assert heard_ms == pytest.approx(words * 300, abs=40)
        record = await stored(stage.url, caller.id)
        assert [m["source"] for m in record["messages"]] == ["force-say"] * 3


@pytest.mark.timed
async def test_say_can_take_the_place_of_what_is_being_said(tmp_path: Path) -> None:
    async with (
        staged(tmp_path, transcriber=SILENT) as stage,
        calling(stage.url, stage.speaker()) as caller,
    ):
        await caller.until(lambda: len(caller.audio) > 40)
        before, at = caller.last_sound(), caller.now()
        await caller.send({"type": "say", "content": "Fire alarm.", "interruptAssistantEnabled": True})
        await until_spoken(caller, "Fire alarm.")
        assert [m["status"] for m in caller.of("speech-update", role="assistant")][:3] == [
            "started",
            "stopped",
            "started",
        ]
        assert caller.when("speech-update", status="stopped")[0] - at < 100
        assert before - at < 75
        assert spoken(caller)[0].startswith("speech00 speech01")
        assert len(spoken(caller)) == 2
        assert not caller.of("user-interrupted")


async def test_a_protected_say_is_not_cut(tmp_path: Path) -> None:
    says = TranscriberScript(timed=[TimedReply(1400, "stop", "partial"), TimedReply(1700, "Stop it.")])
    text = "This must be heard to its end."
    async with (
        staged(tmp_path, transcriber=says) as stage,
        calling(stage.url, stage.assistant()) as protected,
        calling(stage.url, stage.assistant()) as unprotected,
    ):
        await protected.send({"type": "say", "content": text, "interruptionsEnabled": False})
        await unprotected.send({"type": "say", "content": text})
        await until_spoken(protected, text)
        await unprotected.until(lambda: unprotected.of("user-interrupted"))
        assert not protected.of("user-interrupted")
        assert "turnId" not in unprotected.of("user-interrupted")[0]
        assert text.startswith(spoken(unprotected)[0])
        assert spoken(unprotected)[0] != text


async def test_keys_that_the_caller_presses_are_its_words(tmp_path: Path) -> None:
    plan = {"enabled": True, "delimiters": "#"}
    async with staged(tmp_path, transcriber=SILENT, llm=LlmScript(tokens=("Thank ", "you."))) as stage:
        assistant = stage.assistant(keypadInputPlan=plan)
        async with calling(stage.url, assistant) as caller:
            await caller.send({"type": "dtmf", "keys": "12#"})
            await until_spoken(caller, "Thank you.")
            async with httpx.AsyncClient() as client:
                message = {"type": "dtmf", "keys": "3#"}
                answer = await client.post(caller.call["monitor"]["controlUrl"], json=message)
            assert answer.status_code == 400
            assert "only a caller presses keys" in answer.json()["message"][0]
    assert [message["content"] for message in asked(stage)[-1]][-1] == "12"


@STEERS
async def test_an_added_message_never_cuts_and_is_answered(tmp_path: Path, steer: Steer) -> None:
    answer = "You are Ada."
    async with (
        staged(tmp_path, transcriber=SILENT, llm=LlmScript(tokens=("You ", "are ", "Ada."))) as stage,
        calling(stage.url, stage.speaker("Hello there.")) as caller,
    ):
        await caller.until(lambda: caller.audio)
        told = {"role": "system", "content": "The customer is called Ada."}
        await steer(caller, {"type": "add-message", "message": told, "triggerResponseEnabled": False})
        await until_spoken(caller, "Hello there.")
        # Nobody asked for an answer, so there is none…
        assert await holds_for(0.5, lambda: not stage.llm.exchanges)
        # …until somebody does; what was added is known by then.
        await steer(caller, {"type": "add-message", "message": {"role": "user", "content": "Who am I?"}})
        await caller.until(lambda: len(caller.of("speech-update", role="assistant", status="started")) == 2)
        await steer(caller, {"type": "add-message", "message": {"role": "system", "content": "Say who you are."}})
        await until_spoken(caller, answer)
        await caller.until(lambda: len(caller.of("speech-update", role="assistant", status="started")) == 3)
        assert not caller.of("user-interrupted")
    contents = [[m["content"] for m in messages] for messages in asked(stage)]
    assert contents[0] == ["Hello there.", told["content"], "Who am I?"]
    assert contents[1] == [*contents[0], answer, "Say who you are."]


@STEERS
async def test_typed_words_stop_a_story_unless_they_acknowledge(tmp_path: Path, steer: Steer) -> None:
    def typed(text: str) -> dict[str, Any]:
        return {"type": "add-message", "message": {"role": "user", "content": text}, "triggerResponseEnabled": True}

    async with (
        staged(tmp_path, transcriber=SILENT) as stage,
        calling(stage.url, stage.assistant()) as caller,
    ):
        await caller.until(lambda: caller.messages)
        await steer(caller, typed("tell me a story"))
        await caller.until(lambda: len(caller.audio) > 40)
        await steer(caller, typed("okay"))
        assert await holds_for(0.3, lambda: not caller.of("user-interrupted"))
        await steer(caller, typed("stop"))
        await caller.until(lambda: caller.of("user-interrupted"))
        told = caller.of("model-output")[0]["turnId"]
        assert [m["turnId"] for m in caller.of("user-interrupted")] == [told]
        await caller.until(lambda: len(stage.llm.exchanges) == 2)
        await caller.until(lambda: len(caller.of("speech-update", role="assistant", status="started")) == 2)
        update = caller.of("conversation-update")[-1]["messagesOpenAIFormatted"]
    history = [(m["role"], m["content"]) for m in asked(stage)[1]]
    assert [role for role, _ in history] == ["user", "assistant", "user", "user"]
    assert [history[0][1], history[2][1], history[3][1]] == ["tell me a story", "okay", "stop"]
    assert history[1][1].startswith("word00 word01"), "it stands before what was typed meanwhile"
    assert [(m["role"], m["content"]) for m in update] == history


async def test_what_the_caller_said_before_a_say_stands_before_it(tmp_path: Path) -> None:
    question, notice, answer = "hold on I have a question", "one two three.", "You are Ada."
    slow = {"onPunctuationSeconds": 2.5, "onNoPunctuationSeconds": 2.5, "onNumberSeconds": 2.5}
    async with (
        staged(
            tmp_path,
            transcriber=TranscriberScript(timed=[TimedReply(300, question)]),
            llm=LlmScript(tokens=("You ", "are ", "Ada.")),
        ) as stage,
        calling(
            stage.url,
            stage.assistant(startSpeakingPlan={"waitSeconds": 0.4, "transcriptionEndpointingPlan": slow}),
        ) as caller,
    ):
        await caller.until(lambda: caller.of("transcript", role="user", transcriptType="final"))
        await caller.send({"type": "say", "content": notice})
        await until_spoken(caller, answer)
        update = caller.of("conversation-update")[-1]["messagesOpenAIFormatted"]
        await caller.send({"type": "end-call"})
        await ended(stage.url, caller.id)
        record = await stored(stage.url, caller.id)
    assert [(m["role"], m["content"]) for m in update][:2] == [("user", question), ("assistant", notice)]
    contents = [m["content"] for m in asked(stage)[0]]
    assert contents[:2] == [question, notice]
    assert asked(stage)[0][-1]["role"] == "system", "the model is told that its last words answered nothing"
    assert [m["message"] for m in record["messages"]] == [question, notice, answer]
    times = [m["secondsFromStart"] for m in record["messages"]]
    assert times == sorted(times)


async def test_a_muted_assistant_is_silent(tmp_path: Path) -> None:
    async with (
        staged(tmp_path, transcriber=SILENT) as stage,
        calling(stage.url, stage.speaker()) as caller,
    ):
        await caller.until(lambda: len(caller.audio) > 40)
        await caller.send({"type": "control", "control": "mute-assistant"})
        await caller.until(lambda: caller.of("speech-update", role="assistant", status="stopped"))
        heard = len(caller.audio)
        await caller.send({"type": "say", "content": "You cannot hear me."})
        assert await holds_for(0.6, lambda: len(caller.audio) == heard)
        assert not caller.of("user-interrupted")
        await caller.send({"type": "control", "control": "unmute-assistant"})
        await until_spoken(caller, "You cannot hear me.")


async def test_a_muted_customer_is_not_heard(tmp_path: Path) -> None:
    says = TranscriberScript(timed=[TimedReply(900, "Stop."), TimedReply(2000, "Stop now.")])
    async with (
        staged(tmp_path, transcriber=says) as stage,
        calling(stage.url, stage.speaker(firstMessageInterruptionsEnabled=True)) as caller,
    ):
        await caller.say(np.full(16_000 * 3, 5_000, dtype="<i2"))
        connection = await stage.transcriber.connection(0, received_ms=300)
        await caller.send({"type": "control", "control": "mute-customer"})
        await stage.transcriber.connection(0, received_ms=1300)
        assert not caller.of("transcript", role="user")
        assert not caller.of("user-interrupted")
        await caller.send({"type": "control", "control": "unmute-customer"})
        await caller.until(lambda: caller.of("user-interrupted"))
        assert [m["transcript"] for m in caller.of("transcript", role="user")] == ["Stop now."]
    # The transcriber got silence for what was said under the mute.
    loud = np.abs(connection.samples[:, 0].reshape(-1, 320)[: 2000 // 20]).max(axis=1) > 1000
    assert loud[5]
    assert not loud[30:60].any()
    assert loud[-1]


async def test_the_first_message_is_said_when_it_is_asked_for(tmp_path: Path) -> None:
    waiting = {"firstMessage": GREETING, "firstMessageMode": "assistant-waits-for-user"}
    async with (
        staged(tmp_path, transcriber=SILENT) as stage,
        calling(stage.url, stage.assistant(**waiting)) as caller,
        calling(stage.url, stage.assistant()) as without,
    ):
        assert await holds_for(0.3, lambda: not caller.audio)
        for one in (caller, without):
            await one.send({"type": "control", "control": "say-first-message"})
        await until_spoken(caller, GREETING)
        assert not without.audio
        assert not stage.llm.exchanges


@pytest.mark.parametrize("kind", ["end-call", "hangup"])
async def test_a_call_is_ended_by_its_caller_or_from_outside(tmp_path: Path, kind: str) -> None:
    async with (
        staged(tmp_path, transcriber=SILENT) as stage,
        calling(stage.url, stage.speaker()) as inside,
        calling(stage.url, stage.speaker()) as egress,
    ):
        for caller in (inside, egress):
            await caller.until(lambda c=caller: c.audio)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(by_socket, inside, {"type": kind})
            tasks.start_soon(by_url, egress, {"message": {"type": kind}})
        for caller, reason in ((inside, "customer-ended-call"), (egress, "manually-canceled")):
            assert await caller.until_closed(5) == 1000
            assert caller.messages[-1][1]["endedReason"] == reason
            assert "hang" not in caller.kinds()
            assert await ended(stage.url, caller.id) == reason


async def test_an_assistant_may_forbid_control_or_want_a_key(tmp_path: Path) -> None:
    async with (
        staged(tmp_path, transcriber=SILENT, api_key="private-key-1234", public_key="public-key-5678") as stage,
        calling(stage.url, stage.speaker(monitorPlan={"controlEnabled": False}), key="private-key-1234") as closed,
        calling(
            stage.url, stage.speaker(monitorPlan={"controlAuthenticationEnabled": True}), key="private-key-1234"
        ) as keyed,
        httpx.AsyncClient() as client,
    ):

        async def end(caller: Caller, key: str | None) -> int:
            await caller.until(lambda: caller.audio)
            headers = {"Authorization": f"Bearer {key}"} if key else {}
            url = caller.call["monitor"]["controlUrl"]
            return (await client.post(url, json={"type": "end-call"}, headers=headers)).status_code

        assert await end(closed, "private-key-1234") == 403
        assert await end(keyed, None) == 401
        assert await end(keyed, "wrong") == 401
        assert await end(keyed, "public-key-5678") == 200
        assert await keyed.until_closed(5) == 1000
        assert closed.closed is None
