"""The recording of a call, which is on or off by the current assistant's `artifactPlan`."""

from collections.abc import Callable

import anyio
from typing_extensions import override

from bargein.call.record.guard import Guard
from bargein.ports import Pcm16, Recorder


class Recording(Recorder):
    """A recorder that can be switched on and off; while it is off, silence is recorded.

    Nothing is written before it is switched on for the first time.

    Args:
        recorder: writes the audio. If it fails, the rest of the call is not recorded.
        on: whether the assistant that begins the call is recorded.
        guard: keeps its failures from the call.
    """

    def __init__(self, recorder: Recorder, *, on: bool, guard: Guard) -> None:
        self._recorder = recorder
        self._guard = guard
        self._failed = False
        self._on = on
        self._started = anyio.Event()
        self.switch(on=on)

    def switch(self, *, on: bool) -> None:
        """Switch the recording on or off."""
        self._on = on
        if on:
            self._started.set()

    @override
    def write_customer(self, pcm: Pcm16, at_ms: float) -> None:
        if self._on and not self._failed:
            self._failed = not self._guard.attempt("recording", self._recorder.write_customer, pcm, at_ms)

    @override
    def write_assistant(self, pcm: Pcm16, at_ms: float) -> None:
        if self._on and not self._failed:
            self._failed = not self._guard.attempt("recording", self._recorder.write_assistant, pcm, at_ms)

    @override
    def cut_assistant(self, at_ms: float) -> None:
        if not self._failed:
            self._failed = not self._guard.attempt("recording", self._recorder.cut_assistant, at_ms)

    @override
    def discard(self) -> None:
        self.switch(on=False)
        self._failed = True
        self._guard.attempt("recording", self._recorder.discard)

    @override
    async def run(self, now_ms: Callable[[], float]) -> None:
        await self._started.wait()
        await self._guard.attempt_later("recording", self._recorder.run, now_ms)

    @override
    async def close(self, end_ms: float) -> None:
        if self._started.is_set():
            await self._guard.attempt_later("recording", self._recorder.close, end_ms)
