"""The filter of what Whisper invents: credits of films on silence, loops, other scripts. Pure.

The model was trained on subtitles, so on noise and silence it writes what stands below films without speech. The
figures come from 30 clips of noise and 42 of words and commands: speech has a probability of no speech of 0.46 at the
most and a mean log-probability of -1.52 at the least (-0.72 if it is longer than 1.5 s). After a short word with little
silence behind it the model repeats itself, in speech as in noise.
"""

import re
import unicodedata

from bargein.providers.embedded.plausibility import Sound, without_loops
from bargein.providers.embedded.whisper_model import Heard

_MOST_NO_SPEECH = 0.5
_MOST_NO_SPEECH_OF_A_LOOP = 0.3
_LEAST = ((700, -1.6), (1_500, -1.5))
"""(milliseconds of sound, least log-probability): long speech gives the model more to be certain of."""

_LEAST_LONG = -1.4
_GUESS = -1.0
_MOST_CHARS_PER_S = 30.0
_SPARE_CHARS = 12
_LONGEST_UNIT = 40
_REPEATS = 3
_MANY_REPEATS = 6
_SYLLABLE = 2
"""A syllable of so many letters that is repeated six times is no word."""


_CREDITS = (
    "amara.org", "subtitl", "subtítul", "sous-titr", "untertitel", "sottotitol", "legendas", "ondertitel", "napisy",
    "altyazı", "undertext", "субтитр", "продолжение следует", "редактор", "корректор", "dimatorzok", "ترجمة نانسي",
    "اشترك", "字幕", "ご視聴",
    "チャンネル登録", "시청해", "구독", "mbc", "点赞", "點讚", "订阅", "訂閱", "thanks for watching",
    "thank you for watching", "gracias por ver", "merci d'avoir regardé", "obrigado por assistir", "zdf", "www.",
)  # fmt: skip
"""Parts of the credits that the model writes on silence and music."""

_BRACKETS = re.compile(r"\[[^\[\]]*\]|\([^()]*\)|（[^（）]*）|【[^【】]*】|[♪♫*<>_#]")
_SCRIPTS = {
    "ar": ("ARABIC",), "fa": ("ARABIC",), "ur": ("ARABIC",), "bn": ("BENGALI",), "bg": ("CYRILLIC",),
    "el": ("GREEK",), "he": ("HEBREW",), "hi": ("DEVANAGARI",), "mr": ("DEVANAGARI",), "ne": ("DEVANAGARI",),
    "ja": ("HIRAGANA", "KATAKANA", "CJK"), "ko": ("HANGUL",), "ru": ("CYRILLIC",), "ta": ("TAMIL",),
    "te": ("TELUGU",), "th": ("THAI",), "uk": ("CYRILLIC",), "zh": ("CJK",),
}  # fmt: skip
"""The scripts of languages that are not written in Latin letters, as the names of their characters begin."""


def filter_heard(heard: Heard, sound: Sound) -> str:
    """Return the plausible text; empty for a likely invention."""
    text = " ".join(_BRACKETS.sub(" ", heard.text).split())
    if not any(char.isalnum() for char in text) or any(part in heard.text.lower() for part in _CREDITS):
        return ""
    least = next((limit for up_to_ms, limit in _LEAST if sound.sound_ms < up_to_ms), _LEAST_LONG)
    if heard.no_speech > _MOST_NO_SPEECH or heard.log_probability < least:
        return ""
    if heard.log_probability < _GUESS and not _in_script(text, heard.language):
        return ""
    once = _without_loops(without_loops(text, sound))
    if len(once) < len(text) and heard.no_speech > _MOST_NO_SPEECH_OF_A_LOOP:
        return ""
    if len(once) > _SPARE_CHARS + _MOST_CHARS_PER_S * sound.sound_ms / 1000:
        return ""
    return once


def _in_script(text: str, language: str) -> bool:
    """Return True if a letter is of the language's script; Latin letters are not looked at."""
    scripts = _SCRIPTS.get(language)
    if scripts is None:
        return not any(char.isalpha() and not unicodedata.name(char, "").startswith("LATIN") for char in text)
    return any(unicodedata.name(char, "").startswith(scripts) for char in text)


def _without_loops(text: str) -> str:
    """Keep one of what repeats three times or more up to the end; nothing is kept of a syllable that repeats often."""
    for length in range(1, min(_LONGEST_UNIT, len(text) // _REPEATS) + 1):
        unit = text[-length:]
        if unit.isspace() or not any(char.isalnum() for char in unit):
            continue
        count, end = 0, len(text)
        while text.startswith(unit, end - length) and end >= length:
            count, end = count + 1, end - length
        if count >= _MANY_REPEATS and sum(map(str.isalnum, unit)) <= _SYLLABLE:
            return ""
        if count >= _REPEATS and (length > 1 or count > _REPEATS):
            once = unit.strip()
            return once if text[:end].strip() == once else (text[:end] + unit).strip()
    return text
