"""Whether a message is of the type that the server publishes for it."""

import json
from functools import cache
from typing import Any

from jsonschema import Draft202012Validator

from bargein.server.api.schemas import schema_text
from bargein.wire import contract


@cache
def validator(name: str) -> Draft202012Validator:
    """A validator for a published type, made of what anybody can fetch."""
    return Draft202012Validator(json.loads(schema_text(name)))


def conforms(message: dict[str, Any], side: str = "ClientMessage") -> None:
    """See that a message is as published; quick enough for every message of every test.

    Args:
        message: bare; what refuses a client's own message is none, and has Vapi's error shape.
        side: `ClientMessage` or `ServerMessage`.
    """
    if "type" not in message:
        assert message.keys() == {"message", "error", "statusCode"}, message
        return
    name = contract.messages(side)[message["type"]]
    found = contract.problems(name, message)
    assert not found, (name, found)
    assert contract.without_nulls(name, message) == message, "a field that must not be null is"
