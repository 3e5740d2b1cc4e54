"""Reading of the messages of vendors' transcribers, and values of their queries."""

from bargein.providers.http import StreamError, json_object
from bargein.wire.base import JsonObject
from bargein.wire.json import as_objects

_MOST_SECONDS = 1e9


def flag(value: bool) -> str:  # noqa: FBT001  # a value of a query
    """Return a boolean as a value of a query."""
    return "true" if value else "false"


def vendor_object(message: str | bytes) -> dict[str, object]:
    """Read the JSON object in a text message.

    Raises:
        StreamError: the message is binary, or something else.
    """
    if isinstance(message, bytes):
        raise StreamError("it is binary")
    return json_object(message)


def unit_or_none(value: object) -> float | None:
    """Return a number from 0 to 1; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if 0 <= value <= 1 else None


def mean_confidence(words: object, name: str = "confidence") -> float | None:
    """Return the mean confidence of a list of words; None if none has one."""
    scores = [score for word in as_objects(words) if (score := unit_or_none(word.get(name))) is not None]
    return sum(scores) / len(scores) if scores else None


def seconds_as_ms(*seconds: object) -> int | None:
    """Return a sum of seconds in milliseconds; None if one of them is no possible number."""
    known = [
        value
        for value in seconds
        if isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= _MOST_SECONDS
    ]
    return round(sum(known) * 1000) if len(known) == len(seconds) else None


def first_object(values: object) -> JsonObject:
    """Return the first object of a list; an empty one if there is none."""
    objects = as_objects(values)
    return objects[0] if objects else {}
