"""Vapi's types as this server implements them, each as a self-contained JSON Schema 2020-12."""

import json
from functools import cache
from typing import Any, cast

from bargein.server.api.openapi_components import portable
from bargein.server.api.resources import RESOURCES
from bargein.wire import contract
from bargein.wire.client_messages import CLIENT_MESSAGES

DIALECT = "https://json-schema.org/draft/2020-12/schema"

_MESSAGES = ("ClientMessage", "ServerMessage", "ClientInboundMessage")


@cache
def names() -> tuple[str, ...]:
    """Return the names of the published types: all messages, and those of the resources."""
    published = {name for resource in RESOURCES for name in resource.published}
    return tuple(name for name in contract.definitions() if name.startswith(_MESSAGES) or name in published)


@cache
def schema_text(name: str) -> str:
    """Return the schema of a published type as JSON text.

    Raises:
        KeyError: no published type has this name.
    """
    if name not in names():
        raise KeyError(name)
    own = cast("dict[str, Any]", portable(contract.definitions()[name]))
    parts = contract.referenced_types(name)
    if not any(name in contract.references(contract.definitions()[part]) for part in parts):
        parts -= {name}  # only a type that refers to itself has to be in its own $defs
    head: dict[str, Any] = {"$schema": DIALECT, "$id": f"urn:bargein:schema:{name}", "title": name}
    if description := _descriptions().get(name):
        head["description"] = description
    defined = {part: portable(contract.definitions()[part]) for part in sorted(parts)}
    return json.dumps({**head, **own, "$defs": defined}, separators=(",", ":"))


@cache
def _descriptions() -> dict[str, str]:
    """Return the first paragraphs of the docstrings of client messages by the names of their types."""
    types = contract.messages("ClientMessage")
    return {
        types[kind]: (model.__doc__ or "").partition("\n\n")[0].replace("\n    ", " ")
        for kind, model in CLIENT_MESSAGES.items()
    }
