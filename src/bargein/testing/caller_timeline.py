"""A call as a caller heard it, for people: a time line, and files to listen to and to search."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path

from bargein.client.clips import write_stereo
from bargein.client.connection import Connection
from bargein.client.pacing import PacedSender
from bargein.client.printer import CallPrinter
from bargein.testing.caller_ears import Ears, Utterance
from bargein.testing.caller_sounds import RATE_HZ
from bargein.wire.json import as_string

BUSY_MS = 25.0
"""If a caller's frames are later than this, the machine was too busy for its measured times."""


def write_timeline(
    connection: Connection, url: str, sender: PacedSender, ears: Ears, utterances: Sequence[Utterance]
) -> str:
    """Return what happened in a call, a line each, in the order of time.

    Args:
        connection: the call's socket.
        url: the server's URL.
        sender: what the caller sent.
        ears: what it heard.
        utterances: what it let be heard.
    """
    lines: list[str] = []
    printer = CallPrinter(lines.append, colour=False)
    printer.print_call(connection.call, url)
    if sender.running:
        printer.set_zero(sender.start_ms)
    for _, show in sorted(_events(printer, ears, utterances), key=lambda event: event[0]):
        show()
    lateness = sender.lateness()
    if lateness.p99_ms > BUSY_MS:
        printer.print_note(f"this machine was busy: p99 of the caller's frames was {lateness.p99_ms:.0f} ms late")
    return "\n".join(lines).strip("\n")


def _events(
    printer: CallPrinter, ears: Ears, utterances: Sequence[Utterance]
) -> list[tuple[float, Callable[[], None]]]:
    events: list[tuple[float, Callable[[], None]]] = []

    def add(at_ms: float, show: Callable[[], None]) -> None:
        events.append((at_ms, show))

    for utterance in utterances:
        add(utterance.start_ms, lambda clip=utterance.clip, at_ms=utterance.start_ms: printer.print_clip(clip, at_ms))
    by_turn = {event.message_ms: event for event in (u.over for u in utterances) if event is not None}
    for message in ears.messages:
        at_ms, data = message.at_ms, message.data
        if data.get("type") == "user-interrupted":
            turn_id, event = as_string(data.get("turnId")), by_turn.get(at_ms)
            add(at_ms, lambda t=turn_id, e=event, at=at_ms: printer.print_measured_interruption(t, e, at))
        else:
            add(at_ms, lambda d=data, at=at_ms: printer.print_message(d, at))
    for speech in ears.meter.unflushed.segments:
        add(speech.start_ms, lambda at=speech.start_ms: printer.print_status("the assistant is heard", at))
        add(speech.end_ms, lambda at=speech.end_ms: printer.print_status("the assistant is silent", at))
    return events


def save_call(
    folder: Path, timeline: str, sender: PacedSender, ears: Ears, name: str = "call"
) -> tuple[Path, Path, Path]:
    """Write a call's recording (left the caller, right the assistant), its time line and its messages. Blocks.

    Args:
        folder: is made if it does not exist.
        timeline: what `write_timeline` returned.
        sender: what the caller sent.
        ears: what it heard.
        name: the files' name, without an extension.

    Raises:
        ClientError: the recording cannot be written.
        OSError: another file cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    recording, text, messages = (folder / f"{name}{kind}" for kind in (".wav", ".txt", ".json"))
    if sender.running:
        caller, assistant = ears.recording.tracks(sender.start_ms, sender.sent_until_ms, sender.scheduled)
        write_stereo(recording, caller, assistant, RATE_HZ)
    text.write_text(timeline + "\n", encoding="utf-8")
    data = [message.data for message in ears.messages]
    messages.write_text(json.dumps(data, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return recording, text, messages
