"""What outlasts a call: its record, sound and journal, and the work that it leaves."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from bargein.ports.sound import Pcm16
from bargein.wire.base import JsonObject


class Jobs(Protocol):
    """Work that must be done even if this process dies."""

    async def submit(self, kind: str, payload: JsonObject, *, key: str) -> None:
        """Have something done, at least once. It is on record when this returns.

        Args:
            kind: what: `server-message` sends `payload["message"]` to the owner of the call `payload["callId"]`.
            payload: JSON, without secrets.
            key: the same work under the same key is taken once.
        """
        ...


@dataclass(frozen=True, slots=True)
class Job:
    """A job that was submitted, taken to be done.

    Attributes:
        id: its number; later ones are greater.
        kind: see `Jobs.submit`.
        payload: see `Jobs.submit`.
        key: see `Jobs.submit`; the same at each try, so that who is told twice can know it.
        attempts: how often it has failed.
        age_ms: since it was submitted.
    """

    id: int
    kind: str
    payload: JsonObject
    key: str
    attempts: int
    age_ms: int


class Recorder(Protocol):
    """Where the sound of a call goes. All audio is at `TRANSCRIBER_RATE_HZ`; times are of the call."""

    def write_customer(self, pcm: Pcm16, at_ms: float) -> None:
        """Take what was heard of the caller, and when its first sample sounded; returns at once."""
        ...

    def write_assistant(self, pcm: Pcm16, at_ms: float) -> None:
        """Take what the caller hears of the assistant, and when its first sample sounds; returns at once."""
        ...

    def cut_assistant(self, at_ms: float) -> None:
        """What was taken of the assistant is not heard from `at_ms` on."""
        ...

    async def run(self, now_ms: Callable[[], float]) -> None:
        """Bring sound to rest until cancelled; at most two seconds' worth is ever unwritten."""
        ...

    async def close(self, end_ms: float) -> None:
        """Bring the rest to rest: the call ended at `end_ms`."""
        ...


class NullRecorder:
    """The `Recorder` of a call that is not recorded."""

    def write_customer(self, pcm: Pcm16, at_ms: float) -> None:
        """See `Recorder.write_customer`."""

    def write_assistant(self, pcm: Pcm16, at_ms: float) -> None:
        """See `Recorder.write_assistant`."""

    def cut_assistant(self, at_ms: float) -> None:
        """See `Recorder.cut_assistant`."""

    async def run(self, now_ms: Callable[[], float]) -> None:
        """See `Recorder.run`."""

    async def close(self, end_ms: float) -> None:
        """See `Recorder.close`."""


class JournalSink(Protocol):
    """Where a call's journal goes: one JSON value a line."""

    def write(self, line: str) -> None:
        """Take a line; returns at once."""
        ...

    async def run(self) -> None:
        """Bring lines to rest until cancelled; at most a second's worth is ever unwritten."""
        ...

    async def close(self) -> None:
        """Bring what is left to rest."""
        ...


class CallRecords(Protocol):
    """Where a live call keeps what must outlast it.

    Each method returns once it is written, or after a few seconds where that cannot be done now; it is then written as
    soon as it can be. None raises.
    """

    async def begin(self, call_id: str, changes: JsonObject) -> None:
        """The call goes live here: replace the named top-level fields of the stored `Call` (Vapi's JSON)."""
        ...

    async def update(self, call_id: str, changes: JsonObject) -> None:
        """Replace the named top-level fields."""
        ...

    async def finish(self, call_id: str, changes: JsonObject) -> None:
        """The call is over: replace the named top-level fields, and put on record that its owner is to be told.

        All of it is one transaction.
        """
        ...
