r"""Structured outputs of the type `regex`: a pattern in the transcript, without a model.

By Vapi's `CreateStructuredOutputDTO`: the pattern is RE2's, raw or as a literal (`/\d+/gi`), and the type of the
schema says what the matches become.
"""

from bargein.patterns import PatternError, Search
from bargein.wire.base import JsonObject

_FLAGS = frozenset("gimsuy")
_USED_FLAGS = "ims"


def search_of(regex: str) -> Search:
    """Compile the pattern of a structured output.

    Raises:
        PatternError: it is not a regular expression.
    """
    source, flags = regex, ""
    if regex.startswith("/") and (end := regex.rfind("/")) > 0 and set(regex[end + 1 :]) <= _FLAGS:
        source, flags = regex[1:end], "".join(flag for flag in _USED_FLAGS if flag in regex[end + 1 :])
    if not source:
        raise PatternError("must not be empty")
    return Search(source, flags)


def value_of(regex: str, schema: JsonObject, transcript: str) -> object:
    """Return the value of a structured output; None if there is no match of the pattern.

    Args:
        regex: the pattern.
        schema: the schema, whose `type` counts: boolean (is there a match), string (the first match), number or integer
            (the first match as a number), array (all matches). Of a match its first group counts, if it has one.
        transcript: the text that is searched.

    Raises:
        PatternError: the pattern is not a regular expression.
    """
    found = search_of(regex).matches(transcript)
    match schema.get("type"):
        case "boolean":
            return bool(found)
        case "array":
            return found
        case "number" | "integer" as kind:
            return _number(found[0], whole=kind == "integer") if found else None
        case _:
            return found[0] if found else None


def _number(text: str, *, whole: bool) -> float | int | None:
    try:
        value = float(text.replace(",", "").strip())
        return int(value) if whole or value.is_integer() else value
    except (ValueError, OverflowError):
        return None
