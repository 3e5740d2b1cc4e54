"""Compilation of an assistant's hooks to the engine's, with the tools that they call.

A hook that is not valid is left out and logged, as at Vapi: it does not fail the call.
"""

from collections.abc import Callable
from dataclasses import dataclass

import structlog

from bargein.errors import BargeinError
from bargein.turns.hooks.plan import Action, Hook, HookOn
from bargein.turns.roles import Role
from bargein.wire.base import JsonObject
from bargein.wire.json import as_list, as_list_or_none, as_object, as_objects, as_strings
from bargein.wire.ownership import is_callers, leads_to_caller
from bargein.wire.plans import MOST_HOOKS

_log = structlog.get_logger("bargein.call")

_TIMEOUT_S = 7.5
_MOST_IDLE = 3
_IDLE_S = 10.0
"""Vapi's defaults of `timeoutSeconds`, `triggerMaxCount` (and `idleMessageMaxSpokenCount`), `idleTimeoutSeconds`."""
_TRANSCRIBER_CONFIDENCE = 0.4
_CONFIDENCE_SPAN = 0.2
_MOST_ACTIONS = 20
_MOST_CHARS = 10_000
_LONGEST_S = 43_200.0
_ROLES: dict[str, Role] = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "assistant": "assistant",
    "function": "assistant",
    "tool": "system",  # a result without a call is no message that a model accepts
}
_PLAIN: dict[str, HookOn] = {
    "assistant.speech.interrupted": "assistant.speech.interrupted",
    "customer.speech.interrupted": "customer.speech.interrupted",
    "model.response.timeout": "model.response.timeout",
}
_LOW_CONFIDENCE: HookOn = "assistant.transcriber.endpointedSpeechLowConfidence"


class HookError(BargeinError, ValueError):
    """A hook is not valid; the text says why."""


@dataclass(frozen=True, slots=True)
class CompiledHooks:
    """An assistant's hooks, compiled.

    Attributes:
        hooks: the engine's hooks.
        tools: the tools that they call, by their number in the plan: Vapi's JSON, or `{"toolId": …}` of a stored one.
    """

    hooks: tuple[Hook, ...]
    tools: tuple[JsonObject, ...]


def compile_hooks(assistant: JsonObject, *, log: bool = True) -> CompiledHooks:
    """Compile `hooks`, and `messagePlan.idleMessages`, which is the older form of a `customer.speech.timeout` hook.

    `log` writes a warning for each hook that is left out.
    """
    tools: list[JsonObject] = []
    hooks: list[Hook] = []
    for number, given in enumerate(as_objects(assistant.get("hooks"))[:MOST_HOOKS]):
        before = len(tools)
        try:
            hooks.append(_hook(given, assistant, tools))
        except (HookError, TypeError, ValueError, KeyError) as error:
            del tools[before:]
            detail = str(error) if isinstance(error, HookError) else type(error).__name__
            if log:
                _log.warning("a hook is left out", number=number, on=str(given.get("on"))[:80], reason=detail)
    idle = _idle(assistant.get("messagePlan"))
    return CompiledHooks((*hooks, *([] if idle is None else [idle])), tuple(tools))


