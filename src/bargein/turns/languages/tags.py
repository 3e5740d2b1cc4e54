"""Languages by the tags that Vapi's transcribers have: "es", "es-MX", "hi-Latn", "cmn", "en_es", "Spanish", "multi"."""

from collections.abc import Sequence
from functools import lru_cache

from bargein.turns.languages.arabic import ARABIC
from bargein.turns.languages.chinese import CHINESE
from bargein.turns.languages.dutch import DUTCH
from bargein.turns.languages.english import ENGLISH
from bargein.turns.languages.french import FRENCH
from bargein.turns.languages.german import GERMAN
from bargein.turns.languages.hindi import HINDI
from bargein.turns.languages.italian import ITALIAN
from bargein.turns.languages.japanese import JAPANESE
from bargein.turns.languages.korean import KOREAN
from bargein.turns.languages.language import Language, merged
from bargein.turns.languages.polish import POLISH
from bargein.turns.languages.portuguese import PORTUGUESE
from bargein.turns.languages.russian import RUSSIAN
from bargein.turns.languages.spanish import SPANISH
from bargein.turns.languages.swedish import SWEDISH
from bargein.turns.languages.turkish import TURKISH

LANGUAGES: dict[str, Language] = {
    language.code: language
    for language in (
        ENGLISH, SPANISH, FRENCH, GERMAN, HINDI, RUSSIAN, PORTUGUESE, JAPANESE, ITALIAN, DUTCH, ARABIC, CHINESE, KOREAN,
        POLISH, SWEDISH, TURKISH,
    )
}  # fmt: skip
"""The languages by code. The first ten are those that callers may mix under `multi`, as at Deepgram."""

ENGLISH_CODE = ENGLISH.code
MULTILINGUAL = "multi"
"""The key of all ten languages of `multi` together."""

_MIXED = 10
_AUTOMATIC = frozenset({"multi", "multilingual", "auto"})
_SAME = {"cmn": "zh", "yue": "zh", "mandarin": "zh"}
_BILINGUAL = frozenset({"ar_en", "cmn_en", "en_es"})
_JOIN = "+"


def key_of_tags(tags: Sequence[str]) -> str:
    """Return the key of the languages that tags name, for `Plan.language`.

    Args:
        tags: codes of ISO 639-1 or BCP 47, Speechmatics' pairs ("en_es"), English names, or `multi` and `auto`.

    Returns:
        A code ("es"), several joined by "+" ("en+es"), or `multi`. A language whose words are not known counts as
        English, whose defaults are Vapi's.
    """
    codes: list[str] = []
    for tag in tags:
        parts = tag.split("_") if tag.lower() in _BILINGUAL else [tag]
        codes += [_code(part) for part in parts]
    if MULTILINGUAL in codes:
        return MULTILINGUAL
    return _JOIN.join(dict.fromkeys(codes)) or ENGLISH_CODE


@lru_cache(maxsize=256)
def find_language(key: str) -> Language:
    """Return the words of a language, or of several together, by the key of `key_of_tags`.

    A code that is not known counts as English.
    """
    if key == MULTILINGUAL:
        return merged(key, list(LANGUAGES.values())[:_MIXED])
    if _JOIN not in key:
        return LANGUAGES.get(key, ENGLISH)
    return merged(key, [LANGUAGES.get(code, ENGLISH) for code in key.split(_JOIN)])


_BY_NAME = {language.name.lower(): code for code, language in LANGUAGES.items()}


def _code(tag: str) -> str:
    lowered = tag.strip().lower()
    if lowered in _AUTOMATIC:
        return MULTILINGUAL
    primary = lowered.replace("_", "-").split("-")[0]
    code = _SAME.get(primary, _BY_NAME.get(primary, primary))
    return code if code in LANGUAGES else ENGLISH_CODE
