"""An assistant's tools as the model is told them, and what is said about each of their calls.

A tool is Vapi's JSON of it, expanded (`ports.ToolRunner.expand`), so that each stands for one function.
"""

import json
import re
from collections.abc import Sequence
from typing import Any, NamedTuple, cast

from bargein.ports import ToolCall, ToolResult
from bargein.turns.events import DelayMessage
from bargein.wire.base import JsonObject

MOST_TOOLS = 128
"""OpenAI takes no more functions than this."""
DEFAULT_TIMEOUT_S = 20.0
"""Vapi's default of `server.timeoutSeconds`."""
LONGEST_S = 600.0
FILLER_AFTER_MS = 1000
FILLERS = ("One moment.", "Just a second.", "Give me a moment.")
"""Said when a tool has no `request-start` message, its reply had no words, and it is not quick (Vapi's schema has the
assistant say something of that kind at the start of every such call)."""

BUILTIN_TYPES = frozenset({"endCall", "dtmf", "transferCall", "handoff", "voicemail"})
"""What the call itself carries out; every other type reaches outside of it."""

_DESCRIPTIONS = {
    "endCall": "End the phone call. Use it when the conversation is over.",
    "dtmf": "Press keys on the telephone's keypad.",
    "transferCall": "Transfer the call.",
    "handoff": "Hand the call to another assistant, when your instructions or the caller's wish call for it.",
    "voicemail": "Leave a message when an answering machine has taken the call.",
}
_KEYS: JsonObject = {
    "type": "object",
    "properties": {
        "dtmf": {"type": "string", "description": "The keys, in order: 0 to 9, * and #; w waits half a second."}
    },
    "required": ["dtmf"],
}
_NOTHING: JsonObject = {"type": "object", "properties": {}}
_BAD_NAME = re.compile(r"[^a-zA-Z0-9_-]")


class ToolDeclarations:
    """The tools of an assistant, by the names that its model knows.

    Attributes:
        declarations: the same as OpenAI declares functions.
    """

    def __init__(self, tools: Sequence[JsonObject]) -> None:
        self._by_name: dict[str, JsonObject] = {}
        for tool in tools[:MOST_TOOLS]:
            name = self._free(name_of(tool))
            self._by_name[name] = tool
        self.declarations = tuple(_declaration(name, tool) for name, tool in self._by_name.items())

    def find(self, name: str) -> JsonObject | None:
        """The tool that a model means."""
        return self._by_name.get(name)

    def _free(self, name: str) -> str:
        number, free = 2, name
        while free in self._by_name:
            free, number = f"{name[:60]}_{number}", number + 1
        return free


def name_of(tool: JsonObject) -> str:
    """What the model calls a tool: its function's name, its own (`apiRequest`), or its type."""
    for name in (_function(tool).get("name"), tool.get("name")):
        if isinstance(name, str) and name:
            return name[:64]
    kind = str(tool.get("type"))
    if kind == "handoff":
        first = next(map(label_of, destinations_of(tool)), "assistant")
        return _BAD_NAME.sub("_", f"handoff_to_{first}")[:64]
    return "leave_voicemail" if kind == "voicemail" else _BAD_NAME.sub("_", kind)[:64]


def _function(tool: JsonObject) -> JsonObject:
    function: object = tool.get("function")
    return cast("JsonObject", function) if isinstance(function, dict) else {}


def _declaration(name: str, tool: JsonObject) -> JsonObject:
    function = _function(tool)
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
        case "transferCall" | "handoff":
            return _destinations(tool)
        case _:
            return _NOTHING


def _destinations(tool: JsonObject) -> JsonObject:
    """The model chooses among the destinations by their numbers, addresses or names."""
    known = {label_of(one): one for one in destinations_of(tool)}
    if not known:
        return _NOTHING
    told = "; ".join(f"{label}: {one['description']}" for label, one in known.items() if one.get("description"))
    choice: JsonObject = {"type": "string", "enum": list(known), "description": told or "Where to."}
    return {"type": "object", "properties": {"destination": choice}, "required": ["destination"]}


def destinations_of(tool: JsonObject) -> list[JsonObject]:
    """A tool's `destinations` that are objects."""
    given: object = tool.get("destinations")
    found = cast("list[object]", given) if isinstance(given, list) else []
    return [cast("JsonObject", one) for one in found if isinstance(one, dict)]


def label_of(destination: JsonObject) -> str:
    """What tells a destination from the others: its number, SIP address or assistant."""
    for field in ("number", "sipUri", "assistantName", "assistantId", "squadId"):
        value: object = destination.get(field)
        if isinstance(value, str) and value:
            return value
    return str(destination.get("type"))


def is_async(tool: JsonObject) -> bool:
    """Whether the assistant moves on without the tool's answer (`async`)."""
    return tool.get("async") is True and tool.get("type") not in BUILTIN_TYPES


def timeout_s(tool: JsonObject) -> float:
    """How long a call of the tool may take in all, its retries (`backoffPlan`) included."""
    server: object = tool.get("server")
    parts = [cast("JsonObject", server) if isinstance(server, dict) else {}, tool]
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


class Start(NamedTuple):
    """What is said when a tool is called."""

    text: str = ""
    blocking: bool = False


