"""Concealment of lost packets: the holes that a carrier leaves in the caller's audio are filled with more of the sound.

A carrier that loses packets sends digital silence in their place. For a voice detector such a hole in a vowel is a
pause: an onset is taken back, a voice seems to be over. The method is that of ITU-T G.711, appendix I, with other
times: the last period of the voice is repeated, and fades.

Digital silence is also what a muted microphone or a noise gate sends, which must not be filled. So holes are filled
only on a line that is known to have them.
"""

import numpy as np

from bargein.audio.pcm import Float32Array, Int16Array

SHORTEST_HOLE_MS = 6
"""A run of zeros that is shorter is no hole."""

LONGEST_HOLE_MS = 200
"""Digital silence that lasts longer is no hole, and shows that the line has silence."""

CONCEALED_MS = 100
"""After so much of a hole the repeated sound has faded to silence."""

_HOLES = 2
"""So many holes show that a line loses packets."""

_REMEMBERED_MS = 10_000
_FULL_MS = 30
_JOIN_MS = 4
_TAIL_MS = 4
"""A carrier that resamples after the loss leaves so much of its filter's ringing in a hole."""

_TEMPLATE_MS = 20
_SHORTEST_LAG_MS, _LONGEST_LAG_MS = 5, 15
_HISTORY_MS = _TEMPLATE_MS + _LONGEST_LAG_MS + _TAIL_MS

_ABRUPT_MS, _ABRUPT = 8, 0.5
"""Before a hole the sound ends abruptly: its last moment has at least this share of its level. A noise gate fades."""


class Concealment:
    """Filling of the holes in one stream. Nothing is delayed, and audio without holes is returned as it is.

    Args:
        rate_hz: sample rate.
    """

    def __init__(self, rate_hz: int) -> None:
        self._per_ms = rate_hz / 1000
        self._shortest = self._samples(SHORTEST_HOLE_MS)
        self._longest = self._samples(LONGEST_HOLE_MS)
        self._tail = self._samples(_TAIL_MS)
        self._history: Int16Array = np.zeros(self._samples(_HISTORY_MS), dtype=np.int16)
        concealed, full = self._samples(CONCEALED_MS), self._samples(_FULL_MS)
        fade = (concealed - np.arange(concealed)) / (concealed - full)
        self._fade = np.minimum(fade, 1.0).astype(np.float32)
        self._holes = 0
        self._since_hole = 0
        self._zeros = 0
        self._cycle: Float32Array | None = None

    @property
    def active(self) -> bool:
        """True if the line is known to have holes, which are filled."""
        return self._holes >= _HOLES

    def push(self, pcm: Int16Array) -> Int16Array:
        """Return the next frame, of any length, with its holes filled."""
        # Almost every frame is without a hole, and ends in the middle of a sound.
        if not self._zeros and pcm.size and pcm[-1] and pcm.size - np.count_nonzero(pcm) < self._shortest:
            self._remember(pcm)
            return pcm
        sounding = np.flatnonzero(pcm)
        if not sounding.size:
            return self._silence(pcm, 0, pcm.size)
        filled = pcm
        first, last = int(sounding[0]), int(sounding[-1])
        if self._zeros + first >= self._shortest:
            filled = self._end_hole(self._silence(filled, 0, first), first)
        self._zeros, self._cycle = 0, None
        # A hole within one frame: the carrier's packets were shorter than the frame, or are not aligned with it.
        before = 0
        for index in np.flatnonzero(np.diff(sounding) > self._shortest):
            begin, end = int(sounding[index]) + 1, int(sounding[index + 1])
            self._remember(pcm[before:begin])
            filled = self._end_hole(self._silence(filled, begin, end), end)
            self._zeros, self._cycle, before = 0, None, end
        self._remember(pcm[before : last + 1])
        return self._silence(filled, last + 1, pcm.size)

    def _silence(self, pcm: Int16Array, begin: int, end: int) -> Int16Array:
        """Return the frame with the zeros from `begin` to `end` filled, if they are a hole."""
        at, self._zeros = self._zeros, self._zeros + end - begin
        if self._zeros < self._shortest or begin == end:
            return pcm
        if self._zeros > self._longest:
            self._holes, self._cycle = 0, None
        elif self.active and self._cycle is None and at < self._shortest:
            self._cycle = self._last_cycle()
        if self._cycle is None:
            return pcm
        filled = pcm.copy()
        filled[begin:end] = np.rint(self._repeat(at, end - begin))
        return filled

    def _end_hole(self, pcm: Int16Array, at: int) -> Int16Array:
        """Count a hole that ends at a sample of the frame; return the frame with its filling joined to the sound."""
        if self._zeros > self._longest:
            return pcm
        if self._ends_abruptly():
            self._holes = min(self._holes + 1, _HOLES)
            self._since_hole = 0
        if self._cycle is None:
            return pcm
        size = min(self._samples(_JOIN_MS), pcm.size - at)
        rising = (np.arange(size, dtype=np.float32) + 1) / (size + 1)
        joined = pcm.copy()
        joined[at : at + size] = np.rint(pcm[at : at + size] * rising + self._repeat(self._zeros, size) * (1 - rising))
        return joined

    def _remember(self, sound: Int16Array) -> None:
        self._since_hole += sound.size
        if self._since_hole > _REMEMBERED_MS * self._per_ms:
            self._holes = 0
        size = self._history.size
        self._history = sound[-size:] if sound.size >= size else np.concatenate((self._history[sound.size :], sound))

    def _ends_abruptly(self) -> bool:
        recent = self._history.astype(np.float32)
        last = recent[-self._samples(_ABRUPT_MS) :]
        level = float(np.dot(recent, recent)) / recent.size
        return level > 0 and float(np.dot(last, last)) / last.size >= _ABRUPT**2 * level

    def _last_cycle(self) -> Float32Array:
        """Return the last period of the sound, so turned that it begins where the hole does."""
        heard = self._history[: -self._tail].astype(np.float32)
        template = heard[-self._samples(_TEMPLATE_MS) :]
        shortest, longest = self._samples(_SHORTEST_LAG_MS), self._samples(_LONGEST_LAG_MS)
        products = np.correlate(heard, template, "valid")[: longest - shortest + 1]
        squares = np.concatenate(([0.0], np.cumsum(np.square(heard, dtype=np.float64))))
        energies = squares[template.size : template.size + products.size] - squares[: products.size]
        lag = longest - int(np.argmax(products / np.sqrt(np.maximum(energies, 1.0))))
        cycle = heard[-lag:].copy()
        overlap = lag // 4
        rising = (np.arange(overlap, dtype=np.float32) + 1) / (overlap + 1)
        cycle[-overlap:] = cycle[-overlap:] * (1 - rising) + heard[-lag - overlap : -lag] * rising
        return np.roll(cycle, -self._tail)

    def _repeat(self, begin: int, size: int) -> Float32Array:
        """Return the filling from `begin` samples after the beginning of the hole."""
        if self._cycle is None:
            raise AssertionError
        fade = np.zeros(size, dtype=np.float32)
        kept = self._fade[begin : begin + size]
        fade[: kept.size] = kept
        return self._cycle[np.arange(begin, begin + size) % self._cycle.size] * fade

    def _samples(self, ms: float) -> int:
        return round(ms * self._per_ms)
