"""Declarations of an assistant's tools for the model, and the messages of each tool call.

A tool is Vapi's JSON of it, expanded (`ports.ToolRunner.expand`), so that each is one function.
"""

import json
import re
from collections.abc import Sequence
from typing import Any, NamedTuple, cast

from bargein.ports import ToolCall, ToolResult
from bargein.turns.events import DelayMessage
from bargein.wire.base import JsonObject
from bargein.wire.json import as_list, as_object, as_object_or_none, as_objects, read_json

MOST_TOOLS = 128
"""OpenAI accepts no more functions than this."""
DEFAULT_TIMEOUT_S = 20.0
"""Vapi's default of `server.timeoutSeconds`."""
LONGEST_S = 600.0
"""The longest time limit of a tool that its owner can set."""
FILLER_AFTER_MS = 1000
FILLERS = ("One moment.", "Just a second.", "Give me a moment.")
"""Said when a tool has no `request-start` message, its reply had no words, and it takes long (Vapi's schema has the
assistant say something of that kind at the start of every such call)."""

BUILTIN_TYPES = frozenset({"endCall", "dtmf", "transferCall", "handoff", "voicemail", "sms", "sipRequest"})
"""The types that the call itself carries out; every other type reaches outside the call."""

_OR_BY_A_SERVER = frozenset({"sms", "sipRequest"})
"""Those of them that go to the tool's server instead, where it has one."""

_DESCRIPTIONS = {
    "endCall": "End the phone call. Use it when the conversation is over.",
    "dtmf": "Press keys on the telephone's keypad.",
    "transferCall": "Transfer the call.",
    "handoff": "Hand the call to another assistant, when your instructions or the caller's wish call for it.",
    "sms": "Send a text message to the caller, or to another telephone number.",
    "sipRequest": "Send a SIP request within the call.",
    "voicemail": "Leave a message when an answering machine has taken the call.",
}
_KEYS: JsonObject = {
    "type": "object",
    "properties": {
        "dtmf": {"type": "string", "description": "The keys, in order: 0 to 9, * and #; w waits half a second."}
    },
    "required": ["dtmf"],
}
_TEXT_MESSAGE: JsonObject = {
    "type": "object",
    "properties": {
        "message": {"type": "string", "description": "The text."},
        "to": {
            "type": "string",
            "description": "The number of the recipient with its country code (+15551234567); by default the caller.",
        },
    },
    "required": ["message"],
}
_NO_PARAMETERS: JsonObject = {"type": "object", "properties": {}}
_BAD_NAME = re.compile(r"[^a-zA-Z0-9_-]")


class ToolDeclarations:
    """The tools of an assistant, by the names under which its model calls them.

    Attributes:
        declarations: the tools as OpenAI declares functions.
    """

    def __init__(self, tools: Sequence[JsonObject]) -> None:
        self._by_name: dict[str, JsonObject] = {}
        for tool in tools[:MOST_TOOLS]:
            name = self._unused_name(name_of(tool))
            self._by_name[name] = tool
        self.declarations = tuple(_declaration(name, tool) for name, tool in self._by_name.items())

    def find(self, name: str) -> JsonObject | None:
        """Return the tool of this name, or None."""
        return self._by_name.get(name)

    def _unused_name(self, name: str) -> str:
        number, free = 2, name
        while free in self._by_name:
            free, number = f"{name[:60]}_{number}", number + 1
        return free


def name_of(tool: JsonObject) -> str:
    """Return the name under which the model calls a tool: its function's, its own (`apiRequest`), or its type."""
    for name in (as_object(tool.get("function")).get("name"), tool.get("name")):
        if isinstance(name, str) and name:
            return name[:64]
    kind = str(tool.get("type"))
    if kind == "handoff":
        first = next(map(label_of, destinations_of(tool)), "assistant")
        return _BAD_NAME.sub("_", f"handoff_to_{first}")[:64]
    return "leave_voicemail" if kind == "voicemail" else _BAD_NAME.sub("_", kind)[:64]


def _declaration(name: str, tool: JsonObject) -> JsonObject:
    function = as_object(tool.get("function"))
    described: object = function.get("description") or tool.get("description") or _DESCRIPTIONS.get(str(tool["type"]))
    declared: JsonObject = {"name": name}
    if described:
        declared["description"] = described
    parameters: object = function.get("parameters")
    declared["parameters"] = parameters if isinstance(parameters, dict) else _parameters(tool)
    if function.get("strict") is not None:
        declared["strict"] = function["strict"]
    return {"type": "function", "function": declared}


