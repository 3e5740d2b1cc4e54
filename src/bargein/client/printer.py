"""Prints a call as it happens, one line per event, for a person at a terminal."""

import textwrap
from collections.abc import Callable, Mapping
from typing import Any

from bargein.client.clips import Clip
from bargein.client.playback import Interruption
from bargein.client.server_api import CallInfo

_PLAIN, _BOLD, _DIM = "", "1", "2"
_CALLER, _ASSISTANT, _CUT, _BAD = "36", "32", "1;33", "1;31"
_COLUMNS = 100
_SPEAKER_COLUMNS = 9


class CallPrinter:
    """Prints the events of one call.

    Args:
        out: takes one line.
        colour: True if the terminal understands ANSI colours.
    """

    def __init__(self, out: Callable[[str], None], *, colour: bool) -> None:
        self._out = out
        self._colour = colour
        self._zero_ms = 0.0

    def print_call(self, call: CallInfo, url: str) -> None:
        """Print the heading of a WebSocket call."""
        self._out("")
        self._out(f"  {self._paint(_BOLD, 'call ' + call.id)}")
        self._out(self._paint(_DIM, f"  {url} · {call.encoding} {call.rate_hz // 1000} kHz · times are mm:ss.mmm"))
        self._out("")

    def print_phone_call(self, call_id: str, route: str) -> None:
        """Print the heading of a telephone call; `route` says which server and number call which customer."""
        self._out("")
        self._out(f"  {self._paint(_BOLD, 'call ' + call_id)}")
        self._out(self._paint(_DIM, f"  {route} · times are mm:ss.mmm"))
        self._out("")

    def print_status(self, text: str, at_ms: float) -> None:
        """Print a change of the call's status."""
        self._line(at_ms, "", _DIM, "●", text, style=_DIM)

    def set_zero(self, zero_ms: float) -> None:
        """Count printed times from `zero_ms`: the first sample of the recording."""
        self._zero_ms = zero_ms

    def print_clip(self, clip: Clip, at_ms: float) -> None:
        """Print that the caller begins to play a clip."""
        self._line(at_ms, "caller", _CALLER, "▶", f"{clip.name} ({clip.duration_ms / 1000:.1f} s)", style=_DIM)

    def print_message(self, message: Mapping[str, Any], at_ms: float) -> None:
        """Print a client message: final transcripts, the end of the call and `hang`; others print nothing."""
        match message:
            case {"type": "transcript", "transcriptType": "final", "role": "user", "transcript": str(text)}:
                self._line(at_ms, "caller", _CALLER, "│", text)
            case {"type": "transcript", "transcriptType": "final", "role": "assistant", "transcript": str(text)}:
                self._line(at_ms, "assistant", _ASSISTANT, "│", text)
            case {"type": "status-update", "status": "ended"}:
                self._line(
                    at_ms, "", _DIM, "■", f"call ended: {message.get('endedReason', 'no reason given')}", style=_DIM
                )
            case {"type": "hang"}:
                self._line(at_ms, "assistant", _BAD, "!", "is late: nothing is heard of its answer")
            case _:
                pass

    def print_measured_interruption(self, turn_id: str | None, event: Interruption | None, at_ms: float) -> None:
        """Print a `user-interrupted` with its delay after the caller's voice; `event` is None if no clip caused it."""
        cause = "not caused by a clip of this caller"
        if event is not None:
            cause = f"{at_ms - event.onset_ms:.0f} ms after the voice began"
        self._interruption(f" · {cause}", turn_id, at_ms)

    def print_interruption(self, turn_id: str | None, at_ms: float) -> None:
        """Print a `user-interrupted` in a call whose caller's voice this client does not send."""
        self._interruption("", turn_id, at_ms)

    def _interruption(self, cause: str, turn_id: str | None, at_ms: float) -> None:
        turn = "speech without a model turn" if turn_id is None else f"turn …{turn_id[-6:]}"
        rule = self._paint(_CUT, f"{'─' * _SPEAKER_COLUMNS} ✂ user-interrupted")
        self._out(f"  {self._time(at_ms)}  {rule}{self._paint(_DIM, f'{cause} · {turn}')}")

    def print_no_answer(self, at_ms: float) -> None:
        """Print that the assistant did not answer a clip."""
        self._line(at_ms, "assistant", _BAD, "!", "says nothing")

    def print_result(self, name: str, event: Interruption | None, *, flush: bool) -> None:
        """Print the measured times of a clip that was meant to interrupt; None if it was never played."""
        if event is None:
            self._result(_BAD, "✗", f"{name}: never played, the call ended before")
            return
        voice = f"{name}: voice at {self._stamp(event.onset_ms)}"
        if event.missed:
            why = "" if event.over_speech else " (the assistant was not speaking)"
            self._result(_BAD, "✗", f"{voice} → no user-interrupted{why}")
            return
        silence_ms, other_ms = event.silence_ms, event.flushed_silence_ms
        if flush:
            silence_ms, other_ms = other_ms, silence_ms
        message = f"{event.after_onset_ms(event.message_ms):.0f} ms"
        otherwise = "without a flush" if flush else "with a flush"
        silence = f"silence {_ms(event.after_onset_ms(silence_ms))} ({otherwise} {_ms(event.after_onset_ms(other_ms))})"
        if not event.over_speech:
            silence = "there was no speech to stop"
        self._result(_ASSISTANT, "✓", f"{voice} → user-interrupted {message} → {silence}")

    def print_failure(self, why: str) -> None:
        """Print why the call failed, whole and on one line, so that it can be copied."""
        self._result(_BAD, "✗", f"the call failed: {why}")

    def print_note(self, text: str) -> None:
        """Print a line that is not part of the conversation."""
        self._out(self._paint(_DIM, f"  {text}"))

    def print_blank(self) -> None:
        """Print an empty line."""
        self._out("")

    def _result(self, colour: str, mark: str, text: str) -> None:
        self._out(f"  {self._paint(colour, mark)} {text}")

    def _line(self, at_ms: float, speaker: str, colour: str, mark: str, text: str, *, style: str = _PLAIN) -> None:
        indent = " " * (2 + 9 + 2 + _SPEAKER_COLUMNS + 1)
        rows = textwrap.wrap(" ".join(text.split()), _COLUMNS - len(indent)) or [""]
        lead = f"  {self._time(at_ms)}  {self._paint(colour, f'{speaker:<{_SPEAKER_COLUMNS}} {mark}')} "
        self._out(lead + self._paint(style, rows[0]))
        for row in rows[1:]:
            self._out(f"{indent}{self._paint(colour, mark if mark == '│' else ' ')} {self._paint(style, row)}")

    def _time(self, at_ms: float) -> str:
        return self._paint(_DIM, self._stamp(at_ms))

    def _stamp(self, at_ms: float) -> str:
        ms = max(0, round(at_ms - self._zero_ms))
        return f"{ms // 60_000:02d}:{ms // 1000 % 60:02d}.{ms % 1000:03d}"

    def _paint(self, style: str, text: str) -> str:
        return f"\x1b[{style}m{text}\x1b[0m" if self._colour and style else text


def _ms(value: float | None) -> str:
    return "never" if value is None else f"{value:.0f} ms"
