"""A failed call as people read it: its record, its report, its log, its client, and what `bargein talk` prints."""

import gzip
import json
from collections.abc import AsyncGenerator, Sequence
from pathlib import Path
from typing import Any, cast
from unittest.mock import MagicMock

import anyio
import anyio.to_thread
import httpx
import numpy as np
import pytest
import soundfile
from typer.testing import CliRunner

from bargein.cli import app
from bargein.ports import Model, SpeechChunk, Transcriber, TranscriberStream, TranscriptCallback, Voice
from bargein.testing import FakeTranscriber, LlmScript
from bargein.wire.ended import CANNOT_RUN
from tests.call.clips import commands
from tests.call.conftest import Log
from tests.call.harness import Caller, DetectorOnly, calling, create_call, joining, stored
from tests.call.stage import staged
from tests.webhooks.receiver import Receiver

pytestmark = pytest.mark.anyio

SPEAKS_FIRST = {"firstMessageMode": "assistant-speaks-first-with-model-generated-message"}
GONE = LlmScript(status=404)
SAID = "as the script says"
"""The words of the fake model's server in an error."""

KEY = "a-private-key"
NOT_HERE = {"provider": "openai", "model": "gpt-4o"}


def ended(call: dict[str, Any]) -> bool:
    return call["status"] == "ended"


async def last_message(caller: Caller) -> dict[str, Any]:
    await caller.until_closed(20)
    message = caller.messages[-1][1]
    assert (message["type"], message["status"]) == ("status-update", "ended")
    return message


async def test_a_models_failure_is_in_the_record_the_report_and_one_line_of_the_log(tmp_path: Path, log: Log) -> None:
    async with staged(tmp_path, llm=GONE) as stage, Receiver() as receiver:
        mine = stage.assistant(**SPEAKS_FIRST, server={"url": receiver.url}, serverMessages=["end-of-call-report"])
        async with calling(stage.url, mine) as caller:
            told = await last_message(caller)
        record = await stored(stage.url, caller.id, until=ended)
        with anyio.fail_after(10):
            while not receiver.got:
                await anyio.sleep(0.02)
    why = record["endedMessage"]
    assert "custom-llm" in why
    assert "404" in why
    assert f'"{SAID}"' in why
    assert "model.model" in why
    assert record["endedReason"] == "pipeline-error-custom-llm-llm-failed"
    assert told["call"]["endedMessage"] == why
    report = receiver.got[0].message
    assert (report["type"], report["call"]["endedMessage"]) == ("end-of-call-report", why)
    [line] = log.lines("call ended", call_id=caller.id)
    assert (line["level"], line["detail"], line["provider"], line["vendor_says"]) == (
        "warning", why, "custom-llm", SAID,
    )  # fmt: skip
    assert "model.model" in line["setting"]


async def test_a_call_that_cannot_start_has_a_record_a_log_of_its_own_and_one_line(tmp_path: Path, log: Log) -> None:
    async with staged(tmp_path) as stage, httpx.AsyncClient(base_url=stage.url) as client:
        call = await create_call(stage.url, stage.assistant(model=NOT_HERE))
        async with joining(stage.url, call, pump=False) as caller:
            told = await last_message(caller)
        record = await stored(stage.url, caller.id, until=ended)
        logs = await client.get(f"/call/{caller.id}/call-logs")
        quiet = await create_call(stage.url, stage.assistant(model=NOT_HERE, artifactPlan={"loggingEnabled": False}))
        async with joining(stage.url, quiet, pump=False) as other:
            await last_message(other)
        assert (await client.get(f"/call/{other.id}/call-logs")).status_code == 404
        assert "artifact" not in await stored(stage.url, other.id, until=ended)
    why = record["endedMessage"]
    assert "OPENAI_API_KEY" in why
    assert told["call"]["endedMessage"] == why
    assert record["artifact"]["logUrl"].endswith(f"/call/{caller.id}/call-logs")
    [line] = [json.loads(one) for one in gzip.decompress(logs.content).decode().splitlines()]
    [of_server] = log.lines("a call could not begin", call_id=caller.id)
    assert line == of_server
    assert (line["level"], line["detail"], line["provider"]) == ("warning", why, "openai")


async def test_only_who_may_know_reads_the_details(tmp_path: Path) -> None:
    """The owner's key, or an assistant that the client has sent itself, opens the details; a visitor reads none."""
    async with staged(tmp_path, llm=GONE, api_key=KEY) as stage:
        failing, unable = stage.assistant(**SPEAKS_FIRST), stage.assistant(model=NOT_HERE)
        told: list[str] = []
        for mine in (failing, unable):
            for key in (None, KEY):
                call = await create_call(stage.url, mine, key=KEY)
                async with joining(stage.url, call, key=key, pump=False) as caller:
                    told.append((await last_message(caller))["call"]["endedMessage"])
                    assert caller.reason in ("", told[-1][:120], told[-1])
        for_visitor, for_owner, cannot, needs_key = told
    assert for_visitor == "the assistant's model failed"
    assert SAID in for_owner
    assert cannot == CANNOT_RUN
    assert "OPENAI_API_KEY" in needs_key


class Deaf(Transcriber):
    """A transcriber that never says anything."""

    def open(self, on_transcript: TranscriptCallback) -> TranscriberStream:
        return cast("TranscriberStream", MagicMock(run=anyio.sleep_forever))


class Silent(Voice):
    """A voice without a sound."""

    async def speak(self, text: str) -> AsyncGenerator[SpeechChunk]:
        yield SpeechChunk(np.zeros(1600, dtype=np.int16), 16_000)


