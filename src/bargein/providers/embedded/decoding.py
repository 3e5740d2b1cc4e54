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
    transcribe: Transcribe
    loop: asyncio.AbstractEventLoop
    done: anyio.Event = field(default_factory=anyio.Event)
    transcript: Transcript = NO_WORDS
    error: BargeinError | None = None
    abandoned: bool = False


_Entry = tuple[bool, int, _Job]


class Decoder:
    """A thread with a priority queue. It starts with the first piece of audio and ends with `close`.

    Args:
        transcribe: transcribes a piece of audio that comes without a function of its own.
        name: the name of the thread.
        most_waiting: the length of the queue; None: it is not limited.
    """

    def __init__(
        self, transcribe: Transcribe, *, name: str = "bargein-moonshine", most_waiting: int | None = None
    ) -> None:
        self._transcribe = transcribe
        self._name = name
        self._most_waiting = most_waiting
        self._order = itertools.count()
        self._queue: list[_Entry] = []
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None

    async def decode(self, audio: Pcm16, *, partial: bool, transcribe: Transcribe | None = None) -> Transcript:
        """Transcribe `audio`. Cancelling it removes it from the queue, or stops the decoding that has begun.

        Args:
            audio: the audio.
            partial: whether finals go before it.
            transcribe: transcribes it; None: as the decoder does.

        Raises:
            ProviderError: the model is missing or broken, the queue is full, or the decoder was closed.
        """
        job = _Job(audio, transcribe or self._transcribe, asyncio.get_running_loop())
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
            if self._most_waiting is not None and len(self._queue) >= self._most_waiting:
                self._queue = [waiting for waiting in self._queue if not waiting[2].abandoned]
                if len(self._queue) >= self._most_waiting:
                    raise _failure(f"{self._most_waiting} pieces of audio wait for it already")
                heapq.heapify(self._queue)
            heapq.heappush(self._queue, entry)
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name=self._name, daemon=True)
                self._thread.start()
            self._changed.notify_all()

    def _work(self) -> None:
        """Run jobs, the most urgent first, while this is the decoder's thread."""
        while (job := self._next()) is not None:
            try:
                job.transcript = job.transcribe(job.audio, lambda job=job: job.abandoned)
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
