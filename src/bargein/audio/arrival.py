"""Timing of received audio by its samples: when it was recorded, whatever the network did to its frames on the way."""

LONGEST_STALL_MS = 200.0
"""A frame that is late by no more than this was delayed by the network; a longer gap is a sender that sent nothing."""

_WINDOW_MS = 500.0


class ArrivalClock:
    """The time at which each frame of one stream was complete, from the times at which frames arrived.

    Samples have no jitter, arrival times have. A frame follows the one before it without a gap, so that frames which a
    network held up, and which then arrive together, keep their distances. It corrects itself in three ways:

    - a frame that arrives before that time shows that the ones before it were late: it was complete on arrival;
    - a frame that is late by more than `LONGEST_STALL_MS` comes after a real gap: it was complete on arrival;
    - if all frames of half a second are late, the stream is: the time moves by the delay of the least late one. A
      sender that paused shortly, lost packets, or has a slow clock is followed that way.

    On a steady stream each frame was complete on arrival. The cost of a frame does not depend on what came before.
    """

    def __init__(self) -> None:
        self._end_ms: float | None = None
        self._window_end_ms = 0.0
        self._least_late_ms = 0.0

    def push(self, duration_ms: float, arrival_ms: float) -> float:
        """Add a frame; return when its last sample was recorded, which is never after its arrival."""
        if self._end_ms is None:
            return self._restart(arrival_ms)
        end_ms = self._end_ms + duration_ms
        late_ms = arrival_ms - end_ms
        if not 0.0 <= late_ms <= LONGEST_STALL_MS:
            return self._restart(arrival_ms)
        self._least_late_ms = min(self._least_late_ms, late_ms)
        if end_ms >= self._window_end_ms:
            end_ms += self._least_late_ms
            self._begin_window(end_ms)
        self._end_ms = end_ms
        return end_ms

    def _restart(self, arrival_ms: float) -> float:
        self._end_ms = arrival_ms
        self._begin_window(arrival_ms)
        return arrival_ms

    def _begin_window(self, now_ms: float) -> None:
        self._window_end_ms = now_ms + _WINDOW_MS
        self._least_late_ms = LONGEST_STALL_MS
