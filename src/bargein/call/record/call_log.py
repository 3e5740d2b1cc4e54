"""A call's own log, for people: what came in, what was decided and why, one JSON object a line.

Beside these lines stand those that the server logs about the call. It is `call.artifact.logUrl` of Vapi's API.
"""

import json
from collections.abc import Iterable

from bargein.call.record.explain import explain_command, explain_event
from bargein.clock import iso_from_epoch_ms
from bargein.ports import JournalSink
from bargein.turns.commands import Command
from bargein.turns.events import Event


class CallLog:
    """Writes the log of one call.

    Args:
        sink: where it goes.
        call_id: the call's.
        epoch_ms: when the call's time began, in milliseconds since 1970.
    """

    def __init__(self, sink: JournalSink, call_id: str, epoch_ms: int) -> None:
        self.sink = sink
        self._call_id = call_id
        self._epoch_ms = epoch_ms

    def write_step(self, now_ms: int, event: Event, commands: Iterable[Command]) -> None:
        """Take one step of the engine."""
        if (line := explain_event(event)) is not None:
            self._write(now_ms, line)
        for command in commands:
            if (line := explain_command(command)) is not None:
                self._write(now_ms, line)

    def _write(self, now_ms: int, line: str) -> None:
        told = {
            "event": line.removeprefix("=>").strip(),
            "level": "info",
            "logger": "bargein.turns",
            "time": iso_from_epoch_ms(self._epoch_ms + now_ms),
            "call_id": self._call_id,
            "seconds": now_ms / 1000,
        }
        self.sink.write(json.dumps(told, ensure_ascii=False))