class Others(DetectorOnly):
    """Embedded providers of the parts that do not fail: a transcriber and a voice that never say anything."""

    def transcriber_of(self, _tags: Sequence[str]) -> Transcriber:
        return Deaf()

    @property
    def voice(self) -> Voice:
        return Silent()

    @property
    def model(self) -> Model:
        raise ZeroDivisionError


async def test_a_bug_before_the_start_ends_the_call_too(tmp_path: Path, log: Log) -> None:
    async with staged(tmp_path, embedded=Others()) as stage:
        call = await create_call(stage.url, {"model": {"provider": "vapi"}})
        async with joining(stage.url, call, pump=False) as caller:
            told = await last_message(caller)
        record = await stored(stage.url, caller.id, until=ended)
    assert record["endedReason"] == told["endedReason"] == "call.start.error-get-resources-validation"
    assert "internal error" in record["endedMessage"]
    assert "ZeroDivisionError" in log.text


@pytest.mark.parametrize("part", ["model", "voice", "transcriber"])
async def test_a_refused_private_address_names_the_setting_that_allows_it(tmp_path: Path, part: str) -> None:
    async with staged(tmp_path, embedded=Others(), api_key=KEY, allow_private_addresses=False) as stage:
        parts = stage.assistant(firstMessage="Hello.", firstMessageMode="assistant-speaks-first")
        if part == "model":
            parts |= SPEAKS_FIRST
        mine = {name: value for name, value in parts.items() if name not in {"voice", "transcriber"} - {part}}
        call = await create_call(stage.url, mine, key=KEY)
        async with joining(stage.url, call, key=KEY, pump=False) as caller:
            told = await last_message(caller)
        record = await stored(stage.url, caller.id, KEY, ended)
    assert "BARGEIN_ALLOW_PRIVATE_ADDRESSES=1" in record["endedMessage"]
    assert told["call"]["endedMessage"] == record["endedMessage"]
    assert part in record["endedMessage"]


async def test_a_transcriber_that_says_nothing_of_the_callers_voice_ends_the_call_by_its_fault(tmp_path: Path) -> None:
    async with staged(tmp_path) as stage, FakeTranscriber() as silent:
        deaf = {"provider": "custom-transcriber", "server": {"url": silent.url}}
        async with calling(stage.url, stage.assistant(transcriber=deaf, silenceTimeoutSeconds=10)) as caller:
            clip = commands(1)[0].samples
            pause = np.zeros(16_000, dtype="<i2")
            await caller.say(np.concatenate([part for _ in range(6) for part in (clip, pause)]))
            await caller.until_closed(60)
        record = await stored(stage.url, caller.id, until=ended)
    assert record["endedReason"] == "pipeline-error-custom-transcriber-failed"
    assert record["endedMessage"].startswith("the transcriber sent nothing for ")


# `bargein talk`, as it is called at a terminal.


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    """Half a second of a tone."""
    path = tmp_path / "voice.wav"
    soundfile.write(path, 0.4 * np.sin(np.arange(8000) / 5), 16_000)
    return path


async def talk(clip: Path, url: str, assistant: dict[str, Any], tmp_path: Path, *more: str) -> tuple[int, str]:
    """Run `bargein talk` with an assistant; return its exit code and all that it printed."""
    file = tmp_path / "assistant.json"
    file.write_text(json.dumps(assistant))
    arguments = ["talk", "--wav", str(clip), "--url", url, "--assistant", str(file), "--seconds", "20", *more]
    done = await anyio.to_thread.run_sync(lambda: CliRunner().invoke(app, arguments))
    return done.exit_code, done.output


async def test_talk_prints_why_the_call_failed_and_exits_with_an_error(tmp_path: Path, clip: Path) -> None:
    async with staged(tmp_path / "data", llm=GONE) as stage:
        dead = {"provider": "custom-llm", "url": "http://127.0.0.1:1", "model": "any"}
        no_key = await talk(clip, stage.url, stage.assistant(model=NOT_HERE), tmp_path)
        not_found = await talk(clip, stage.url, stage.assistant(**SPEAKS_FIRST), tmp_path)
        unreachable = await talk(clip, stage.url, stage.assistant(**SPEAKS_FIRST, model=dead), tmp_path)
    for (code, printed), words in (
        (no_key, "model provider openai needs a key"),
        (not_found, f'"{SAID}"'),
        (unreachable, "could not be reached"),
    ):
        assert code == 1, printed
        [line] = [one for one in printed.splitlines() if "the call failed: " in one]
        assert words in line


async def test_talk_names_the_setting_that_allows_a_private_address(tmp_path: Path, clip: Path) -> None:
    keyed: dict[str, Any] = {"api_key": KEY, "allow_private_addresses": False}
    async with staged(tmp_path / "data", embedded=Others(), **keyed) as stage:
        mine = stage.assistant(**SPEAKS_FIRST)
        code, printed = await talk(clip, stage.url, {"model": mine["model"], **SPEAKS_FIRST}, tmp_path, "--key", KEY)
    assert code == 1
    assert "BARGEIN_ALLOW_PRIVATE_ADDRESSES=1" in printed


async def test_talk_succeeds_in_a_call_that_does_not_fail(tmp_path: Path, clip: Path) -> None:
    async with staged(tmp_path / "data") as stage:
        code, printed = await talk(clip, stage.url, stage.speaker("Hello.", endCallPhrases=["hello"]), tmp_path)
    assert code == 0, printed
    assert "the call failed" not in printed


async def test_talk_starts_no_server_in_place_of_one_that_was_named(tmp_path: Path, clip: Path) -> None:
    code, printed = await talk(clip, "http://127.0.0.1:9", {}, tmp_path)
    assert code == 2
    assert "nothing answers at http://127.0.0.1:9" in printed
    assert "starting a server" not in printed
