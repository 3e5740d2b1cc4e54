"""The ends of calls: by a phrase, at an answering machine, by silence and by length."""

from pathlib import Path
from typing import Any

import anyio
import pytest

from bargein.testing import LlmScript
from tests.call.harness import Caller, calling, ended
from tests.call.stage import Stage, staged
from tests.call.test_hooks import NOTE, SILENT, finals, hook, says
from tests.call.test_tools import Runner, hired

pytestmark = pytest.mark.anyio


async def left_to_its_end(stage: Stage, given: dict[str, Any], seconds: float = 10) -> Caller:
    """Open a call whose caller does nothing."""
    async with calling(stage.url, given) as caller:
        await caller.until_closed(seconds)
    return caller


async def test_a_phrase_ends_the_call_once_it_has_been_heard(tmp_path: Path) -> None:
    async with staged(tmp_path, transcriber=SILENT) as stage:
        given = stage.speaker("That is all. Good-bye, Ada!", endCallPhrases=["good bye"])
        caller = await left_to_its_end(stage, given)
        assert await ended(stage.url, caller.id) == "assistant-said-end-call-phrase"
    assert finals(caller) == ["That is all.", "Good-bye, Ada!"]
    words = len(["That", "is", "all.", "Good-bye,", "Ada!"])
    assert caller.last_sound() - caller.audio[0][0] >= (words - 1) * 300


@pytest.mark.parametrize("message", ["Please call us back.", None])
async def test_an_answering_machine_gets_the_message_before_the_end(tmp_path: Path, message: str | None) -> None:
    async with staged(tmp_path, llm=LlmScript(tokens=[], calls=[("leave_voicemail", "{}")])) as stage:
        given = stage.assistant() | ({"voicemailMessage": message} if message else {})
        given["model"] = {**given["model"], "tools": [{"type": "voicemail"}]}
        caller = await left_to_its_end(stage, given)
        assert await ended(stage.url, caller.id) == "voicemail"
        assert len(stage.llm.exchanges) == 1
    assert finals(caller) == ([message] if message else [])


def for_reason(reason: str) -> dict[str, Any]:
    return {"filters": [{"type": "oneOf", "key": "call.endedReason", "oneOf": [reason]}]}


async def test_calls_end_by_their_silence_or_their_length_and_hooks_do_their_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two calls run at once, since the shortest silence and the shortest length are ten seconds."""
    silent_hooks = [
        hook("call.ending", says("You are so quiet."), NOTE, **for_reason("silence-timed-out")),
        hook("call.ending", says("Never."), **for_reason("customer-ended-call")),
    ]
    long_hooks = [hook("call.ending", says("Never."), NOTE)]
    came: dict[str, Caller] = {}

    async def has(name: str, given: dict[str, Any]) -> None:
        came[name] = await left_to_its_end(stage, given, 20)

    with hired(monkeypatch, Runner()) as runner:
        async with staged(tmp_path, transcriber=SILENT) as stage:
            async with anyio.create_task_group() as calls:
                calls.start_soon(has, "silent", stage.speaker("Hi.", silenceTimeoutSeconds=10, hooks=silent_hooks))
                calls.start_soon(has, "long", stage.speaker(maxDurationSeconds=10, hooks=long_hooks))
            assert await ended(stage.url, came["silent"].id) == "silence-timed-out"
            assert await ended(stage.url, came["long"].id) == "exceeded-max-duration"
    assert [one.name for one in runner.ran] == ["note", "note"]
    assert finals(came["silent"]) == ["Hi.", "You are so quiet."]
    assert "Never." not in finals(came["long"])
    _, over = came["long"].when("status-update")
    assert 9_900 <= over < 12_500, "counted from the socket's opening, for the first message may come late"
    assert came["long"].last_sound() > 9000, "it was cut in the middle of its speech"
