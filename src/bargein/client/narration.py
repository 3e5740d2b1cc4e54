"""Tells a call as it happens, line by line, for people at a terminal."""

import textwrap
from collections.abc import Callable, Mapping
from typing import Any

from bargein.client.clips import Clip
from bargein.client.connection import CallInfo
from bargein.client.playback import Interruption

_PLAIN, _BOLD, _DIM = "", "1", "2"
_CALLER, _ASSISTANT, _CUT, _BAD = "36", "32", "1;33", "1;31"
_COLUMNS = 100
_WHO = 9


class Narration:
    """Writes the lines.

    Args:
        out: takes one line.
        colour: whether the terminal understands ANSI colours.
    """

    def __init__(self, out: Callable[[str], None], *, colour: bool) -> None:
        self._out = out
        self._colour = colour
        self._zero_ms = 0.0

    def call_made(self, call: CallInfo, url: str) -> None:
        """The call is there."""
        self._out("")
        self._out(f"  {self._paint(_BOLD, 'call ' + call.id)}")
        self._out(self._paint(_DIM, f"  {url} · {call.encoding} {call.rate_hz // 1000} kHz · times are mm:ss.mmm"))
        self._out("")

    def phone_call_made(self, call_id: str, way: str) -> None:
        """A call over the telephone is there; `way` says from where to where it goes."""
        self._out("")
        self._out(f"  {self._paint(_BOLD, 'call ' + call_id)}")
        self._out(self._paint(_DIM, f"  {way} · times are mm:ss.mmm"))
        self._out("")

    def happens(self, text: str, at_ms: float) -> None:
        """Something becomes of the call."""
        self._line(at_ms, "", _DIM, "●", text, style=_DIM)

    def begin(self, zero_ms: float) -> None:
        """Times count from here: the first sample of the recording."""
        self._zero_ms = zero_ms

    def plays(self, clip: Clip, at_ms: float) -> None:
        """The caller begins to say a clip."""
        self._line(at_ms, "caller", _CALLER, "▶", f"{clip.name} ({clip.duration_ms / 1000:.1f} s)", style=_DIM)

    def message(self, message: Mapping[str, Any], at_ms: float) -> None:
        """A client message came; most are not worth a line."""
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
                self._line(at_ms, "assistant", _BAD, "!", "hangs: its model or voice does not answer")
            case _:
                pass

    def interrupted(self, turn_id: str | None, event: Interruption | None, at_ms: float) -> None:
        """A `user-interrupted` came."""
        what = "no clip of this caller explains it"
        if event is not None:
            what = f"{at_ms - event.onset_ms:.0f} ms after the voice began"
        self._cut(f" · {what}", turn_id, at_ms)

    def cut(self, turn_id: str | None, at_ms: float) -> None:
        """A `user-interrupted` came in a call whose caller is somebody else."""
        self._cut("", turn_id, at_ms)

    def _cut(self, what: str, turn_id: str | None, at_ms: float) -> None:
        turn = "speech of no model" if turn_id is None else f"turn …{turn_id[-6:]}"
        rule = self._paint(_CUT, f"{'─' * _WHO} ✂ user-interrupted")
        self._out(f"  {self._time(at_ms)}  {rule}{self._paint(_DIM, f'{what} · {turn}')}")

    def silent(self, at_ms: float) -> None:
        """The assistant never answered a clip."""
        self._line(at_ms, "assistant", _BAD, "!", "says nothing")

    def verdict(self, name: str, event: Interruption | None, *, flush: bool) -> None:
        """How one clip that was meant to interrupt fared."""
        if event is None:
            self._result(_BAD, "✗", f"{name}: never said, the call was over before")
            return
        voice = f"{name}: voice at {self._stamp(event.onset_ms)}"
        if event.missed:
            why = "" if event.over_speech else " (the assistant was not speaking)"
            self._result(_BAD, "✗", f"{voice} → no user-interrupted{why}")
            return
        heard, other = event.silence_ms, event.flushed_silence_ms
        if flush:
            heard, other = other, heard
        message = f"{event.after_onset_ms(event.message_ms):.0f} ms"
        otherwise = "without a flush" if flush else "with a flush"
        silence = f"silence {_ms(event.after_onset_ms(heard))} ({otherwise} {_ms(event.after_onset_ms(other))})"
        if not event.over_speech:
            silence = "there was no speech to stop"
        self._result(_ASSISTANT, "✓", f"{voice} → user-interrupted {message} → {silence}")

    def note(self, text: str) -> None:
        """Something beside the conversation."""
        self._out(self._paint(_DIM, f"  {text}"))

    def gap(self) -> None:
        """An empty line."""
        self._out("")

    def _result(self, colour: str, mark: str, text: str) -> None:
        self._out(f"  {self._paint(colour, mark)} {text}")

    def _line(self, at_ms: float, who: str, colour: str, mark: str, text: str, *, style: str = _PLAIN) -> None:
        indent = " " * (2 + 9 + 2 + _WHO + 1)
        rows = textwrap.wrap(" ".join(text.split()), _COLUMNS - len(indent)) or [""]
        lead = f"  {self._time(at_ms)}  {self._paint(colour, f'{who:<{_WHO}} {mark}')} "
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
