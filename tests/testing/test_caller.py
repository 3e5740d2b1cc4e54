"""A caller in calls with a stub of known behaviour: what it waits for, what it measures, and its errors."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import pytest
import soundfile

from bargein.client.errors import ClientError
from bargein.client.server_api import Server, create_call
from bargein.testing.caller import Caller, CallerError, joining
from bargein.testing.caller_sounds import Sounds
from tests.client.stub import Cut, Script, StubServer
from tests.testing.test_sounds import ToneVoice

pytestmark = pytest.mark.anyio


@asynccontextmanager
async def called(script: Script) -> AsyncIterator[tuple[Caller, StubServer]]:
    async with StubServer(script) as stub:
        server = Server(url=stub.url)
        async with joining(server, await create_call(server, assistant={}), Sounds(ToneVoice())) as caller:
            yield caller, stub


@pytest.mark.timed
async def test_a_caller_takes_turns_is_ignored_and_interrupts_at_known_times(tmp_path: Path) -> None:
    cuts = [Cut(message_ms=None), Cut(message_ms=150, silence_ms=190)]
    async with called(Script(cuts=cuts, answer_ms=6000)) as (caller, stub):
        greeted = await caller.say("one")
        answered_ms = await caller.wait_for_answer()
        assert answered_ms == pytest.approx(250, abs=60)  # the stub answers after that much silence
        assert caller.answered_within_ms(answered_ms + 1)
        heard = await caller.backchannel("mm-hmm", after=0.5)
        assert caller.kept_talking_through(), caller.timeline
        stopped = await caller.interrupt_after(3.2, "two words")
        assert caller.utterances == [greeted, heard, stopped]
        assert stopped.onset_ms - greeted.offset_ms - answered_ms == pytest.approx(3200, abs=30)
        (applied,) = stub.applied_cuts
        assert stopped.over is not None
        assert stopped.onset_ms == pytest.approx(applied.onset_ms, abs=10)
        measured = caller.silent_within_ms(1000)
        assert measured
        assert stopped.over.silence_ms is not None
        assert stopped.over.silence_ms - stopped.onset_ms == pytest.approx(applied.silence_ms, abs=25)
        assert len(caller.tokens_after_cut) == 1  # the stub sends one, to be found
        assert heard.over is not None
        assert heard.over.missed
        recording, timeline, messages = await caller.save(tmp_path / "new", "it")
        both, rate_hz = soundfile.read(recording)
        assert (both.shape[1], rate_hz) == (2, 16_000)
        assert "✂ user-interrupted" in timeline.read_text()
        assert '"user-interrupted"' in messages.read_text()
    assert stub.controls[-1] == {"type": "end-call"}


async def test_what_does_not_come_is_told() -> None:
    async with called(Script(greeting_ms=0, answer_ms=700)) as (caller, stub):
        await caller.type("hello", trigger_response=False)
        with pytest.raises(CallerError, match=r"within 0\.2 s it did not come that the assistant spoke"):
            await caller.wait_for_answer(within_s=0.2)
        assert stub.controls[-1]["message"] == {"role": "user", "content": "hello"}
        with pytest.raises(CallerError, match="a message of the type tool-calls arrived"):
            await caller.wait_for("tool-calls", within_s=0.1)
        assert (await caller.wait_for("status-update", status="in-progress"))["type"] == "status-update"
        await caller.say("one")
        with pytest.raises(CallerError, match=r"silent after 0\.7 s of speech: too early for 2 s"):
            await caller.interrupt_after(2.0, "two")
        with pytest.raises(CallerError, match=r"did not end within 0\.1 s"):
            await caller.wait_for_end(within_s=0.1)


async def test_a_call_that_breaks_off_ends_what_waits_for_it() -> None:
    async with called(Script(greeting_ms=0, close_after_ms=300)) as (caller, _):
        with pytest.raises(CallerError, match="the call ended before the assistant spoke: close code 1011"):
            await caller.wait_for_answer()
        with pytest.raises(CallerError, match="the call ended before “one” was heard"):
            await caller.say("one", at_once=True)
        with anyio.fail_after(2):
            await caller.silence(60)


async def test_an_error_of_the_block_is_not_wrapped() -> None:
    with pytest.raises(ZeroDivisionError):
        async with called(Script(greeting_ms=0)):
            raise ZeroDivisionError


async def test_another_audio_format_is_refused() -> None:
    async with StubServer() as stub:
        server = Server(url=stub.url)
        call = await create_call(server, assistant={}, encoding="mulaw", rate_hz=8_000)
        with pytest.raises(ClientError, match="mulaw at 8000 Hz"):
            async with joining(server, call, Sounds(ToneVoice())):
                raise AssertionError
