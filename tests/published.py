"""Checks of messages against the types that the server publishes for them."""

import json
from functools import cache
from typing import Any

from jsonschema import Draft202012Validator

from bargein.server.api.schemas import schema_text
from bargein.wire import contract


@cache
def validator(name: str) -> Draft202012Validator:
    """Return a validator for a published type."""
    return Draft202012Validator(json.loads(schema_text(name)))


def conforms(message: dict[str, Any], side: str = "ClientMessage") -> None:
    """Check a message against its published type; fast enough for every message of every test.

    Args:
        message: the message itself; an error for a client's own message has Vapi's error shape and no type.
        side: `ClientMessage` or `ServerMessage`.
    """
    if "type" not in message:
        assert message.keys() == {"message", "error", "statusCode"}, message
        return
    name = contract.messages(side)[message["type"]]
    found = contract.problems(name, message)
    assert not found, (name, found)
    assert contract.without_nulls(name, message) == message, "a field is null that must not be"
