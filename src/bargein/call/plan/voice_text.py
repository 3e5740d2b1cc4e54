"""Compilation of `voice.chunkPlan` and its `formatPlan`: how a reply's text is cut and written for the voice."""

from collections.abc import Mapping
from dataclasses import dataclass

import structlog

from bargein.call.plan.compile import PlanError
from bargein.patterns import PatternError, Substitution, compile_substitution
from bargein.wire.assistant import Assistant
from bargein.wire.base import JsonObject
from bargein.wire.json import as_list_or_none, as_object, as_objects, as_string, as_strings

_log = structlog.get_logger("bargein.call")

FORMATTERS = frozenset({
    "markdown", "newline", "colon", "acronym", "dollarAmount", "email", "date", "time", "distance", "unit",
    "percentage", "phoneNumber", "number", "stripAsterisk",
})  # fmt: skip
"""The formatters that are on without `formattersEnabled`. Vapi's `asterisk`, `quote` and `dash` are off then."""

NUMBER_TO_DIGITS_CUTOFF = 2025
"""Vapi's default of `formatPlan.numberToDigitsCutoff`."""

MOST_REPLACEMENTS = 200
"""Most `formatPlan.replacements`: each is compiled at the start of a call and searched in every chunk."""

_FLAGS = {"ignore-case": "i", "multi-line": "m"}


@dataclass(frozen=True, slots=True)
class ExactReplacement:
    """A replacement of a word or phrase (Vapi's `ExactReplacement`).

    Attributes:
        key: what is replaced.
        value: what replaces it.
        everywhere: whether all of its occurrences in a chunk are replaced, not only the first.
    """

    key: str
    value: str
    everywhere: bool


Replacement = ExactReplacement | Substitution


@dataclass(frozen=True, slots=True, kw_only=True)
class FormatPlan:
    """A compiled `formatPlan`.

    Attributes:
        formatters: the formatters that run; those that Vapi always runs (tags, emoji) are not in it.
        cutoff: the largest number that is read as one (`numberToDigitsCutoff`).
        replacements: the owner's replacements, in their order; they come last.
        english: whether numbers, dates and the like are written out, which is done in English alone.
    """

    formatters: frozenset[str] = FORMATTERS
    cutoff: float = NUMBER_TO_DIGITS_CUTOFF
    replacements: tuple[Replacement, ...] = ()
    english: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class VoiceTextPlan:
    """A compiled `chunkPlan`.

    Attributes:
        flushes: whether a flush tag ends a chunk. It is never spoken, whatever this says.
        min_chars: the least length of a chunk (`minCharacters`); None: a sentence may have any, and the first clause of
            a reply is a chunk from 30 characters on.
        boundaries: the marks that end a chunk (`punctuationBoundaries`); None: those of sentences.
        formatting: the format plan; None: the voice gets the text as it is, but for flush tags and the marks that it
            does not carry out (`Voice.marks`).
    """

    flushes: bool = True
    min_chars: int | None = None
    boundaries: frozenset[str] | None = None
    formatting: FormatPlan | None = FormatPlan()


def compile_voice_text(assistant: Assistant) -> VoiceTextPlan:
    """Compile the chunk plan of an assistant's voice for a call.

    Replacements that this server cannot carry out are left out and logged; `check_voice_text` refuses them before.
    `inputMinCharacters`, `inputPunctuationBoundaries` and `inputReformattingEnabled` are the names that these fields
    had in Vapi's API once; clients still send them.
    """
    voice: JsonObject = {} if assistant.voice is None else assistant.voice.to_json()
    plan = as_object(voice.get("chunkPlan"))
    if plan.get("enabled") is False:
        return VoiceTextPlan(flushes=False, formatting=None)
    least: object = plan.get("minCharacters", voice.get("inputMinCharacters"))
    marks = as_list_or_none(plan.get("punctuationBoundaries", voice.get("inputPunctuationBoundaries")))
    formatting = as_object(plan.get("formatPlan"))
    enabled: object = formatting.get("enabled", voice.get("inputReformattingEnabled"))
    return VoiceTextPlan(
        min_chars=int(least) if isinstance(least, int | float) and least >= 1 else None,
        boundaries=None if marks is None else frozenset(as_strings(marks)),
        formatting=None if enabled is False else _format_plan(formatting, voice, assistant),
    )


def check_voice_text(assistant: Assistant) -> None:
    """Check that this server can carry out the replacements of an assistant's voice.

    Raises:
        PlanError: it cannot; the text names the field.
    """
    voice: JsonObject = {} if assistant.voice is None else assistant.voice.to_json()
    given = as_objects(as_object(as_object(voice.get("chunkPlan")).get("formatPlan")).get("replacements"))
    within = "voice.chunkPlan.formatPlan.replacements"
    if len(given) > MOST_REPLACEMENTS:
        raise PlanError(f"{within} must contain no more than {MOST_REPLACEMENTS} elements")
    for index, replacement in enumerate(given):
        try:
            _replacement(replacement)
        except PatternError as error:
            raise PlanError(f"{within}.{index}.regex {error}") from None


def _format_plan(given: JsonObject, voice: JsonObject, assistant: Assistant) -> FormatPlan:
    named = as_list_or_none(given.get("formattersEnabled"))
    cutoff: object = given.get("numberToDigitsCutoff")
    language = as_string(voice.get("language"))
    heard = [] if assistant.transcriber is None else assistant.transcriber.tags
    return FormatPlan(
        formatters=FORMATTERS if named is None else frozenset(as_strings(named)),
        cutoff=cutoff if isinstance(cutoff, int | float) else NUMBER_TO_DIGITS_CUTOFF,
        replacements=_replacements(as_objects(given.get("replacements"))),
        english=all(map(_is_english, heard if language is None else [language])),
    )


def _is_english(tag: str) -> bool:
    """Return True for the tag of English alone: `multi` and Speechmatics' pairs ("en_es") are other languages, too."""
    language, _, region = tag.lower().replace("_", "-").partition("-")
    return language in ("en", "english") and region != "es"


def _replacements(given: list[JsonObject]) -> tuple[Replacement, ...]:
    found: list[Replacement] = []
    for index, replacement in enumerate(given[:MOST_REPLACEMENTS]):
        try:
            one = _replacement(replacement)
        except PatternError as error:
            _log.warning("a replacement of the format plan is left out", index=index, problem=str(error))
            continue
        if one is not None:
            found.append(one)
    return tuple(found)


def _replacement(given: JsonObject) -> Replacement | None:
    """Return a compiled replacement; None if it replaces nothing.

    Raises:
        PatternError: its pattern cannot be used.
    """
    value = as_string(given.get("value")) or ""
    key, pattern = as_string(given.get("key")), as_string(given.get("regex"))
    if pattern:
        options = {str(one.get("type")): one.get("enabled") is True for one in as_objects(given.get("options"))}
        return compile_substitution(pattern, value, _flags(options), whole_word=options.get("whole-word", False))
    return ExactReplacement(key, value, given.get("replaceAllEnabled") is True) if key else None


def _flags(options: Mapping[str, bool]) -> str:
    return "".join(flag for name, flag in _FLAGS.items() if options.get(name))
