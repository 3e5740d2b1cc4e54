"""The transcription of a call continues with another transcriber after the first has failed."""

from typing import Any, cast

import anyio
import pytest

from bargein.call.hearing.transcription import Transcription
from bargein.ports import ProviderError
from bargein.turns import Plan

pytestmark = pytest.mark.anyio

UNEXPECTED = "the transcriber failed with an internal error; the server's log has it"


class Stream:
    """A transcriber's stream that fails, or runs until it is cancelled."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error
        self.begun = anyio.Event()

    async def run(self) -> None:
        self.begun.set()
        if self.error is not None:
            raise self.error
        await anyio.sleep_forever()


class Call:
    """A call and its audio input, as far as a `Transcription` uses them.

    Attributes:
        transcription: the stream that the audio input is fed to.
        runner: what is tested.
    """

    class setup:  # noqa: N801  # a field of the call's
        call_id = "c"
        plan = Plan(transcriber_failed_reason="pipeline-error-custom-transcriber-failed")

    def __init__(self, stream: Stream) -> None:
        self.transcription: Any = stream
        self.posted: list[Any] = []
        self.noted: list[ProviderError] = []
        self.runner = Transcription(cast("Any", self), cast("Any", self))

    def now_ms(self) -> float:
        return 7.0

    def note_error(self, error: ProviderError) -> None:
        self.noted.append(error)

    def post(self, event: Any) -> None:
        self.posted.append(event)

    def switch_transcriber(self, stream: Any) -> None:
        self.transcription = stream


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (ProviderError("gone", ended_reason="pipeline-error-x"), ("pipeline-error-x", "gone")),
        (ZeroDivisionError(), ("pipeline-error-custom-transcriber-failed", UNEXPECTED)),
    ],
)
async def test_what_failed_is_told_and_a_successor_is_run(error: Exception, told: tuple[str, str]) -> None:
    call, other = Call(Stream(error)), Stream()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(call.runner.run)
        await anyio.wait_all_tasks_blocked()
        assert [(one.reason, one.detail) for one in call.posted] == [told]
        assert [str(one) for one in call.noted] == [told[1]]
        assert call.runner.over
        call.runner.switch_transcriber(cast("Any", other))
        with anyio.fail_after(1):
            await other.begun.wait()
        assert not call.runner.over
        tasks.cancel_scope.cancel()


async def test_one_that_works_is_ended_when_another_takes_its_place() -> None:
    call, other = Call(Stream()), Stream()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(call.runner.run)
        await call.transcription.begun.wait()
        call.runner.switch_transcriber(cast("Any", other))
        with anyio.fail_after(1):
            await other.begun.wait()
        tasks.cancel_scope.cancel()
    assert call.posted == []