def _parameters(tool: JsonObject) -> JsonObject:
    match tool.get("type"):
        case "dtmf":
            return _KEYS
        case "sms":
            return _TEXT_MESSAGE
        case "sipRequest":
            given = {name: tool[name] for name in ("headers", "body") if isinstance(tool.get(name), dict)}
            return {"type": "object", "properties": given}
        case "transferCall" | "handoff":
            return _destinations(tool)
        case _:
            return _NO_PARAMETERS


def _destinations(tool: JsonObject) -> JsonObject:
    """Return parameters with which the model chooses a destination by its number, address or name."""
    known = {label_of(one): one for one in destinations_of(tool)}
    if not known:
        return _NO_PARAMETERS
    described = "; ".join(f"{label}: {one['description']}" for label, one in known.items() if one.get("description"))
    choice: JsonObject = {"type": "string", "enum": list(known), "description": described or "Where to."}
    return {"type": "object", "properties": {"destination": choice}, "required": ["destination"]}


def destinations_of(tool: JsonObject) -> list[JsonObject]:
    """Return a tool's `destinations` that are objects."""
    return as_objects(tool.get("destinations"))


def label_of(destination: JsonObject) -> str:
    """Return what identifies a destination: its number, SIP address or assistant."""
    for field in ("number", "sipUri", "assistantName", "assistantId", "squadId"):
        value: object = destination.get(field)
        if isinstance(value, str) and value:
            return value
    return str(destination.get("type"))


def is_async(tool: JsonObject) -> bool:
    """Return whether the assistant goes on without the tool's answer (`async`)."""
    return tool.get("async") is True and not is_builtin(tool)


def is_builtin(tool: JsonObject) -> bool:
    """Return whether the call itself carries out a tool."""
    kind: object = tool.get("type")
    by_server = kind in _OR_BY_A_SERVER and bool(as_object(tool.get("server")).get("url"))
    return kind in BUILTIN_TYPES and not by_server


def timeout_s(tool: JsonObject) -> float:
    """Return how long a call of the tool may take in all, including retries (`backoffPlan`)."""
    parts = [as_object(tool.get("server")), tool]
    seconds = next(
        (float(p["timeoutSeconds"]) for p in parts if _is_number(p.get("timeoutSeconds"))), DEFAULT_TIMEOUT_S
    )
    plan: JsonObject = next((p["backoffPlan"] for p in parts if isinstance(p.get("backoffPlan"), dict)), JsonObject())
    retries = int(plan["maxRetries"]) if _is_number(plan.get("maxRetries")) else 0
    pause_s = float(plan["baseDelaySeconds"]) if _is_number(plan.get("baseDelaySeconds")) else 0.0
    pauses = retries if plan.get("type") == "fixed" else 2 ** min(retries, 10) - 1
    return min(seconds * (retries + 1) + pause_s * pauses, LONGEST_S)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


class StartMessage(NamedTuple):
    """The message at the start of a tool call."""

    text: str = ""
    blocking: bool = False


class EndMessage(NamedTuple):
    """The message after a tool's result; the first fields are those of `turns.events.ToolReturned`.

    Attributes:
        say: said to the caller.
        system_message: added to the history.
        ends_call: whether the call ends afterwards.
        is_template: whether the texts are the tool's own, which are templates. Those of a tool's server are not: it
            may repeat what the caller said.
    """

    say: str | None = None
    system_message: str | None = None
    ends_call: bool = False
    is_template: bool = True


def start_of(tool: JsonObject, arguments: JsonObject, count: int) -> StartMessage | None:
    """Return the `request-start` message of the `count`th tool call; None: the tool has none.

    For an async tool it is the `request-complete` message, which is said at once, as Vapi's schema has it.
    """
    if is_async(tool):
        message = _pick(_eligible(tool, "request-complete", arguments), count)
        end = None if message is None else _end(message)
        return StartMessage(end.say or "") if end is not None else None
    given = [m for m in _messages(tool) if m.get("type") == "request-start"]
    if not given and tool.get("type") == "transferCall":
        return _before_transfer(tool, arguments)
    message = _pick(_eligible(tool, "request-start", arguments), count)
    if message is None:
        return StartMessage() if given else None
    return StartMessage(_text(message), message.get("blocking") is True)


