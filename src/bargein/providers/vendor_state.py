"""The state of a vendor that a tool call carries (`ToolCall.vendor_state`), each vendor's under its own name."""

import json

from bargein.ports import ToolCall
from bargein.wire.json import as_object, read_json

MOST_CHARS = 256 * 1024
"""The longest state that is kept with a call; it is in the conversation of every later request."""


def state_text(owner: str, value: object) -> str:
    """Return a state as text; empty for an empty or too long one.

    Args:
        owner: the reader that wrote it; after a handoff to another vendor's model, that one ignores it.
        value: JSON.
    """
    if not value:
        return ""
    text = json.dumps({owner: value}, ensure_ascii=False)
    return text if len(text) <= MOST_CHARS else ""


def state_of(call: ToolCall, owner: str) -> object:
    """Return the state that `owner` wrote; None if there is none."""
    try:
        return as_object(read_json(call.vendor_state)).get(owner) if call.vendor_state else None
    except ValueError:
        return None