class End(NamedTuple):
    """What follows a tool's answer; the fields are those of `turns.events.ToolReturned`."""

    say: str | None = None
    tell: str | None = None
    ends_call: bool = False


def start_of(tool: JsonObject, arguments: JsonObject, count: int) -> Start | None:
    """The `request-start` message of a call, the `count`th; None: the tool has none.

    An async tool has none; its `request-complete` is said at once, as Vapi's schema has it.
    """
    if is_async(tool):
        message = _pick(_eligible(tool, "request-complete", arguments), count)
        end = None if message is None else _end(message)
        return Start(end.say or "") if end is not None else None
    given = [m for m in _messages(tool) if m.get("type") == "request-start"]
    if not given and tool.get("type") == "transferCall":
        return _before_transfer(tool, arguments)
    message = _pick(_eligible(tool, "request-start", arguments), count)
    if message is None:
        return Start() if given else None
    return Start(_text(message), message.get("blocking") is True)


def _before_transfer(tool: JsonObject, arguments: JsonObject) -> Start | None:
    """What the caller hears before being put through (`destination.message`); an assistant is put on without a word."""
    known = destinations_of(tool)
    wanted: object = arguments.get("destination")
    chosen = next((one for one in known if label_of(one) == wanted), known[0] if len(known) == 1 else None)
    if chosen is None or chosen.get("message") is None:
        return None
    message: object = chosen["message"]
    if isinstance(message, dict):
        return Start(_text(cast("JsonObject", message)), blocking=True)
    return Start(str(message).strip(), blocking=True)


def delayed_of(tool: JsonObject, arguments: JsonObject, count: int) -> tuple[DelayMessage, ...]:
    """The `request-response-delayed` messages: those of one timing are variants, those of others come later."""
    if is_async(tool):
        return ()
    by_time: dict[int, list[JsonObject]] = {}
    for message in _eligible(tool, "request-response-delayed", arguments):
        given: object = message.get("timingMilliseconds")
        by_time.setdefault(int(cast("float", given)) if _is_number(given) else 1000, []).append(message)
    texts = {at_ms: _text(_pick(variants, count) or {}) for at_ms, variants in by_time.items()}
    return tuple(DelayMessage(at_ms, text) for at_ms, text in sorted(texts.items()) if text)


def filler(count: int) -> DelayMessage:
    """What is said where the tool has no message for it."""
    return DelayMessage(FILLER_AFTER_MS, FILLERS[count % len(FILLERS)])


def end_of(tool: JsonObject, arguments: JsonObject, result: ToolResult, count: int) -> End:
    """What follows a result: the message that the tool's server gave, the tool's own, or the model's answer."""
    kind = "request-failed" if result.failed else "request-complete"
    if is_async(tool):
        return End()
    if result.message is not None and result.message.get("type", kind) == kind:
        return _end(result.message)
    message = _pick(_eligible(tool, kind, arguments), count)
    return End() if message is None else _end(message)


def _end(message: JsonObject) -> End:
    text = _text(message)
    if message.get("role") == "system":
        return End(tell=text or None)
    return End(say=text, ends_call=message.get("endCallAfterSpokenEnabled") is True)


def _messages(tool: JsonObject) -> list[JsonObject]:
    given: object = tool.get("messages")
    found = cast("list[object]", given) if isinstance(given, list) else []
    return [cast("JsonObject", one) for one in found if isinstance(one, dict)]


def _eligible(tool: JsonObject, kind: str, arguments: JsonObject) -> list[JsonObject]:
    """The messages of a kind whose conditions hold; those that have conditions go before those that have none."""
    of_kind = [m for m in _messages(tool) if m.get("type") == kind]
    holding = [m for m in of_kind if all(_holds(c, arguments) for c in _conditions(m))]
    return [m for m in holding if _conditions(m)] or holding


def _pick(variants: Sequence[JsonObject], count: int) -> JsonObject | None:
    """One of the variants, another one each time; not by chance, so that a call can be told again."""
    return variants[count % len(variants)] if variants else None


def _conditions(message: JsonObject) -> list[JsonObject]:
    given: object = message.get("conditions")
    return cast("list[JsonObject]", given) if isinstance(given, list) else []


def _holds(condition: object, arguments: JsonObject) -> bool:
    """Vapi's `Condition` on an argument: compared as numbers where both are numbers, else as text."""
    if not isinstance(condition, dict):
        return False
    given = cast("JsonObject", condition)
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
    """A message's text: of `contents` the English one or the first, else `content`."""
    contents: object = message.get("contents")
    texts = (
        [cast("JsonObject", c) for c in cast("list[object]", contents) if isinstance(c, dict)]
        if isinstance(contents, list)
        else []
    )
    chosen = next((c for c in texts if str(c.get("language", "")).startswith("en")), texts[0] if texts else message)
    text: object = chosen.get("text") if texts else chosen.get("content")
    return text.strip() if isinstance(text, str) else ""


def arguments_of(call: ToolCall) -> JsonObject | None:
    """The arguments that a model gave; none at all is an empty object. None: they are no JSON object."""
    if not call.arguments.strip():
        return {}
    try:
        value: object = json.loads(call.arguments)
    except (ValueError, RecursionError):
        return None
    return cast("JsonObject", value) if isinstance(value, dict) else None
