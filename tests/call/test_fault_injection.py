"""Parts of a call that fail where they must not: whatever fails, the call ends, is recorded, and its report is sent.

A fault is injected into the server of a running call, at each place where a call writes something or is called back.
"""

import errno
from collections.abc import AsyncIterator, Callable
from typing import Any

import anyio
import pytest

from bargein.call import session
from bargein.call.clients.messages import ClientMessenger
from bargein.call.hearing.audio_input import AudioInput
from bargein.call.hearing.transcription import Transcription
from bargein.call.record import end, files
from bargein.call.record.call_log import CallLog
from bargein.call.record.outcome import CallSummary
from bargein.call.speaking.audio_output import AudioOutput
from bargein.call.speaking.replies import ReplyRunner
from bargein.carriers.websocket import WebsocketLeg
from bargein.ports import StoreUnavailableError
from bargein.server.ops.metrics import Metrics
from bargein.store.calls import Calls
from bargein.store.journals import JournalFile
from bargein.store.recordings import RecordingFile
from bargein.testing import LlmScript, TimedReply, TranscriberScript
from tests.call.conftest import Log
from tests.call.harness import calling, stored
from tests.call.stage import Stage, staged
from tests.webhooks.receiver import Receiver

pytestmark = pytest.mark.anyio

FULL = OSError(errno.ENOSPC, "No space left on device")
BUG = ZeroDivisionError("a bug")
FAILED_REPLY = "pipeline-error-custom-llm-llm-failed"
FAILED_VOICE = "pipeline-error-custom-voice-failed"
WORKER_DIED = "call.in-progress.error-vapifault-worker-died"
ASKS = TranscriberScript(timed=[TimedReply(100, "Tell me a story.")])


def raising(error: Exception) -> Callable[..., Any]:
    def fail(*_: Any, **__: Any) -> Any:
        raise error

    return fail


def raising_later(error: Exception) -> Callable[..., Any]:
    async def fail(*_: Any, **__: Any) -> Any:
        raise error

    return fail


class _BrokenLog:
    """A logger whose every method raises."""

    def __getattr__(self, name: str) -> Callable[..., Any]:
        return raising(FULL)


def failing_once(method: Callable[..., Any], error: Exception, times: int = 1) -> Callable[..., Any]:
    left = [times]

    async def fail(*arguments: Any, **named: Any) -> Any:
        if left[0]:
            left[0] -= 1
            raise error
        return await method(*arguments, **named)

    return fail


def failing_for_artifacts(method: Callable[..., Any]) -> Callable[..., Any]:
    """Refuse what holds the conversation, as a database does that cannot store a character of it."""

    async def fail(calls: Calls, call_id: str, changes: dict[str, Any], *more: Any) -> Any:
        if changes.get("artifact"):
            raise ValueError("unsupported Unicode escape sequence")
        return await method(calls, call_id, changes, *more)

    return fail


