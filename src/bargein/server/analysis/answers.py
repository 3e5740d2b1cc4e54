"""Values in the text of a model's answer."""

import json
import re

from bargein.errors import BargeinError
from bargein.wire.base import JsonObject
from bargein.wire.json import read_json

_FENCED = re.compile(r"```[a-zA-Z0-9]*[ \t]*\n(.*?)\n?[ \t]*```", re.DOTALL)
_MOST_STARTS = 20


class AnswerError(BargeinError, ValueError):
    """An answer without a value that can be read; the text says what is missing, without words of the answer."""


def value_in(answer: str, schema: JsonObject) -> object:
    """Return the JSON value in an answer: all of it, in a code block, or between other words.

    The answer to a schema of texts may be the text itself.

    Args:
        answer: the answer.
        schema: the schema that the value is to be valid by.

    Raises:
        AnswerError: it has none.
    """
    text = answer.strip()
    if not text:
        raise AnswerError("the answer is empty")
    candidates = [text, *(found[1].strip() for found in _FENCED.finditer(text))]
    for candidate in candidates:
        try:
            return read_json(candidate)
        except ValueError:
            continue
    found = _within(text)
    if found is not None:
        return found
    if schema.get("type") == "string":
        return text
    raise AnswerError("the answer is not JSON")


def _within(text: str) -> object:
    """Return the first object or array in a text; None: it has none."""
    decoder = json.JSONDecoder()
    starts = [found.start() for found in re.finditer(r"[\[{]", text)][:_MOST_STARTS]
    for start in starts:
        try:
            _, end = decoder.raw_decode(text, start)
            return read_json(text[start:end])  # which refuses what cannot be stored
        except (ValueError, RecursionError):
            continue
    return None