def _before_transfer(tool: JsonObject, arguments: JsonObject) -> StartMessage | None:
    """Return the message before a transfer (`destination.message`); a handoff to an assistant has none."""
    known = destinations_of(tool)
    wanted: object = arguments.get("destination")
    chosen = next((one for one in known if label_of(one) == wanted), known[0] if len(known) == 1 else None)
    if chosen is None or chosen.get("message") is None:
        return None
    message: object = chosen["message"]
    if (as_json := as_object_or_none(message)) is not None:
        return StartMessage(_text(as_json), blocking=True)
    return StartMessage(str(message).strip(), blocking=True)


def delayed_of(tool: JsonObject, arguments: JsonObject, count: int) -> tuple[DelayMessage, ...]:
    """Return the `request-response-delayed` messages, one for each timing; messages of the same timing are variants."""
    if is_async(tool):
        return ()
    by_time: dict[int, list[JsonObject]] = {}
    for message in _eligible(tool, "request-response-delayed", arguments):
        given: object = message.get("timingMilliseconds")
        by_time.setdefault(int(cast("float", given)) if _is_number(given) else 1000, []).append(message)
    texts = {at_ms: _text(_pick(variants, count) or {}) for at_ms, variants in by_time.items()}
    return tuple(DelayMessage(at_ms, text) for at_ms, text in sorted(texts.items()) if text)


def filler(count: int) -> DelayMessage:
    """Return the message for a tool that has none."""
    return DelayMessage(FILLER_AFTER_MS, FILLERS[count % len(FILLERS)])


def end_of(tool: JsonObject, arguments: JsonObject, result: ToolResult, count: int) -> EndMessage:
    """Return the message after a result: the one that the tool's server gave, or the tool's own.

    An empty one means that the model answers.
    """
    kind = "request-failed" if result.failed else "request-complete"
    if is_async(tool):
        return EndMessage()
    if result.message is not None and result.message.get("type", kind) == kind:
        return _end(result.message)._replace(is_template=False)
    message = _pick(_eligible(tool, kind, arguments), count)
    return EndMessage() if message is None else _end(message)


def _end(message: JsonObject) -> EndMessage:
    text = _text(message)
    if message.get("role") == "system":
        return EndMessage(system_message=text or None)
    return EndMessage(say=text, ends_call=message.get("endCallAfterSpokenEnabled") is True)


def _messages(tool: JsonObject) -> list[JsonObject]:
    return as_objects(tool.get("messages"))


def _eligible(tool: JsonObject, kind: str, arguments: JsonObject) -> list[JsonObject]:
    """Return the messages of a kind whose conditions hold: those with conditions, or else those without."""
    of_kind = [m for m in _messages(tool) if m.get("type") == kind]
    holding = [m for m in of_kind if all(_holds(c, arguments) for c in _conditions(m))]
    return [m for m in holding if _conditions(m)] or holding


def _pick(variants: Sequence[JsonObject], count: int) -> JsonObject | None:
    """Return one of the variants, in turn; not at random, so that a replay gives the same."""
    return variants[count % len(variants)] if variants else None


def _conditions(message: JsonObject) -> list[object]:
    return as_list(message.get("conditions"))


def _holds(condition: object, arguments: JsonObject) -> bool:
    """Return whether Vapi's `Condition` on an argument holds: numbers are compared as such, other values as text."""
    given = as_object(condition)
    value, wanted = arguments.get(str(given.get("param"))), given.get("value")
    left, right = _comparable(value), _comparable(wanted)
    if type(left) is not type(right):
        left, right = _as_text(value), _as_text(wanted)
    match given.get("operator"):
        case "eq":
            return left == right
        case "neq":
            return left != right
        case "gt":
            return cast("Any", left) > right
        case "gte":
            return cast("Any", left) >= right
        case "lt":
            return cast("Any", left) < right
        case "lte":
            return cast("Any", left) <= right
        case _:
            return False


def _comparable(value: object) -> float | str:
    try:
        return float(cast("Any", value)) if not isinstance(value, bool) else _as_text(value)
    except (TypeError, ValueError):
        return _as_text(value)


def _as_text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _text(message: JsonObject) -> str:
    """Return a message's text: of `contents` the English one or the first, else `content`."""
    texts = as_objects(message.get("contents"))
    chosen = next((c for c in texts if str(c.get("language", "")).startswith("en")), texts[0] if texts else message)
    text: object = chosen.get("text") if texts else chosen.get("content")
    return text.strip() if isinstance(text, str) else ""


def arguments_of(call: ToolCall) -> JsonObject | None:
    """Return the arguments that a model gave, an empty object for none at all; None: they are not a JSON object."""
    if not call.arguments.strip():
        return {}
    try:
        value = read_json(call.arguments)
    except ValueError:
        return None
    return as_object_or_none(value)
