"""Phrases of voicemails, call screening services and menus: one module for each language that turn-taking knows.

The texts are regular expressions over words without punctuation, apostrophes and accents, in lower case; `classify`
folds both sides in the same way. In Chinese and Japanese there are no spaces.
"""

from bargein.call.hearing.answering.phrases.arabic import ARABIC
from bargein.call.hearing.answering.phrases.chinese import CHINESE
from bargein.call.hearing.answering.phrases.dutch import DUTCH
from bargein.call.hearing.answering.phrases.english import ENGLISH
from bargein.call.hearing.answering.phrases.french import FRENCH
from bargein.call.hearing.answering.phrases.german import GERMAN
from bargein.call.hearing.answering.phrases.hindi import HINDI
from bargein.call.hearing.answering.phrases.italian import ITALIAN
from bargein.call.hearing.answering.phrases.japanese import JAPANESE
from bargein.call.hearing.answering.phrases.kinds import Phrases
from bargein.call.hearing.answering.phrases.korean import KOREAN
from bargein.call.hearing.answering.phrases.polish import POLISH
from bargein.call.hearing.answering.phrases.portuguese import PORTUGUESE
from bargein.call.hearing.answering.phrases.russian import RUSSIAN
from bargein.call.hearing.answering.phrases.spanish import SPANISH
from bargein.call.hearing.answering.phrases.swedish import SWEDISH
from bargein.call.hearing.answering.phrases.turkish import TURKISH

LANGUAGES: dict[str, Phrases] = {
    "en": ENGLISH,
    "es": SPANISH,
    "fr": FRENCH,
    "de": GERMAN,
    "hi": HINDI,
    "ru": RUSSIAN,
    "pt": PORTUGUESE,
    "ja": JAPANESE,
    "it": ITALIAN,
    "nl": DUTCH,
    "ar": ARABIC,
    "zh": CHINESE,
    "ko": KOREAN,
    "pl": POLISH,
    "sv": SWEDISH,
    "tr": TURKISH,
}
"""The phrases by code of ISO 639-1: the languages of `bargein.turns.languages`."""

__all__ = ["LANGUAGES", "Phrases"]
