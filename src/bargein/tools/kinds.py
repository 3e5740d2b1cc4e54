"""Kinds of tools: which of them this server runs, and what the others need.

A tool that this server does not run is kept, declared to the model, and answered with what it needs, so that no call
waits for it. One with a `server` goes to that server like a function.
"""

from collections.abc import Mapping

from bargein.wire.base import JsonObject
from bargein.wire.json import as_object

_OR_YOUR_OWN = "give the tool a server.url, or use a tool of type function, apiRequest or mcp"


def _by_oauth(vendor: str) -> str:
    return (
        f"needs {vendor}, which Vapi's dashboard connects by OAuth and no credential of its API holds; {_OR_YOUR_OWN}"
    )


def _by_vapi(what: str) -> str:
    return f"needs {what}; {_OR_YOUR_OWN}"


_GOOGLE, _GO_HIGH_LEVEL = _by_oauth("a Google account"), _by_oauth("a GoHighLevel account")

NEEDS: Mapping[str, str] = {
    "google.calendar.event.create": _GOOGLE,
    "google.calendar.availability.check": _GOOGLE,
    "google.sheets.row.append": _GOOGLE,
    "slack.message.send": _by_oauth("a Slack workspace"),
    "gohighlevel.calendar.availability.check": _GO_HIGH_LEVEL,
    "gohighlevel.calendar.event.create": _GO_HIGH_LEVEL,
    "gohighlevel.contact.create": _GO_HIGH_LEVEL,
    "gohighlevel.contact.get": _GO_HIGH_LEVEL,
    "ghl": _by_vapi("a workflow of a GoHighLevel account, which Vapi's dashboard imports"),
    "make": _by_vapi("a scenario of a Make account, which Vapi's dashboard imports"),
    "output": _by_vapi("Vapi's workflows, whose nodes return their output by it"),
}
"""Needs of tools that this server does not meet, by the type of the tool."""

NO_SIP_REQUEST = (
    "needs a SIP stack that can send requests within a call, which that of this server cannot; give the tool a "
    "server.url, and where the far end only needs keys use a tool of type dtmf"
)
NO_CODE = (
    "is off on this server, because it runs its author's code on this machine: set BARGEIN_CODE_RUNTIME to deno, bun "
    "or node, or give the tool a server.url"
)


def has_server(tool: JsonObject) -> bool:
    """Return whether a tool names a server of its own."""
    return bool(as_object(tool.get("server")).get("url"))


def need_of(tool: JsonObject, *, code: bool) -> str | None:
    """Return what a tool needs that this server has not, as the end of a sentence; None: it can be run.

    Args:
        tool: the tool.
        code: whether this server runs tools of type code.
    """
    if has_server(tool):
        return None
    match tool.get("type"):
        case "sipRequest":
            return NO_SIP_REQUEST
        case "code":
            return None if code else NO_CODE
        case kind:
            return NEEDS.get(str(kind))


def _texts(*required: str, optional: tuple[str, ...] = (), **more: object) -> JsonObject:
    properties: JsonObject = {name: {"type": "string"} for name in (*required, *optional)}
    return {"type": "object", "properties": {**properties, **more}, "required": list(required)}


CLIENT_TOOLS: Mapping[str, JsonObject] = {
    "bash": {
        "name": "bash",
        "description": "Run a command in a bash shell.",
        "parameters": _texts("command", restart={"type": "boolean"}),
    },
    "computer": {
        "name": "computer",
        "description": "Use the screen, the mouse and the keyboard of a computer.",
        "parameters": _texts("action", optional=("text",), coordinate={"type": "array", "items": {"type": "integer"}}),
    },
    "textEditor": {
        "name": "str_replace_editor",
        "description": "View, create and edit files: view, create, str_replace, insert, undo_edit.",
        "parameters": _texts(
            "command",
            "path",
            optional=("file_text", "old_str", "new_str"),
            insert_line={"type": "integer"},
            view_range={"type": "array", "items": {"type": "integer"}},
        ),
    },
}
"""Anthropic's tools (`…_20241022`), which the owner's server runs, with their parameters by Anthropic's reference."""
