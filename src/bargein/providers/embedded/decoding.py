"""The thread that transcribes for all calls: finals before partials, in the order of arrival within each."""

import asyncio
import heapq
import itertools
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

import anyio

from bargein.ports import BargeinError, Pcm16, ProviderError
from bargein.providers.embedded.moonshine_model import NO_WORDS, Transcript
from bargein.providers.embedded.runtime import TRANSCRIBER_FAILED

Transcribe = Callable[[Pcm16, Callable[[], bool]], Transcript]
"""`transcribe(audio, abandoned)` blocks and returns the transcript; it may stop once `abandoned()` returns True."""


@dataclass(slots=True)
class _Job:
    audio: Pcm16
    loop: asyncio.AbstractEventLoop
    done: anyio.Event = field(default_factory=anyio.Event)
    transcript: Transcript = NO_WORDS
    error: BargeinError | None = None
    abandoned: bool = False


_Entry = tuple[bool, int, _Job]


class Decoder:
    """A thread with a priority queue. It starts with the first piece of audio and ends with `close`."""

    def __init__(self, transcribe: Transcribe) -> None:
        self._transcribe = transcribe
        self._order = itertools.count()
        self._queue: list[_Entry] = []
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None

    async def decode(self, audio: Pcm16, *, partial: bool) -> Transcript:
        """Transcribe `audio`. Cancelling it removes it from the queue, or stops the decoding that has begun.

        Raises:
            ProviderError: the model is missing or broken, or the decoder was closed.
        """
        job = _Job(audio, asyncio.get_running_loop())
        self._push((partial, next(self._order), job))
        try:
            await job.done.wait()
        finally:
            job.abandoned = True
        if job.error is not None:
            raise job.error
        return job.transcript

    def close(self) -> None:
        """Stop the thread; queued jobs fail. A later `decode` starts it again."""
        with self._changed:
            thread, self._thread = self._thread, None
            queue, self._queue = self._queue, []
            self._changed.notify_all()
        for _, _, job in queue:
            job.error = _failure("it was shut down")
            _notify(job)
        if thread is not None:
            thread.join(timeout=2.0)

    def _push(self, entry: _Entry) -> None:
        with self._changed:
            heapq.heappush(self._queue, entry)
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="bargein-moonshine", daemon=True)
                self._thread.start()
            self._changed.notify_all()

    def _work(self) -> None:
        """Run jobs, the most urgent first, while this is the decoder's thread."""
        while (job := self._next()) is not None:
            try:
                job.transcript = self._transcribe(job.audio, lambda job=job: job.abandoned)
            except ProviderError as error:
                job.error = error
            except Exception as error:  # noqa: BLE001 - a failed job must not end the thread that serves all calls
                job.error = _failure(type(error).__name__)
            _notify(job)

    def _next(self) -> _Job | None:
        """Wait for the next job that was not abandoned; None when the thread is to end."""
        with self._changed:
            while self._thread is threading.current_thread():
                while self._queue:
                    _, _, job = heapq.heappop(self._queue)
                    if not job.abandoned:
                        return job
                self._changed.wait()
        return None


def _notify(job: _Job) -> None:
    try:
        job.loop.call_soon_threadsafe(job.done.set)
    except RuntimeError:  # the loop is closed: no task waits any more
        return


def _failure(why: str) -> ProviderError:
    return ProviderError(f"the embedded transcriber failed: {why}", ended_reason=TRANSCRIBER_FAILED)
