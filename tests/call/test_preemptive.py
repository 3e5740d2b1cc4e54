"""Preemptive replies in real calls: the model is asked early, and discarded replies leave no trace."""

from pathlib import Path
from typing import Any

import pytest

from bargein.testing import LlmScript, TimedReply, TranscriberScript
from tests.call.harness import calling
from tests.call.stage import staged

pytestmark = pytest.mark.anyio

ONCE = TranscriberScript(timed=[TimedReply(200, "Tell me a story.")])
TWICE = TranscriberScript(timed=[TimedReply(200, "Tell me a story."), TimedReply(700, "About a lamp.")])
SLOW = LlmScript(tokens=["Once ", "upon ", "a ", "time."], first_token_ms=600)
PAUSE: dict[str, Any] = {
    "waitSeconds": 0,
    "transcriptionEndpointingPlan": {"onPunctuationSeconds": 1.0},
}


def asked(body: dict[str, Any]) -> list[str]:
    return [message["content"] for message in body["messages"] if message["role"] == "user"]


async def test_the_model_thinks_while_it_is_waited_whether_the_caller_goes_on(tmp_path: Path) -> None:
    async with staged(tmp_path, transcriber=ONCE, llm=SLOW) as stage:
        async with calling(stage.url, stage.assistant(startSpeakingPlan=PAUSE)) as caller:
            await caller.until(lambda: caller.of("speech-update", role="assistant", status="started"))
        words = caller.when("transcript", role="user", transcriptType="final")[0]
        told = caller.when("model-output")
        assert told[0] - words > 980, "nothing is told before the turn is over"
        assert told[2] - told[0] < 100, "and then all there is"
        sounded = caller.when("speech-update", role="assistant", status="started")[0]
        assert sounded - words < 1500, "its second of thinking has cost nothing"
        assert [asked(body) for body in (e.body for e in stage.llm.exchanges)] == [["Tell me a story."]]
        assert len({message["turnId"] for message in caller.of("model-output")}) == 1


async def test_who_goes_on_is_answered_once_and_the_first_answer_never_was(tmp_path: Path) -> None:
    async with staged(tmp_path, transcriber=TWICE, llm=SLOW) as stage:
        async with calling(stage.url, stage.assistant(startSpeakingPlan=PAUSE)) as caller:
            await caller.until(lambda: caller.of("speech-update", role="assistant", status="started"))
        assert [" ".join(asked(body)) for body in (e.body for e in stage.llm.exchanges)] == [
            "Tell me a story.",
            "Tell me a story. About a lamp.",
        ]
        assert len({message["turnId"] for message in caller.of("model-output")}) == 1
        assert not caller.of("user-interrupted")
        last = caller.of("conversation-update")[-1]
        assert [m["content"] for m in last["messagesOpenAIFormatted"] if m["role"] == "user"] == [
            "Tell me a story. About a lamp."
        ]


async def test_an_operator_may_forbid_it(tmp_path: Path) -> None:
    async with staged(tmp_path, transcriber=TWICE, llm=SLOW, early_replies=False) as stage:
        async with calling(stage.url, stage.assistant(startSpeakingPlan=PAUSE)) as caller:
            await caller.until(lambda: caller.of("speech-update", role="assistant", status="started"))
        assert len(stage.llm.exchanges) == 1
