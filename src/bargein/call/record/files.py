"""The files that a call writes while it goes on: journal, recording and log, or hardly anything if it is private."""

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from bargein.call.record.call_log import CallLog
from bargein.call.record.guard import Guard, GuardedSink
from bargein.call.record.journal import Head, event_line, head_line, use_line
from bargein.call.record.outcome import is_recorded
from bargein.call.record.privacy import WordlessJournal, is_private, without_texts, without_words
from bargein.call.record.recording import Recording
from bargein.call.record.usage import Usage, Use
from bargein.ports import JournalSink, NullRecorder, PrivateCalls, Recorder
from bargein.turns.commands import Command
from bargein.turns.events import Event
from bargein.wire.base import JsonObject

if TYPE_CHECKING:
    from anyio.abc import TaskGroup


class CallFiles:
    """The journal, the recording and the log of one call. None of their failures reaches the call.

    Args:
        assistant: the assistant that begins the call.
        head: the head of the journal.
        epoch_ms: when the call began, in milliseconds since 1970.
        guard: the call's guard.
        journal: stores the journal.
        recorder: records the audio; None: it is not recorded.
        log: stores the call's own log; None: there is none.
        private_calls: the server's part in a private call; None: there is none.

    Attributes:
        recording: the recording, which gets the audio.
        private: whether nothing of what is said may be kept (`privacy`).
    """

    def __init__(
        self,
        assistant: JsonObject,
        head: Head,
        epoch_ms: int,
        guard: Guard,
        *,
        journal: JournalSink,
        recorder: Recorder | None = None,
        log: JournalSink | None = None,
        private_calls: PrivateCalls | None = None,
    ) -> None:
        self._head = head
        self._guard = guard
        self._journal = GuardedSink(journal, "journal", guard)
        self.recording = Recording(recorder or NullRecorder(), on=is_recorded(assistant), guard=guard)
        self._log_sink = None if log is None else GuardedSink(log, "log", guard)
        self._log = None if self._log_sink is None else CallLog(self._log_sink, head.call_id, epoch_ms)
        self._private_calls = private_calls
        self._wordless = WordlessJournal()
        self.private = False
        if is_private(assistant):
            self._begin_private()

    def _begin_private(self) -> None:
        self.private = True
        self._log = None
        if self._private_calls is not None:
            self._guard.attempt("log", self._private_calls.begin, self._head.call_id)

    def write_head(self) -> None:
        """Write the head of the journal."""
        self._guard.attempt("journal", self._write_head)

    def _write_head(self) -> None:
        self._journal.write(self._wordless.head_line(self._head) if self.private else head_line(self._head))

    def write_event(self, event: Event) -> None:
        """Write an event to the journal."""
        self._guard.attempt("journal", self._write_event, event)

    def _write_event(self, event: Event) -> None:
        line = self._wordless.event_line(event) if self.private else event_line(event)
        if line is not None:
            self._journal.write(line)

    def write_use(self, use: Use) -> None:
        """Write a use of a provider to the journal; it has no words."""
        self._guard.attempt("journal", lambda: self._journal.write(use_line(use)))

    def write_step(self, now_ms: int, event: Event, commands: Iterable[Command]) -> None:
        """Write one step of the engine to the call's log."""
        if self._log is not None:
            self._guard.attempt("log", self._log.write_step, now_ms, event, commands)

    def write_end(self, at_ms: int, reason: str) -> None:
        """Write the end, which in any other journal follows from its events."""
        if self.private:
            self._guard.attempt("journal", lambda: self._journal.write(self._wordless.end_line(at_ms, reason)))

    def switch_assistant(self, assistant: JsonObject, usage: Usage) -> None:
        """Follow another assistant's plans. If it is the first private one, what was stored is deleted.

        Args:
            assistant: the assistant.
            usage: the use of providers so far, which is kept.
        """
        if is_private(assistant) and not self.private:
            self.recording.discard()
            self._journal.restart()
            if self._log_sink is not None:
                self._log_sink.restart()
            self._begin_private()
            self.write_head()
            for use in usage.all():
                self.write_use(use)
        self.recording.switch(on=is_recorded(assistant) and not self.private)

    def storable_assistant(self, assistant: JsonObject) -> JsonObject:
        """Return what may be stored of an assistant that takes the call over."""
        return without_texts(assistant) if self.private else assistant

    def storable_outcome(self, outcome: dict[str, Any]) -> dict[str, Any]:
        """Return what may be stored of the call's end; the rest is kept in memory for the owner's server."""
        if not self.private:
            return outcome
        if self._private_calls is not None:
            self._guard.attempt("record", self._private_calls.withhold, self._head.call_id, outcome)
        return without_words(outcome)

    def start(self, tasks: "TaskGroup", now_ms: Callable[[], float]) -> None:
        """Start to store, until the tasks are cancelled."""
        tasks.start_soon(self._journal.run)
        tasks.start_soon(self.recording.run, now_ms)
        if self._log_sink is not None:
            tasks.start_soon(self._log_sink.run)

    async def close(self, end_ms: float) -> None:
        """Store the rest of the journal and the recording."""
        await self._journal.close()
        await self.recording.close(end_ms)

    async def close_log(self) -> None:
        """Store the rest of the log."""
        if self._log_sink is not None:
            await self._log_sink.close()