def _hook(given: JsonObject, assistant: JsonObject, tools: list[JsonObject]) -> Hook:
    on, more = str(given.get("on")), as_objects(given.get("do"))
    if not more or len(more) > _MOST_ACTIONS:
        raise HookError("do is empty" if not more else f"do has more than {_MOST_ACTIONS} actions")
    if leads_to_caller(as_object(assistant.get("model"))):
        more = [action for action in more if is_callers(action) or not _instructs(action)]
        if not more:
            raise HookError("its instructions are the owner's, and the model is at an address that a caller set")
    do = tuple(_action(action, tools) for action in more)
    options, name = as_object(given.get("options")), str(given.get("name") or "")[:80]
    kind, _, inline = on.partition("[")
    if kind == "customer.speech.timeout":
        return _timeout(options | _inline(inline), do, name)
    if on == "call.timeElapsed":
        seconds = _number(options, "seconds", None, least=0.0, most=_LONGEST_S)
        return Hook(on="call.timeElapsed", do=do, name=name, after_ms=round(seconds * 1000), max_count=1)
    if on == "call.ending":
        return Hook(on="call.ending", do=do, name=name, max_count=1, reasons=_reasons(given.get("filters")))
    if on == _LOW_CONFIDENCE:
        usual = _number(as_object(assistant.get("transcriber")), "confidenceThreshold", _TRANSCRIBER_CONFIDENCE)
        most = _number(options, "confidenceMax", usual)
        least = _number(options, "confidenceMin", max(0.0, most - _CONFIDENCE_SPAN))
        return Hook(on=_LOW_CONFIDENCE, do=do, name=name, confidence_min=least, confidence_max=most)
    if on in _PLAIN:
        return Hook(on=_PLAIN[on], do=do, name=name)
    raise HookError("on is not an event of a call")


def _timeout(options: JsonObject, do: tuple[Action, ...], name: str) -> Hook:
    mode = options.get("triggerResetMode", "never")
    if mode not in ("never", "onUserSpeech"):
        raise HookError("triggerResetMode must be never or onUserSpeech")
    seconds = _number(options, "timeoutSeconds", _TIMEOUT_S, least=1.0, most=1000.0)
    most = _number(options, "triggerMaxCount", _MOST_IDLE, least=1, most=10)
    return Hook(
        on="customer.speech.timeout",
        do=do,
        name=name,
        after_ms=round(seconds * 1000),
        max_count=int(most),
        reset_on_speech=mode == "onUserSpeech",
    )


def _inline(text: str) -> JsonObject:
    """Return the options in `customer.speech.timeout[property=value]`."""
    if not text:
        return {}
    name, equals, value = text.removesuffix("]").partition("=")
    if not equals or not text.endswith("]"):
        raise HookError("options in on must be written [property=value]")
    return {name.strip(): value.strip() if name.strip() == "triggerResetMode" else float(value)}


def _reasons(given: object) -> tuple[tuple[str, ...], ...]:
    filters = as_objects(given)
    if any(one.get("type") != "oneOf" or one.get("key") != "call.endedReason" for one in filters):
        raise HookError("a filter must be oneOf on call.endedReason")
    return tuple(tuple(str(value) for value in as_list(one["oneOf"])) for one in filters)


def _instructs(given: JsonObject) -> bool:
    """Return whether an action gives the model words that nobody else sees: a prompt, or a message of the system's."""
    if given.get("type") == "message.add":
        return _ROLES.get(str(as_object(given.get("message")).get("role"))) == "system"
    return given.get("type") == "say" and given.get("exact") is None


def _action(given: JsonObject, tools: list[JsonObject]) -> Action:
    match given.get("type"):
        case "say":
            return _say(given)
        case "message.add":
            message = as_object(given.get("message"))
            role, text = _ROLES.get(str(message.get("role"))), _text(message.get("content"))
            if role is None:
                raise HookError("message.role is missing or unknown")
            return Action(
                kind="add", texts=(text,), role=role, respond=given.get("triggerResponseEnabled") is not False
            )
        case "tool" | "function" | "transfer":
            tools.append(_tool(given))
            return Action(kind="tool", tool=len(tools) - 1)
        case _:
            raise HookError("an action must be say, tool or message.add")


def _say(given: JsonObject) -> Action:
    exact: object = given.get("exact")
    if exact is not None:
        variants = [exact] if (listed := as_list_or_none(exact)) is None else listed
        if not variants:
            raise HookError("exact is empty")
        return Action(kind="say", texts=tuple(_text(one) for one in variants))
    prompt: object = given.get("prompt")
    if isinstance(prompt, str):
        return Action(kind="prompt", prompt=(("system", _text(prompt)),))
    messages: tuple[tuple[Role, str], ...] = tuple(
        (_ROLES[str(one.get("role"))], _text(one.get("content"))) for one in as_objects(prompt)
    )
    if not messages:
        raise HookError("a say needs exact or prompt")
    return Action(kind="prompt", prompt=messages)


