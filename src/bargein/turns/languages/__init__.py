"""The words of the languages that turn-taking knows: one module for each, and `tags` to find them by a language tag."""

from bargein.turns.languages.language import Language
from bargein.turns.languages.tags import ENGLISH_CODE, LANGUAGES, MULTILINGUAL, find_language, key_of_tags

__all__ = ["ENGLISH_CODE", "LANGUAGES", "MULTILINGUAL", "Language", "find_language", "key_of_tags"]
