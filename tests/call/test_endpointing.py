"""The owner's endpointing model decides, in a real call, when the caller has finished."""

from pathlib import Path
from typing import Any

import pytest

from bargein.testing import TimedReply, TranscriberScript
from tests.call.harness import Caller, calling
from tests.call.stage import Stage, staged
from tests.call.test_server_messages import check
from tests.webhooks.receiver import NEVER, Receiver, as_json, response

pytestmark = [pytest.mark.anyio, pytest.mark.timed]

SAYS = TranscriberScript(timed=[TimedReply(200, "Tell me a story.")])


async def begin_ms(stage: Stage, receiver: Receiver | None, **more: Any) -> tuple[float, Caller]:
    """Return how long after the caller's words the model is asked."""
    plan: dict[str, Any] = {"waitSeconds": 0, "transcriptionEndpointingPlan": {"onPunctuationSeconds": 0.1}}
    if receiver is not None:
        server = {"url": receiver.url, **more}
        plan["smartEndpointingPlan"] = {"provider": "custom-endpointing-model", "server": server}
    async with calling(stage.url, stage.assistant(startSpeakingPlan=plan)) as caller:
        await caller.until(lambda: caller.of("model-output"))
    words = caller.when("transcript", role="user", transcriptType="final")[0]
    return caller.when("model-output")[0] - words, caller


async def test_its_answer_decides(tmp_path: Path) -> None:
    async with Receiver([{"timeoutSeconds": 1.2}]) as receiver, staged(tmp_path, transcriber=SAYS) as stage:
        took_ms, caller = await begin_ms(stage, receiver, secret="s5")
    assert took_ms > 1000
    (got,) = receiver.got
    assert got.headers["x-vapi-secret"] == "s5"
    assert got.message["type"] == "call.endpointing.request"
    assert got.message["messagesOpenAIFormatted"] == [{"role": "user", "content": "Tell me a story."}]
    assert got.message["call"]["id"] == caller.id
    check(got.message)


@pytest.mark.parametrize("answer", [NEVER, as_json({}, 500), response(200, b"<html>"), {"timeoutSeconds": 99}, {}])
async def test_without_a_usable_answer_the_call_goes_on(tmp_path: Path, answer: Any) -> None:
    async with Receiver([answer]) as receiver, staged(tmp_path, transcriber=SAYS) as stage:
        took_ms, _ = await begin_ms(stage, receiver, timeoutSeconds=1)
    assert len(receiver.of("call.endpointing.request")) == 1
    assert took_ms < 3000
    assert (took_ms > 900) == (answer is NEVER)
