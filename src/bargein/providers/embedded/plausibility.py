"""The filter of implausible transcripts: small models produce words for coughs, clicks and silence. Pure.

The figures come from clips of speech, one-word commands, coughs, sneezes, dogs, babies, machines and music that went
through the voice detector as in a call: words of people have 160 ms of sound or more and a mean token log-probability
above -0.75 (half of them above -0.25); six in ten of the invented words have less of either.
"""

import re
from dataclasses import dataclass

import numpy as np

from bargein.audio import pcm
from bargein.ports import TRANSCRIBER_RATE_HZ, Pcm16

_FRAME = TRANSCRIBER_RATE_HZ // 50
_FRAME_MS = 20
_BELOW_PEAK_DB = 25.0
_FAINTEST_DBFS = -55.0
_LEAST_SOUND_MS = 120
_LEAST_LOG_PROBABILITY = ((700, -0.75), (1_500, -0.85))
"""(milliseconds of sound, least log-probability): the shorter the sound, the more certain the model must be."""

_LEAST_LOG_PROBABILITY_LONG = -1.1
_LEAST_LOG_PROBABILITY_ANSWER = -1.6
"""The least for an answer that was asked for: a question makes a voice after it likelier than a noise."""

_LONG_MS = 1_500
_NOISE_WORD_SOUND_MS = 240
_NOISE_WORD_LOG_PROBABILITY = -0.3
_BACKCHANNEL_MS = 1_200
_FASTEST_WORDS_PER_S = 5.0

_NOISE_WORDS = frozenset({"you", "the", "two", "thank you", "and", "so", "bye", "but", "a"})
"""Transcripts of sounds that are no speech. People say these words, too, so they need more evidence."""

_BACKCHANNELS = {
    "aha": "uh-huh",
    "mama": "mm-hmm",
    "mmhmm": "mm-hmm",
    "mhm": "mm-hmm",
    "mm": "mm-hmm",
    "uh huh": "uh-huh",
    "her": "hmm",
    "h m m": "hmm",
    "a j m m": "hmm",
    "i c": "I see",
}
"""Transcript -> the backchannel that it stands for (or "I see"), where it is the whole transcript."""

_NOT_WORDS = re.compile(r"[♪♫®*\[\](){}<>_]")
_OTHER_SCRIPT = re.compile(r"[^\u0000-\u024f\u2010-\u203a\u20ac]")


@dataclass(frozen=True, slots=True)
class Sound:
    """The amount of sound in a stretch of audio.

    Attributes:
        sound_ms: total length of the parts within 25 dB of the loudest.
        level_dbfs: the level of those parts.
    """

    sound_ms: int
    level_dbfs: float


def measure(audio: Pcm16) -> Sound:
    """Measure the parts of `audio` (16 kHz) that are within 25 dB of its loudest 20 ms."""
    frames = pcm.to_float(audio[: audio.size // _FRAME * _FRAME]).reshape(-1, _FRAME)
    power = np.mean(np.square(frames), axis=1)
    peak = float(power.max(initial=0.0))
    if peak <= 0.0:
        return Sound(0, pcm.SILENCE_DBFS)
    loud = power[power >= max(peak * 10 ** (-_BELOW_PEAK_DB / 10), 1e-6)]
    if loud.size == 0:
        return Sound(0, pcm.SILENCE_DBFS)
    return Sound(int(loud.size) * _FRAME_MS, float(10 * np.log10(loud.mean())))


def may_contain_words(sound: Sound) -> bool:
    """Return whether the sound is long and loud enough to contain a word."""
    return sound.sound_ms >= _LEAST_SOUND_MS and sound.level_dbfs >= _FAINTEST_DBFS


def is_plausible_answer(log_probability: float) -> bool:
    """Return whether a text with numbers or letters is plausible where the assistant has asked for them."""
    return log_probability >= _LEAST_LOG_PROBABILITY_ANSWER


def filter_transcript(text: str, log_probability: float, sound: Sound) -> str:
    """Return the plausible text: empty for a likely invention, a backchannel in its usual spelling."""
    cleaned = " ".join(_NOT_WORDS.sub(" ", text).split())
    if not any(c.isalnum() for c in cleaned) or _OTHER_SCRIPT.search(cleaned) or "©" in text:
        return ""
    least = (limit for up_to_ms, limit in _LEAST_LOG_PROBABILITY if sound.sound_ms < up_to_ms)
    if log_probability < next(least, _LEAST_LOG_PROBABILITY_LONG):
        return ""
    once = without_loops(cleaned, sound)
    bare = _bare(once)
    doubtful = sound.sound_ms < _NOISE_WORD_SOUND_MS or log_probability < _NOISE_WORD_LOG_PROBABILITY
    if bare in _NOISE_WORDS and doubtful and sound.sound_ms < _LONG_MS:
        return ""
    if sound.sound_ms <= _BACKCHANNEL_MS and bare in _BACKCHANNELS:
        return _BACKCHANNELS[bare]
    return once


def without_loops(text: str, sound: Sound) -> str:
    """Keep one of words that repeat faster than anybody speaks, like "Go, go, go, go" in half a second."""
    words = text.split()
    if len(words) * 1000 <= _FASTEST_WORDS_PER_S * max(sound.sound_ms, 1):
        return text
    keys = [_bare(word) for word in words]
    for length in range(1, len(words) // 2 + 1):
        if all(key == keys[index % length] for index, key in enumerate(keys)):
            return " ".join(words[:length]).rstrip(",-.") + "."
    return text


def _bare(text: str) -> str:
    """Return the letters and digits in lower case, with single spaces and hyphens between them."""
    return " ".join(re.sub(r"[^\w\s'-]", " ", text.casefold()).split()).strip("-' ")