def _tool(given: JsonObject) -> JsonObject:
    if given.get("type") == "transfer":
        return {"type": "transferCall", "destinations": [as_object(given.get("destination"))]}
    if given.get("type") == "function":
        return {**given, "type": "function"}
    tool = as_object(given.get("tool"))
    if tool.get("type"):
        return tool
    if not isinstance(given.get("toolId"), str):
        raise HookError("a tool action needs tool or toolId")
    return {"toolId": given["toolId"]}


def _idle(plan: object) -> Hook | None:
    """Compile the legacy `messagePlan`."""
    given = as_object(plan)
    texts = [text.strip() for text in as_strings(given.get("idleMessages")) if text.strip()]
    if not texts:
        return None
    try:
        seconds = _number(given, "idleTimeoutSeconds", _IDLE_S, least=1.0, most=1000.0)
        most = _number(given, "idleMessageMaxSpokenCount", _MOST_IDLE, least=1, most=10)
    except HookError as error:
        _log.warning("the idle messages are left out", reason=str(error))
        return None
    return Hook(
        on="customer.speech.timeout",
        do=(Action(kind="say", texts=tuple(text[:_MOST_CHARS] for text in texts)),),
        name="messagePlan",
        after_ms=round(seconds * 1000),
        max_count=int(most),
        reset_on_speech=given.get("idleMessageResetCountOnUserSpeechEnabled") is True,
    )


def render_hooks(assistant: JsonObject, render: Callable[[str], str]) -> JsonObject:
    """Return the assistant with the texts of its hooks rendered, except prompts, which are rendered when used."""
    changed = dict(assistant)
    if as_objects(assistant.get("hooks")):
        changed["hooks"] = [_render_hook(one, render) for one in as_objects(assistant.get("hooks"))]
    plan = as_object(assistant.get("messagePlan"))
    if isinstance(plan.get("idleMessages"), list):
        changed["messagePlan"] = {**plan, "idleMessages": _render_texts(plan["idleMessages"], render)}
    return changed


def hook_texts(assistant: JsonObject) -> list[str]:
    """Return the texts that `render_hooks` renders."""
    texts: list[str] = []

    def collect(text: str) -> str:
        texts.append(text)
        return text

    render_hooks(assistant, collect)
    return texts


def _render_hook(hook: JsonObject, render: Callable[[str], str]) -> JsonObject:
    do: list[JsonObject] = []
    for action in as_objects(hook.get("do")):
        filled = dict(action)
        if "exact" in action:
            filled["exact"] = _render_texts(action["exact"], render)
        message = as_object(action.get("message"))
        if isinstance(message.get("content"), str):
            filled["message"] = {**message, "content": render(message["content"])}
        do.append(filled)
    return {**hook, "do": do} if do else hook


def _render_texts(given: object, render: Callable[[str], str]) -> object:
    if isinstance(given, str):
        return render(given)
    listed = as_list_or_none(given)
    return given if listed is None else [_render_texts(one, render) for one in listed]


def static_arguments(tool: JsonObject) -> JsonObject:
    """Return a tool's `parameters`: the arguments that do not come from a model."""
    return {str(one["key"]): one.get("value") for one in as_objects(tool.get("parameters")) if one.get("key")}


def _text(given: object) -> str:
    if not isinstance(given, str) or not given.strip() or len(given) > _MOST_CHARS:
        raise HookError(f"a text must have 1 to {_MOST_CHARS} characters")
    return given.strip()


def _number(given: JsonObject, name: str, default: float | None, *, least: float = 0.0, most: float = 1.0) -> float:
    value: object = given.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= most:
        raise HookError(f"{name} must be a number from {least:g} to {most:g}")
    return float(value)
