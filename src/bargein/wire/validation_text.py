"""The error texts of class-validator, which validates requests in Vapi's API."""

from collections.abc import Iterable

NUMBER = "must be a number conforming to the specified constraints"
INTEGER = "must be an integer number"
STRING = "must be a string"
BOOLEAN = "must be a boolean value"
OBJECT = "must be an object"
ARRAY = "must be an array"
MISSING = "should not be null or undefined"
DATE = "must be a valid ISO 8601 date string"
ADDRESS = "must be a URL address"
UUID = "must be a UUID"

LONGEST_NAME = 200
"""The most characters of an unknown field's name that are quoted."""
_UNKNOWN = ("property ", " should not exist")


def one_of(values: Iterable[object]) -> str:
    """Return the text for a value outside of a fixed set."""
    return f"must be one of the following values: {', '.join(str(value) for value in values)}"


def at_least(limit: float) -> str:
    """Return the text for a number that is too small."""
    return f"must not be less than {limit:g}"


def at_most(limit: float) -> str:
    """Return the text for a number that is too large."""
    return f"must not be greater than {limit:g}"


def longer(limit: int) -> str:
    """Return the text for a string that is too short."""
    return f"must be longer than or equal to {limit} characters"


def shorter(limit: int) -> str:
    """Return the text for a string that is too long."""
    return f"must be shorter than or equal to {limit} characters"


def more_elements(limit: int) -> str:
    """Return the text for an array that is too short."""
    return f"must contain at least {limit} elements"


def fewer_elements(limit: int) -> str:
    """Return the text for an array that is too long."""
    return f"must contain no more than {limit} elements"


def matching(pattern: str) -> str:
    """Return the text for a string that a regular expression does not match."""
    return f"must match /{pattern}/ regular expression"


def unknown(name: str) -> str:
    """Return the text for a field that a type does not have."""
    return name.join(_UNKNOWN)


def is_unknown(text: str) -> bool:
    """Return True if a text is that for a field that a type does not have."""
    return text.startswith(_UNKNOWN[0]) and text.endswith(_UNKNOWN[1])


def sentence(path: str, text: str) -> str:
    """Return a path and its text as one message, as in class-validator.

    An array's item is called "each value in". The text for an unknown field has the field's name in it, and follows the
    path of the object.
    """
    if is_unknown(text):
        return path.removesuffix(text.removeprefix(_UNKNOWN[0]).removesuffix(_UNKNOWN[1])) + text
    *parents, name = path.split(".")
    if name.isdecimal() and parents:
        *parents, array = parents
        return ".".join([*parents, f"each value in {array} {text}"])
    return f"{path or 'the body'} {text}"
