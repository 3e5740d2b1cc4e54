"""A model, a voice or a transcriber that fails: the call reports it and ends, and never stays silent.

What a failing reply had said so far is cut where it stands: the caller gets `hang`, then `status-update` with the
reason, then the end of the socket. What was heard of it is remembered.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest

from bargein.testing import FakeTranscriber, FakeVoice, LlmScript, TimedReply, TranscriberScript, VoiceScript
from bargein.turns.languages import ENGLISH_CODE, find_language
from tests.call.conftest import Log
from tests.call.harness import Caller, calling, create_call, ended, joining, stored
from tests.call.stage import STORY, Stage, staged
from tests.vapi_schema import types

pytestmark = pytest.mark.anyio

LLM, VOICE = "pipeline-error-custom-llm-", "pipeline-error-custom-voice-failed"
TRANSCRIBER = "pipeline-error-custom-transcriber-failed"
NOT_HERE = "call.start.error-get-resources-validation"

BROKEN_MODELS = {
    "hangs": (LlmScript(tokens=(), ending="hang"), "llm-failed"),
    "hangs in mid-stream": (LlmScript(tokens=("Once upon a time. ", "There "), ending="hang"), "llm-failed"),
    "dies in mid-sentence": (LlmScript(tokens=("Once upon a time. ", "There "), ending="die"), "llm-failed"),
    "ends without a word": (LlmScript(tokens=(), ending="cut"), "llm-failed"),
    "sends something else": (LlmScript(tokens=(), tail=b"<html><body>Oops</body></html>\n\n"), "llm-failed"),
    "answers 400": (LlmScript(status=400), "400-bad-request-validation-failed"),
    "answers 401": (LlmScript(status=401), "401-unauthorized"),
    "answers 403": (LlmScript(status=403), "403-model-access-denied"),
    "answers 429": (LlmScript(status=429), "429-exceeded-quota"),
    "answers 500": (LlmScript(status=500), "500-server-error"),
    "answers 503": (LlmScript(status=503), "503-server-overloaded-error"),
    "answers 404": (LlmScript(status=404), "llm-failed"),
    "sends elsewhere": (LlmScript(redirect_to="http://127.0.0.1:1/"), "llm-failed"),
}
BROKEN_VOICES = {
    "hangs": VoiceScript(first_ms=60_000),
    "hangs in mid-sentence": VoiceScript(stop_after_ms=900, ending="hang"),
    "dies in mid-sentence": VoiceScript(stop_after_ms=900, ending="die"),
    "sends a byte at a time": VoiceScript(piece_bytes=1, interval_ms=400),
    "sends nothing": VoiceScript(content=b""),
    "sends a page": VoiceScript(content=b"<html><body>Oops</body></html>", content_type="text/html"),
    "sends music": VoiceScript(content=bytes(3000), content_type="audio/mpeg"),
    "sends half a frame": VoiceScript(content=b'{"audio": "AAA', content_type="application/x-ndjson"),
    "answers 401": VoiceScript(status=401),
    "answers 500": VoiceScript(status=500),
}
BROKEN_TRANSCRIBERS = {
    "refuses": TranscriberScript(refuse=range(100)),
    "drops twice": TranscriberScript(drop_after_ms=200, drops=2),
    "stalls": TranscriberScript(stall=True),
}
SORRY = find_language(ENGLISH_CODE).failure_message
NOWHERE = "http://127.0.0.1:1"

Scenario = Callable[[], Awaitable[None]]


async def all_of(scenarios: dict[str, Scenario]) -> None:
    """Run scenarios side by side; a failure names its scenario."""

    async def play(name: str, scenario: Scenario) -> None:
        try:
            await scenario()
        except Exception as error:
            error.add_note(f"in the scenario: {name}")
            raise

    with anyio.fail_after(40):
        async with anyio.create_task_group() as tasks:
            for name, scenario in scenarios.items():
                tasks.start_soon(play, name, scenario)


async def ends_in_words(caller: Caller, reason: str, log: Log, within_s: float = 10, *, says: bool = False) -> str:
    """Assert that client, stored call and log have the reason, and that the socket was closed.

    Args:
        caller: the caller.
        reason: the `endedReason`.
        log: the server's log.
        within_s: the longest wait for the end.
        says: whether the assistant says that it has failed, before the end.

    Returns:
        The `endedMessage`: why it failed.
    """
    assert await caller.until_closed(within_s) == 1000
    kinds = caller.kinds()
    assert kinds[0] == "status-update"
    assert "hang" in kinds
    last = caller.messages[-1][1]
    assert (last["type"], last["status"], last["endedReason"]) == ("status-update", "ended", reason)
    assert kinds.count("status-update") == 2
    after = caller.order[max(n for n, m in enumerate(caller.order) if isinstance(m, dict) and m["type"] == "hang") :]
    assert bool([frame for frame in after if isinstance(frame, bytes)]) == says
    said = " ".join(m["transcript"] for m in caller.of("transcript", role="assistant", transcriptType="final"))
    assert said.count(SORRY) == says
    # Many calls end at the same time here.
    record = await stored(caller.url, caller.id, until=lambda call: call["status"] == "ended", seconds=20)
    assert record["endedReason"] == reason
    why = record["endedMessage"]
    [line] = log.lines("call ended", call_id=caller.id, reason=reason)
    assert (line["detail"], line["level"]) == (why, "warning")
    assert last["call"]["endedMessage"] == why, "a server without keys answers to its owner alone"
    return why


def heard(call: dict[str, Any]) -> list[str]:
    said = [m["message"] for m in call["messages"] if m["role"] == "bot"]
    return [text for text in said if text != SORRY]


async def test_a_model_that_fails_ends_the_call_in_words(tmp_path: Path, log: Log) -> None:
    def answer(body: dict[str, Any]) -> LlmScript:
        return BROKEN_MODELS[str(body["model"])][0]

    async with staged(tmp_path, llm=answer) as stage:

        def model(name: str, url: str = stage.llm.url) -> dict[str, Any]:
            seconds = 4  # the first sentence of one that hangs in mid-stream is heard before that
            return {"provider": "custom-llm", "url": url, "model": name, "timeoutSeconds": seconds}

        async def fail(name: str, reason: str, url: str = stage.llm.url) -> None:
            async with calling(stage.url, stage.assistant(model=model(name, url))) as caller:
                why = await ends_in_words(caller, LLM + reason, log, 20, says=True)
                assert "the model custom-llm at" in why
                assert name.partition("answers ")[2] in why
                told = "".join(m["output"] for m in caller.of("model-output"))
                record = await stored(stage.url, caller.id)
            assert all(told.startswith(text) for text in heard(record))
            assert record["messages"][0]["message"] == "Tell me a story."
            if name == "hangs in mid-stream":
                assert heard(record), "its first sentence sounded while the rest was waited for"

        scenarios: dict[str, Scenario] = {
            name: lambda n=name, r=reason: fail(n, r) for name, (_, reason) in BROKEN_MODELS.items()
        }
        await all_of(scenarios | {"is not there": lambda: fail("any", "llm-failed", NOWHERE)})


async def test_a_voice_that_fails_ends_the_call_in_words(tmp_path: Path, log: Log) -> None:
    text = "Once upon a time there was a voice."
    async with staged(tmp_path) as stage:

        async def fail_at(url: str, name: str) -> None:
            voice = {"provider": "custom-voice", "server": {"url": url, "timeoutSeconds": 1}}
            async with calling(stage.url, stage.speaker(text, voice=voice)) as caller:
                assert "the voice" in await ends_in_words(caller, VOICE, log)
                record = await stored(stage.url, caller.id)
            assert all(text.startswith(said) and said != text for said in heard(record))
            if name == "hangs in mid-sentence":
                assert heard(record), "its first words sounded while the rest was waited for"

        async def fail(name: str) -> None:
            async with FakeVoice(BROKEN_VOICES[name]) as voice:
                await fail_at(voice.url, name)

        scenarios: dict[str, Scenario] = {name: lambda n=name: fail(n) for name in BROKEN_VOICES}
        await all_of(scenarios | {"is not there": lambda: fail_at(NOWHERE, "is not there")})


async def test_a_transcriber_that_fails_ends_the_call_in_words(tmp_path: Path, log: Log) -> None:
    """A model without an answer is tested beside it, since that takes as long."""
    async with staged(tmp_path, llm=LlmScript(tokens=())) as stage:

        async def fail_at(url: str) -> None:
            transcriber = {"provider": "custom-transcriber", "server": {"url": url}}
            async with calling(stage.url, stage.speaker(transcriber=transcriber)) as caller:
                assert "the transcriber's server" in await ends_in_words(caller, TRANSCRIBER, log, 12)

        async def fail(name: str) -> None:
            async with FakeTranscriber(BROKEN_TRANSCRIBERS[name]) as transcriber:
                await fail_at(transcriber.url)

        scenarios: dict[str, Scenario] = {name: lambda n=name: fail(n) for name in BROKEN_TRANSCRIBERS}
        scenarios |= {"is not there": lambda: fail_at(NOWHERE), "is none": lambda: fail_at(stage.llm.url)}
        await all_of(scenarios | {"nobody says anything": lambda: _fall_silent(stage)})


async def _fall_silent(stage: Stage) -> None:
    async with calling(stage.url, stage.assistant(silenceTimeoutSeconds=10)) as caller:
        assert await caller.until_closed(12) == 1000
        assert caller.messages[-1][1]["endedReason"] == "silence-timed-out"
        assert await ended(stage.url, caller.id) == "silence-timed-out"


async def test_a_transcriber_that_is_lost_once_is_found_again(tmp_path: Path) -> None:
    script = TranscriberScript(drop_after_ms=200, drops=1, timed=[TimedReply(300, "Are you there?")])
    async with staged(tmp_path, transcriber=script) as stage, calling(stage.url, stage.assistant()) as caller:
        await caller.until(lambda: caller.audio)
        assert caller.of("transcript", role="user")[0]["transcript"] == "Are you there?"


async def test_a_model_with_nothing_to_say_does_not_end_the_call(tmp_path: Path) -> None:
    asked = TranscriberScript(timed=[TimedReply(200, "Are you there?"), TimedReply(900, "Hello?")])
    answers = [LlmScript(tokens=()), STORY]
    async with (
        staged(tmp_path, llm=lambda _: answers.pop(0), transcriber=asked) as stage,
        calling(stage.url, stage.assistant()) as caller,
    ):
        await caller.until(lambda: caller.audio)
        update = caller.of("conversation-update")[-1]
        assert [m["content"] for m in update["conversation"]] == ["Are you there?", "Hello?"]


@asynccontextmanager
async def cannot_start(stage: Stage, call: dict[str, Any]) -> AsyncIterator[Caller]:
    async with joining(stage.url, call, pump=False) as caller:
        await caller.until_closed(3)
        yield caller


@pytest.mark.parametrize(
    "part",
    [
        {"model": {"provider": "google", "model": "gemini-2.0-flash"}},
        {"model": {"provider": "openai", "model": "gpt-4o"}},
        {"voice": {"provider": "11labs", "voiceId": "sarah", "model": "eleven_turbo_v2"}},
        {"transcriber": {"provider": "deepgram", "model": "nova-3"}},
    ],
    ids=["a model of a vendor", "a model without a key", "a voice of a vendor", "a transcriber of a vendor"],
)
async def test_a_provider_that_is_not_here_is_told_at_the_start(
    tmp_path: Path, log: Log, part: dict[str, dict[str, Any]]
) -> None:
    async with staged(tmp_path) as stage:
        call = await create_call(stage.url, stage.assistant(**part))
        async with cannot_start(stage, call) as caller:
            assert caller.kinds() == ["hang", "status-update"]
            assert caller.messages[-1][1]["endedReason"] == NOT_HERE
            assert caller.closed == 1011
            provider = next(iter(part.values()))["provider"]
            assert provider in caller.reason
        record = await stored(stage.url, call["id"])
        assert (record["status"], record["endedReason"]) == ("ended", NOT_HERE)
        assert provider in record["endedMessage"]
        assert len(log.lines("a call could not begin", call_id=call["id"])) == 1


async def test_an_assistant_that_is_gone_is_told_at_the_start(tmp_path: Path, log: Log) -> None:
    async with staged(tmp_path) as stage, httpx.AsyncClient(base_url=stage.url) as client:
        made = (await client.post("/assistant", json=stage.assistant())).json()
        body = {"assistantId": made["id"], "transport": {"provider": "vapi.websocket"}}
        call = (await client.post("/call", json=body)).json()
        assert (await client.delete(f"/assistant/{made['id']}")).status_code == 200
        async with cannot_start(stage, call) as caller:
            assert (caller.closed, caller.reason) == (1008, "its assistant has been deleted")
        assert await ended(stage.url, call["id"]) == "assistant-not-found"
        assert len(log.lines("a call could not begin", call_id=call["id"])) == 1


def test_every_reason_is_one_of_vapis() -> None:
    reasons = {LLM + reason for _, reason in BROKEN_MODELS.values()} | {VOICE, TRANSCRIBER, NOT_HERE}
    reasons |= {"assistant-not-found", "silence-timed-out", "customer-ended-call", "worker-shutdown"}
    assert types()["Call"]["properties"]["endedReason"] == {"$ref": "#/$defs/EndedReason"}
    assert reasons <= set(types()["EndedReason"]["enum"])
