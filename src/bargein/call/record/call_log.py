"""A call's own log, for people: what came in, what was decided and why, one JSON object a line.

The lines that the server logs about the call are added to it. It is served as `call.artifact.logUrl` of Vapi's API.
"""

import json
from collections.abc import Iterable

from bargein.call.record.explain import explain_command, explain_event
from bargein.clock import iso_from_epoch_ms
from bargein.ports import JournalSink
from bargein.turns.commands import Command
from bargein.turns.events import Event


class CallLog:
    """The writer of one call's log.

    Args:
        sink: stores the lines.
        call_id: the call's id.
        epoch_ms: when the call began, in milliseconds since 1970.

    Attributes:
        sink: stores the lines.
    """

    def __init__(self, sink: JournalSink, call_id: str, epoch_ms: int) -> None:
        self.sink = sink
        self._call_id = call_id
        self._epoch_ms = epoch_ms

    def write_step(self, now_ms: int, event: Event, commands: Iterable[Command]) -> None:
        """Write the lines of one step of the engine."""
        if (line := explain_event(event)) is not None:
            self._write(now_ms, line)
        for command in commands:
            if (line := explain_command(command)) is not None:
                self._write(now_ms, line)

    def _write(self, now_ms: int, line: str) -> None:
        entry = {
            "event": line.removeprefix("=>").strip(),
            "level": "info",
            "logger": "bargein.turns",
            "time": iso_from_epoch_ms(self._epoch_ms + now_ms),
            "call_id": self._call_id,
            "seconds": now_ms / 1000,
        }
        self.sink.write(json.dumps(entry, ensure_ascii=False))
