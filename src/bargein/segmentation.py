"""Words of scripts that are written without spaces, by ICU's dictionaries. Only this module imports `icu4py`.

ICU is what Vapi's runtime has as `Intl.Segmenter`, so that the counts are the same. One dictionary serves Chinese,
Cantonese and Japanese, and the others their scripts, whatever the language is called.
"""

import re
from functools import lru_cache

from icu4py.breakers import WordBreaker

_SYLLABIC = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff"
UNSPACED = f"\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff{_SYLLABIC}"
"""The characters of those scripts for a class of `re`: kana, Han, Thai, Lao, Burmese and Khmer."""
_LETTER = re.compile(f"[{_SYLLABIC}]")
"""A letter of a script in which one letter is no word: it is the rest of one that is not complete yet."""


@lru_cache(maxsize=8192)
def count_segments(text: str) -> int:
    """Count the words of a short text; what has neither a letter nor a digit is none."""
    words = [word for word in WordBreaker(text, "en") if any(map(str.isalnum, word))]
    return sum(_LETTER.fullmatch(word) is None for word in words) or min(1, len(words))
