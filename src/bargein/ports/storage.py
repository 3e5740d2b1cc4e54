"""Storage of a call: its record, recording and journal, and jobs that must outlast the process."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from typing_extensions import override

from bargein.ports.audio import Pcm16
from bargein.wire.base import JsonObject


class Jobs(Protocol):
    """The queue of jobs that must be done even if this process dies."""

    async def submit(self, kind: str, payload: JsonObject, *, key: str) -> None:
        """Submit a job, which is done at least once. It is stored when this returns.

        Args:
            kind: the kind; `server-message` sends `payload["message"]` to the owner of the call `payload["callId"]`.
            payload: JSON without secrets.
            key: a job with the same key is accepted only once.
        """
        ...


@dataclass(frozen=True, slots=True)
class Job:
    """A submitted job that is to be done now.

    Attributes:
        id: its number; later jobs have greater ones.
        kind: the kind, as in `Jobs.submit`.
        payload: the payload, as in `Jobs.submit`.
        key: the key, as in `Jobs.submit`; the same at each try, so that a receiver can recognize a repetition.
        attempts: how often it has failed.
        age_ms: the time since it was submitted.
    """

    id: int
    kind: str
    payload: JsonObject
    key: str
    attempts: int
    age_ms: int


@dataclass(frozen=True, slots=True)
class JobKinds:
    """A choice of jobs by their kind.

    Attributes:
        names: the kinds.
        others: True chooses the jobs of all other kinds instead.
    """

    names: frozenset[str] = frozenset()
    others: bool = False


ALL_JOBS = JobKinds(others=True)
"""The jobs of every kind."""


class Recorder(Protocol):
    """The recorder of a call. All audio is at `TRANSCRIBER_RATE_HZ`; times are in milliseconds of the call."""

    def write_customer(self, pcm: Pcm16, at_ms: float) -> None:
        """Write audio of the caller that began at `at_ms`; returns at once."""
        ...

    def write_assistant(self, pcm: Pcm16, at_ms: float) -> None:
        """Write audio of the assistant that begins to play at `at_ms`; returns at once."""
        ...

    def cut_assistant(self, at_ms: float) -> None:
        """Drop the assistant's audio from `at_ms` on: it was not heard."""
        ...

    async def run(self, now_ms: Callable[[], float]) -> None:
        """Store the audio until cancelled; at most two seconds of it are not stored at any time."""
        ...

    async def close(self, end_ms: float) -> None:
        """Store the rest: the call ended at `end_ms`."""
        ...

    def discard(self) -> None:
        """Delete what is stored, soon, and store nothing more; returns at once."""
        ...


class NullRecorder(Recorder):
    """The `Recorder` of a call that is not recorded."""

    @override
    def write_customer(self, pcm: Pcm16, at_ms: float) -> None:
        pass

    @override
    def write_assistant(self, pcm: Pcm16, at_ms: float) -> None:
        pass

    @override
    def cut_assistant(self, at_ms: float) -> None:
        pass

    @override
    async def run(self, now_ms: Callable[[], float]) -> None:
        pass

    @override
    async def close(self, end_ms: float) -> None:
        pass

    @override
    def discard(self) -> None:
        pass


class JournalSink(Protocol):
    """The storage of a call's journal: one JSON value a line."""

    def write(self, line: str) -> None:
        """Write a line; returns at once."""
        ...

    async def run(self) -> None:
        """Store lines until cancelled; at most a second of them is not stored at any time."""
        ...

    async def close(self) -> None:
        """Store the rest."""
        ...

    def restart(self) -> None:
        """Drop the lines so far; the stored ones are deleted when the next lines are stored. Returns at once."""
        ...


class PrivateCalls(Protocol):
    """The server's part in calls of which nothing that is said is kept. Every method returns at once."""

    def begin(self, call_id: str) -> None:
        """Keep texts of a call out of the server's log from here on."""
        ...

    def withhold(self, call_id: str, outcome: JsonObject) -> None:
        """Keep all fields of a call's end in memory until its owner's server has them."""
        ...


class CallRecords(Protocol):
    """The storage of a live call's record.

    Each method returns once the change is stored, or after a few seconds if the store is not available; the change is
    then stored as soon as possible. None of them raises.
    """

    async def begin(self, call_id: str, changes: JsonObject) -> None:
        """Record that the call is live here: replace these top-level fields of the stored `Call` (Vapi's JSON)."""
        ...

    async def update(self, call_id: str, changes: JsonObject) -> None:
        """Replace these top-level fields."""
        ...

    async def finish(self, call_id: str, changes: JsonObject) -> None:
        """Replace these top-level fields, and submit the jobs that report the end of the call, in one transaction."""
        ...