WRITES: dict[str, tuple[object, str, Any]] = {
    "the journal refuses a line": (JournalFile, "write", raising(BUG)),
    "the journal's file is full": (JournalFile, "_append", raising(FULL)),
    "the journal's text cannot be encoded": (JournalFile, "_append", raising(UnicodeError("surrogates"))),
    "the journal's task fails": (JournalFile, "run", raising_later(BUG)),
    "the journal cannot be closed": (JournalFile, "close", raising_later(BUG)),
    "the line of an event cannot be made": (files, "event_line", raising(BUG)),
    "the head of the journal cannot be made": (files, "head_line", raising(BUG)),
    "the recorder refuses the caller's audio": (RecordingFile, "write_customer", raising(FULL)),
    "the recorder refuses the assistant's audio": (RecordingFile, "write_assistant", raising(FULL)),
    "the recorder cannot cut": (RecordingFile, "cut_assistant", raising(FULL)),
    "the recorder's task fails": (RecordingFile, "run", raising_later(FULL)),
    "the recording cannot be closed": (RecordingFile, "close", raising_later(FULL)),
    "the recording's file is full": (RecordingFile, "_append", raising(FULL)),
    "the recording's file has a bug": (RecordingFile, "_append", raising(BUG)),
    "the call's log refuses a step": (CallLog, "write_step", raising(BUG)),
    "the server's log fails": (end, "_log", _BrokenLog()),
    "the metrics fail during the call": (Metrics, "watch", raising(BUG)),
    "the metrics fail at the end": (Metrics, "ended", raising(BUG)),
    "the summary cannot be updated": (CallSummary, "apply", raising(BUG)),
    "client messages cannot be made": (ClientMessenger, "_send", raising(BUG)),
    "client messages cannot be sent": (WebsocketLeg, "send_text", raising(BUG)),
    "the conversation cannot be sent": (ClientMessenger, "conversation", raising(BUG)),
    "the call's outcome cannot be made": (session, "ended_fields", raising(BUG)),
    "the store is busy": (Calls, "finish", failing_once(Calls.finish, StoreUnavailableError("busy"), 2)),
    "the store refuses the conversation": (Calls, "finish", failing_for_artifacts(Calls.finish)),
}
"""Faults of what a call writes: it goes on until its caller ends it."""

BUGS: dict[str, tuple[object, str, Any]] = {
    "the engine": (session, "step", raising(BUG)),
    "a command": (ReplyRunner, "perform", raising(BUG)),
    "the caller's audio": (AudioInput, "receive", raising(BUG)),
    "the transcriber's task": (Transcription, "run", raising_later(BUG)),
    "the playout": (AudioOutput, "_pump", raising(BUG)),
    "the task of a reply": (ReplyRunner, "_reply", raising_later(BUG)),
}
"""Bugs of a part that the call needs: it ends at once with the reason of an internal error."""


async def ends(stage: Stage, receiver: Receiver, inject: Callable[[], None]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Run a call in which a fault is injected; return its record and its end-of-call-report."""
    mine = stage.assistant(server={"url": receiver.url}, serverMessages=["end-of-call-report"])
    inject()
    async with calling(stage.url, mine) as caller:
        with anyio.move_on_after(1.5):
            await caller.until(lambda: len(caller.audio) > 10 or caller.closed is not None, 5)
        if caller.closed is None:
            await caller.send({"type": "end-call"})
        await caller.until_closed(8)
    record = await stored(stage.url, caller.id, until=lambda call: call["status"] == "ended")
    with anyio.fail_after(5):
        while not (reports := [got.message for got in receiver.got if got.message["call"]["id"] == caller.id]):
            await anyio.sleep(0.02)
    return record, reports[0]


async def check(stage: Stage, receiver: Receiver, fault: tuple[object, str, Any], reasons: set[str]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        record, report = await ends(stage, receiver, lambda: patch.setattr(*fault))
    assert record["endedReason"] in reasons
    assert record["endedAt"]
    assert (report["type"], report["endedReason"]) == ("end-of-call-report", record["endedReason"])


@pytest.fixture(scope="module")
async def stage(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    """Return one server for all faults: each must leave it as it was."""
    story = LlmScript(tokens=["Once upon a time. "] * 20)
    async with staged(tmp_path_factory.mktemp("data"), transcriber=ASKS, llm=story) as stage:
        yield stage


@pytest.mark.parametrize("name", WRITES)
async def test_a_write_that_fails_keeps_no_call_from_its_end(stage: Stage, name: str, log: Log) -> None:
    async with Receiver() as receiver:
        await check(stage, receiver, WRITES[name], {"customer-ended-call"})


@pytest.mark.parametrize("name", BUGS)
async def test_a_bug_ends_the_call_at_once_with_its_record_and_report(stage: Stage, name: str, log: Log) -> None:
    reasons = {WORKER_DIED, FAILED_REPLY, FAILED_VOICE} if name == "the playout" else {WORKER_DIED}
    async with Receiver() as receiver:
        await check(stage, receiver, BUGS[name], reasons)
    assert log.lines("the call failed with an unexpected error") or name == "the playout"
