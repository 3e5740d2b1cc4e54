"""Vapi's types as this server has them, published as JSON Schema 2020-12 that needs nothing beside itself."""

import json
from functools import cache
from typing import Any, cast

from bargein.wire import contract
from bargein.wire.client_messages import CLIENT_MESSAGES

DIALECT = "https://json-schema.org/draft/2020-12/schema"

_MESSAGES = ("ClientMessage", "ServerMessage", "ClientInboundMessage")
_RESOURCES = (
    "Assistant", "CreateAssistantDTO", "UpdateAssistantDTO", "AssistantOverrides", "Call", "CreateCallDTO",
    "UpdateCallDTO", "CallBatchResponse", "CallPaginatedResponse", "CreateCustomerDTO", "PhoneNumber",
    "CreatePhoneNumberDTO", "UpdatePhoneNumberDTO", "PhoneNumberPaginatedResponse", "Tool", "CreateToolDTO",
    "UpdateToolDTO", "Squad", "CreateSquadDTO", "UpdateSquadDTO", "Session", "CreateSessionDTO", "UpdateSessionDTO",
    "SessionPaginatedResponse", "Chat", "CreateChatDTO", "CreateWebChatDTO", "ChatPaginatedResponse",
    "OpenAIResponsesRequest", "File", "UpdateFileDTO",
)  # fmt: skip

# What a pattern with Unicode categories says, as far as every reader of patterns can tell: Python's knows none.
_PORTABLE = {r"^\p{L}[\p{L}\d]*(?::[+-]?\d+)?$": r"^[^\s\d:][^\s:]*(?::[+-]?\d+)?$"}


@cache
def names() -> tuple[str, ...]:
    """The types that are published: all messages, and the main resources."""
    return tuple(name for name in contract.definitions() if name.startswith(_MESSAGES) or name in _RESOURCES)


@cache
def schema_text(name: str) -> str:
    """The schema of a published type as JSON text.

    Raises:
        KeyError: there is none of that name.
    """
    if name not in names():
        raise KeyError(name)
    own = cast("dict[str, Any]", portable(contract.definitions()[name]))
    parts = contract.reached(name)
    if not any(name in contract.references(contract.definitions()[part]) for part in parts):
        parts -= {name}  # only a type that is made of its own kind is needed twice
    head: dict[str, Any] = {"$schema": DIALECT, "$id": f"urn:bargein:schema:{name}", "title": name}
    if description := _descriptions().get(name):
        head["description"] = description
    defined = {part: portable(contract.definitions()[part]) for part in sorted(parts)}
    return json.dumps({**head, **own, "$defs": defined}, separators=(",", ":"))


@cache
def _descriptions() -> dict[str, str]:
    """What our own words say of a type, by its name."""
    types = contract.messages("ClientMessage")
    return {
        types[kind]: (model.__doc__ or "").partition("\n\n")[0].replace("\n    ", " ")
        for kind, model in CLIENT_MESSAGES.items()
    }


def portable(node: object) -> object:
    """A schema with its patterns as every reader of patterns can read them."""
    if isinstance(node, dict):
        made = {key: portable(value) for key, value in cast("dict[str, Any]", node).items()}
        pattern: object = made.get("pattern")
        return made | ({"pattern": _PORTABLE[pattern]} if isinstance(pattern, str) and pattern in _PORTABLE else {})
    return [portable(value) for value in cast("list[object]", node)] if isinstance(node, list) else node
