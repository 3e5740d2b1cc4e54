"""The disk is full during a call: the call goes on, whoever runs the server reads why, and nothing is lost after it."""

import resource
from pathlib import Path

import anyio
import httpx
import pytest

from bargein.server.calls.recovery import recover_from_journal
from bargein.store.journals import call_log_path, journal_path
from bargein.testing import FakeLlm, FakeTranscriber, FakeVoice, LlmScript
from tests.browser.conftest import serve
from tests.call.harness import assistant, calling, ended, eventually, stored
from tests.webhooks.receiver import Receiver

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

LONG_SPEECH = " ".join(f"speech{n:02d}" for n in range(60)) + "."


async def test_a_call_goes_on_while_the_disk_is_full(tmp_path: Path, database_url: str | None) -> None:
    keys = {} if database_url is None else {"BARGEIN_DATABASE_URL": database_url}
    async with (
        FakeLlm(LlmScript(tokens=["word "])) as llm,
        FakeVoice() as voice,
        FakeTranscriber() as transcriber,
        Receiver() as owner,
        serve(tmp_path, **keys) as served,
        httpx.AsyncClient(base_url=served.url, timeout=10) as client,
    ):
        mine = assistant(llm, voice, transcriber, server={"url": owner.url}, firstMessage=LONG_SPEECH)
        async with calling(served.url, {**mine, "firstMessageMode": "assistant-speaks-first"}) as caller:
            await caller.until(lambda: len(caller.audio) > 20)
            pid = served.process.pid
            before = resource.prlimit(pid, resource.RLIMIT_FSIZE)
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (0, before[1]))  # no file can grow from here

            async def ready() -> httpx.Response:
                return await client.get("/ready")

            answer = await eventually(ready, lambda answer: answer.status_code == 503)
            assert "the data folder cannot be written to" in answer.text
            assert str(tmp_path) not in answer.text, "anybody may ask"
            heard = len(caller.audio)
            await caller.until(lambda: len(caller.audio) > heard + 100)
            await anyio.sleep(1.5)  # the recording and the journal are written meanwhile
            resource.prlimit(pid, resource.RLIMIT_FSIZE, before)
            await eventually(ready, lambda answer: answer.status_code == 200)
            await caller.send({"type": "end-call"})
            await caller.until_closed()
        assert await ended(served.url, caller.id) == "customer-ended-call"
        await owner.until(lambda: owner.of("end-of-call-report"), 15)
        record = await stored(served.url, caller.id)
    recovered = recover_from_journal(journal_path(tmp_path, caller.id))
    assert recovered is not None
    assert recovered.summary.ended is not None, "the journal has no gap and an end"
    assert record["messages"][0]["message"].startswith("speech00")
    log = call_log_path(tmp_path, caller.id).read_text()
    assert "a call's recording cannot be written" in log, "the call's own log says what is incomplete"
