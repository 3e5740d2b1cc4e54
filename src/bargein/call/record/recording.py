"""The recording of a call, while an assistant has the call that wants one."""

from collections.abc import Callable

import anyio

from bargein.ports import Pcm16, Recorder


class Recording:
    """A `bargein.ports.Recorder` that can be switched: what sounds while it is off is silence in the recording.

    Nothing is begun before it is on for the first time.

    Args:
        recorder: where the sound goes.
        on: whether the assistant that begins the call wants it recorded.
    """

    def __init__(self, recorder: Recorder, *, on: bool) -> None:
        self._recorder = recorder
        self._on = on
        self._begun = anyio.Event()
        self.switch(on=on)

    def switch(self, *, on: bool) -> None:
        """Record from here on, or not."""
        self._on = on
        if on:
            self._begun.set()

    def write_customer(self, pcm: Pcm16, at_ms: float) -> None:
        """See `Recorder.write_customer`."""
        if self._on:
            self._recorder.write_customer(pcm, at_ms)

    def write_assistant(self, pcm: Pcm16, at_ms: float) -> None:
        """See `Recorder.write_assistant`."""
        if self._on:
            self._recorder.write_assistant(pcm, at_ms)

    def cut_assistant(self, at_ms: float) -> None:
        """See `Recorder.cut_assistant`."""
        self._recorder.cut_assistant(at_ms)

    async def run(self, now_ms: Callable[[], float]) -> None:
        """See `Recorder.run`."""
        await self._begun.wait()
        await self._recorder.run(now_ms)

    async def close(self, end_ms: float) -> None:
        """See `Recorder.close`."""
        if self._begun.is_set():
            await self._recorder.close(end_ms)
