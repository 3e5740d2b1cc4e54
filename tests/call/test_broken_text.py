"""Text of a peer that no store takes: half a surrogate pair, NUL, invalid UTF-8, numbers without an end.

The call goes on, and what is told, said and stored is the repaired text.
"""

import json
from pathlib import Path
from typing import Any

import anyio
import pytest

from bargein.testing import FakeTranscriber, FakeVoice, LlmScript, TimedReply, TranscriberScript, VoiceScript
from tests.call.conftest import Log
from tests.call.harness import calling, stored
from tests.call.stage import staged
from tests.webhooks.receiver import Receiver, response

pytestmark = pytest.mark.anyio

EMOJI = "\U0001f600"
BROKEN = "A\ud83dB\ude00C\0D"
REPAIRED = "A\ufffdB\ufffdC\ufffdD"
ASKS = TranscriberScript(timed=[TimedReply(100, "Tell me a story.")])


async def test_an_emoji_split_over_two_deltas_arrives_whole(tmp_path: Path) -> None:
    story = LlmScript(tokens=["Hello ", "\ud83d", "\ude00", " there. Bye \ud83d"], interval_ms=5)
    async with staged(tmp_path, transcriber=ASKS, llm=story) as stage, calling(stage.url, stage.assistant()) as caller:
        await caller.until(lambda: "Bye" in str(caller.of("conversation-update")[-1:]))
        told = "".join(message["output"] for message in caller.of("model-output"))
        assert told == f"Hello {EMOJI} there. Bye \ufffd"
        assert [e.body["message"]["text"] for e in stage.voice.exchanges] == ["Hello there.", "Bye \ufffd"]
        await caller.send({"type": "end-call"})
        await caller.until_closed()
        record = await stored(stage.url, caller.id, until=lambda call: call["status"] == "ended")
    assert EMOJI in record["artifact"]["transcript"]
    assert record["endedReason"] == "customer-ended-call"


def bad_events() -> bytes:
    """Return events with an invalid byte, a number that is none, and a deep value, before the end of the answer."""
    deltas = [b'"caf\xe9 "', b'"x ", "index": 1e999, "n": NaN, "i": ' + b"9" * 5000, json.dumps(BROKEN).encode()]
    return b"".join(b'data: {"choices": [{"delta": {"content": ' + delta + b"}}]}\n\n" for delta in deltas)


async def test_whatever_peers_send_the_call_ends_with_its_report(tmp_path: Path, log: Log) -> None:
    llm = LlmScript(tokens=[], tail=bad_events(), interval_ms=1)
    words = {"words": [BROKEN, "b"], "wordsStartTimesMs": [0, 1e300], "wordsEndTimesMs": [1, 10**4000]}
    voice = VoiceScript(
        content=json.dumps({"audio": "AAAA" * 4000, "timing": words}).encode() + b"\n",
        content_type="application/x-ndjson",
    )
    heard = TranscriberScript(timed=[TimedReply(100, BROKEN), TimedReply(300, "Tell me a story.")])
    async with (
        Receiver([response(200, json.dumps({"a": BROKEN}).encode())]) as receiver,
        staged(tmp_path, transcriber=heard, llm=llm, voice=voice) as stage,
    ):
        async with calling(stage.url, stage.assistant(server={"url": receiver.url})) as caller:
            await caller.until(lambda: caller.audio)
            await caller.send({"type": "end-call"})
            await caller.until_closed()
        record = await stored(stage.url, caller.id, until=lambda call: call["status"] == "ended")
        with anyio.fail_after(5):
            while not [got for got in receiver.got if got.message["type"] == "end-of-call-report"]:
                await anyio.sleep(0.02)
    assert record["endedReason"] == "customer-ended-call"
    assert REPAIRED in json.dumps(record["messages"], ensure_ascii=False)
    assert not log.lines("the call failed with an unexpected error")


@pytest.mark.parametrize(
    "frame",
    [
        '{"type": "transcriber-response", "channel": "customer", "transcription": "a", "confidence": NaN}',
        '{"type": "transcriber-response", "channel": "customer", "transcription": "a", "confidence": 1e999}',
        '{"type": "transcriber-response", "channel": "customer", "transcription": "a", "n": ' + "9" * 5000 + "}",
        '{"type": "x", "channel": "customer", "type": "transcriber-response", "transcription": "\\ud83d\\u0000"}',
        "[" * 5000,
        "\0",
        "",
    ],
)
async def test_a_transcribers_frame_ends_no_call(tmp_path: Path, frame: str, log: Log) -> None:
    async with staged(tmp_path) as stage, FakeTranscriber(TranscriberScript(raw=[frame])) as transcriber:
        mine: dict[str, Any] = {"provider": "custom-transcriber", "server": {"url": transcriber.url}}
        async with calling(stage.url, stage.speaker("Hello there.", transcriber=mine)) as caller:
            await caller.until(lambda: caller.audio)
            await anyio.sleep(0.2)
            assert caller.closed is None
    assert not log.lines("the call failed with an unexpected error")


async def test_the_text_of_a_tool_is_repaired(tmp_path: Path) -> None:
    async with Receiver([response(200, json.dumps({"results": [{"result": BROKEN}]}).encode())]) as receiver:
        tool = {
            "type": "function",
            "function": {"name": "look", "parameters": {"type": "object", "properties": {}}},
            "server": {"url": receiver.url},
        }
        seen: list[Any] = []

        def answer(body: dict[str, Any]) -> LlmScript:
            seen.append(body["messages"])
            done = any(message["role"] == "tool" for message in body["messages"])
            return LlmScript(tokens=["Done."]) if done else LlmScript(tokens=[], calls=[("look", "{}")])

        async with staged(tmp_path, transcriber=ASKS, llm=answer) as stage:
            model = {"provider": "custom-llm", "url": stage.llm.url, "model": "m", "tools": [tool]}
            async with calling(stage.url, stage.assistant(model=model)) as caller, FakeVoice():
                await caller.until(lambda: len(seen) > 1)
                assert [m["content"] for m in seen[-1] if m["role"] == "tool"]
                await caller.send({"type": "end-call"})
                await caller.until_closed()
            record = await stored(stage.url, caller.id, until=lambda call: call["status"] == "ended")
    assert "\ud83d" not in json.dumps(record, ensure_ascii=False)
    assert record["endedReason"] == "customer-ended-call"
